"""`python -m spacy docre show`: a pipeline's relations, with their evidence, to read."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from wasabi import msg

from ..errors import Errors
from .app import app

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


@app.command("show")
def show_cli(
    model: str = typer.Argument(..., help="Pipeline: name or folder"),
    data: Path = typer.Argument(..., help="Documents: .txt, .spacy (file or folder) or DocRED .json", exists=True),
    output: Path | None = typer.Option(None, "--output", "-o", help="Also write it to this text file", dir_okay=False),
    limit: int = typer.Option(5, "--limit", "-n", min=0, help="Show only so many documents; 0 shows all"),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Print the relations that a pipeline finds, the surest first, with the sentences that speak for them.

    The entities are the data's. A .txt file is one document, whose entities the pipeline has to find itself.
    """
    from spacy.cli._util import setup_gpu

    from ..readers.shards import whole_or_nothing

    setup_gpu(use_gpu)
    try:
        texts = list(show(model, data, limit=limit))
        for text in texts:
            print(text + "\n")
        if output is not None:
            with whole_or_nothing(output, overwrite=True) as tmp:
                tmp.write_text("\n\n".join(texts) + "\n", encoding="utf8")
    except (ValueError, OSError) as err:
        msg.fail("Can't show relations", str(err))
        sys.exit(1)


def show(model: str, data: Path, *, limit: int = 0) -> Iterator[str]:
    """Each document with its relations, as text. Raises ValueError for data that can't be read, with its place."""
    from itertools import islice

    from spacy.util import load_model

    from ..visualise.text import render_text
    from .evaluate import require_relations

    nlp = load_model(model)
    require_relations(nlp, model)
    docs = islice(read_documents(data, nlp), limit or None)
    for doc in nlp.pipe(docs, batch_size=8):
        yield render_text(doc)


def read_documents(data: Path, nlp: "Language") -> Iterator["Doc"]:
    """Documents with the data's tokens, entities and sentences, and without its relations."""
    from ..readers.corpus import create_corpus_v1
    from ..readers.docred import read_docred
    from ..readers.json_stream import CorpusError

    if data.suffix == ".txt":
        try:
            yield nlp.make_doc(data.read_text(encoding="utf8"))
        except UnicodeDecodeError as err:
            raise CorpusError(str(data), f"not UTF-8 ({err.reason} at byte {err.start})") from err
    elif data.name.endswith((".json", ".json.gz")):
        yield from read_docred(data, nlp.vocab, status="none")
    elif data.is_dir() or data.suffix == ".spacy":
        for eg in create_corpus_v1(data)(nlp):
            yield eg.predicted
    else:
        raise ValueError(Errors.E031.format(path=data))
