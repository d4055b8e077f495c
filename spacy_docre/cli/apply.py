"""`python -m spacy docre apply`: the relations of any number of documents, in a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from wasabi import msg

from .app import CODE, app

if TYPE_CHECKING:
    from ..inference.apply import Applied

N_SHOWN = 10


@app.command("apply")
def apply_cli(
    model: str = typer.Argument(..., help="Pipeline: name or folder"),
    data_path: Path = typer.Argument(
        ...,
        help=".jsonl, .spacy, DocRED .json, any other file as the text of one document, or a folder of these",
        exists=True,
    ),
    output_file: Path = typer.Argument(
        ..., help=".jsonl, .csv (one row for each relation) or .spacy; any other name is a folder of .spacy files"
    ),
    code_path: Path | None = CODE,
    text_key: str = typer.Option("text", "--text-key", "-tk", help="Where a line of JSONL has its text"),
    force_overwrite: bool = typer.Option(
        False, "--force", "-F", "--overwrite", "-f", help="Replace the output, and the parts of another run"
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
    batch_size: int = typer.Option(32, "--batch-size", "-b", min=1, help="Documents processed together"),
    n_process: int = typer.Option(1, "--n-process", "-n", help="Processes; -1 for as many as there are cores"),
    with_text: bool = typer.Option(True, "--text/--no-text", help="Write texts and evidence, or only names and places"),
) -> None:
    """Write the relations that a pipeline finds in documents.

    Documents are streamed. Killed and started again it goes on where it stopped. Documents that can't be read or
    processed are left out and listed, in OUTPUT_FILE.left_out.jsonl too.
    """
    from spacy.cli._util import import_code, setup_gpu

    import_code(code_path)
    to_check = {"with_text": with_text, "n_process": n_process, "overwrite": force_overwrite}
    try:
        setup_gpu(use_gpu)
        options = {"text_key": text_key, "batch_size": batch_size, "code": code_path}
        result = run(model, data_path, output_file, to_check, **options)
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    for place, problem in result.problems[:N_SHOWN]:
        msg.warn(f"Left out: {place}: {problem}")
    if result.problems:
        msg.warn(f"{len(result.problems)} document(s) left out, listed in {result.listed_in}")
    msg.good(f"{result.n_docs} documents, {result.n_relations} relations: {output_file}")


def run(model: str, data: Path, output: Path, to_check: dict[str, Any], **options: Any) -> "Applied":
    """Load the pipeline and apply it, with a progress bar. Raises ValueError and OSError.

    to_check: options that may be wrong, which is said before the pipeline is loaded.
    """
    from tqdm import tqdm

    from ..inference.apply import apply, check_options
    from ..loading import load_pipeline
    from ..readers.documents import count_inputs
    from .evaluate import require_relations

    check_options(data, output, **to_check)
    nlp = load_pipeline(model)
    require_relations(nlp, model)
    first = True  # what is told first are documents of a run that was killed

    def on_progress(n_docs: int) -> None:
        nonlocal first
        if first and n_docs:
            with tqdm.external_write_mode(file=sys.stdout):  # the bar makes room
                msg.info(f"Going on after {n_docs:,} documents of an earlier run")
        first = False
        bar.update(n_docs)

    with tqdm(total=count_inputs(data), unit=" docs", disable=None) as bar:
        return apply(nlp, data, output, on_progress=on_progress, **to_check, **options)
