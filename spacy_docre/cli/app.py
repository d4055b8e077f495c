"""The Typer app behind `python -m spacy docre`."""

import typer

app = typer.Typer(
    name="docre",
    help="Relations across whole documents: convert data, evaluate pipelines.",
    no_args_is_help=True,
)

CODE = typer.Option(None, "--code", "-c", help="Python file with registered functions to import")
MAX_COL = 100  # characters of a column in a table
