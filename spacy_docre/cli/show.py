"""`python -m spacy docre show`: a pipeline's relations, with their evidence, to read."""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from wasabi import msg

from .app import CODE, app


@app.command("show")
def show_cli(
    model: str = typer.Argument(..., help="Pipeline: name or folder"),
    data: Path = typer.Argument(..., help="Documents: text, .jsonl, .spacy, DocRED .json, a folder", exists=True),
    output: Path | None = typer.Option(None, "--output", "-o", help="Also write it to this text file", dir_okay=False),
    limit: int = typer.Option(5, "--limit", "-n", min=0, help="Show only so many documents; 0 shows all"),
    code_path: Path | None = CODE,
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Print the relations that a pipeline finds, the surest first, with the sentences that speak for them.

    The entities are the data's. The entities of a text the pipeline has to find itself.
    """
    from spacy.cli._util import import_code, setup_gpu

    from ..readers.shards import whole_or_nothing

    import_code(code_path)
    try:
        setup_gpu(use_gpu)
        texts = list(show(model, data, limit=limit))
        if output is not None:
            with whole_or_nothing(output, overwrite=True) as tmp:
                tmp.write_text("\n\n".join(texts) + "\n", encoding="utf8")
    except (ValueError, OSError) as err:
        msg.fail("Can't show relations", str(err))
        sys.exit(1)
    encoding = sys.stdout.encoding or "utf8"
    for text in texts:  # arrows and names, also where the terminal has no letters for them
        print(text.encode(encoding, "replace").decode(encoding) + "\n")


def show(model: str, data: Path, *, limit: int = 0) -> Iterator[str]:
    """Each document with its relations, as text. Raises ValueError for data that can't be read, with its place."""
    from itertools import islice

    from ..errors import Errors
    from ..loading import load_pipeline
    from ..readers.documents import read_inputs, require_doc
    from ..visualise.text import render_text
    from .evaluate import require_relations

    nlp = load_pipeline(model)
    require_relations(nlp, model)
    docs = (require_doc(item) for item in islice(read_inputs(data, nlp), limit or None))
    n_docs = 0
    for doc in nlp.pipe(docs, batch_size=8):
        n_docs += 1
        yield render_text(doc)
    if not n_docs:
        raise ValueError(Errors.E021.format(path=data))
