"""`python -m spacy docre schema`: which types a label is between, and which label its inverse is."""

import sys
from pathlib import Path
from typing import Any

import srsly
import typer
from wasabi import msg

from .app import app


@app.command("schema")
def schema_cli(
    data: Path = typer.Argument(..., help="Annotated documents: .spacy file or folder", exists=True),
    output: Path = typer.Argument(..., help="JSON file to write, to read and change", dir_okay=False),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace an existing file"),
) -> None:
    """Learn from documents which types of entities each label is between, and which labels are inverses.

    For `[components.docre_relations.schema] @misc = "spacy-docre.Schema.v1"`, with the file as `path`. (Without one,
    the component learns the same from its training data.)
    """
    from ..readers.shards import whole_or_nothing

    try:
        rules = learn(data)
        with whole_or_nothing(output, overwrite=overwrite) as tmp:
            srsly.write_json(tmp, rules)
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    msg.good(f"Types of {len(rules['types'])} labels, {len(rules['inverses'])} inverses: {output}")


def learn(data: Path) -> dict[str, Any]:
    """Raises ValueError for files that can't be read or have no document."""
    from spacy.vocab import Vocab

    from ..errors import Errors
    from ..features.schema import SchemaCounts
    from ..readers.shards import read_shards

    counts = SchemaCounts()
    vocab = Vocab()
    n_docs = 0
    for doc in read_shards(data, vocab):
        counts.add(doc)
        n_docs += 1
    if not n_docs:
        raise ValueError(Errors.E021.format(path=data))
    return counts.rules()
