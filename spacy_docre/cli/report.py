"""`python -m spacy docre report`: runs side by side, as one page."""

import sys
from pathlib import Path

import typer
from wasabi import msg

from .app import app


@app.command("report")
def report_cli(
    metrics: Path = typer.Argument(..., help="Folder with scores and logs of the runs", exists=True, file_okay=False),
    output: Path = typer.Argument(..., help="HTML file to write", dir_okay=False),
    title: str = typer.Option("Relations in documents", "--title", "-t", help="Title of the page"),
) -> None:
    """Write one HTML page with the scores of several runs: a table, learning curves and plots.

    The folder has a NAME.json for each run (of `docre evaluate --output`) and, for its learning curve, a NAME.jsonl
    (of the logger's output_file). Runs stand in the order of their files' names; numbers in front are not shown.
    """
    from ..readers.shards import whole_or_nothing
    from ..visualise.report import read_runs, render_report
    from .own_files import check_page

    try:
        check_page(output, "report")
        runs = read_runs(metrics)
        page = render_report(runs, title)
        with whole_or_nothing(output, overwrite=True) as tmp:
            tmp.write_text(page, encoding="utf8")
    except (ValueError, OSError) as err:
        msg.fail("No report", str(err))
        sys.exit(1)
    msg.good(f"{len(runs)} run(s): {output}")
