"""`python -m spacy docre facts`: what the training documents state, for Ign F1."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from wasabi import msg

from ..errors import Errors
from ..readers.shards import read_shards, whole_or_nothing
from .app import app
from .conversion import write_json_array


@app.command("facts")
def facts_cli(
    corpora: list[Path] = typer.Argument(..., help="Training documents: .spacy files or folders", exists=True),
    output: Path = typer.Argument(..., help="JSON file to write: [[head name, tail name, label], …]"),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace an existing file"),
) -> None:
    """Write the facts of the training documents to a file for Ign F1 (evaluate --facts, the scorer's facts)."""
    try:
        n_facts = write_facts(corpora, output, overwrite=overwrite)
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    msg.good(f"{n_facts} facts (each name of the head with each of the tail): {output}")


def write_facts(corpora: Sequence[Path], output: Path, *, overwrite: bool = False) -> int:
    """Every name of the head with every name of the tail of every relation, once. Returns their number."""
    from spacy.vocab import Vocab

    from ..annotations import get_relations
    from ..scoring.facts import facts_of

    vocab, found, n_docs = Vocab(), set(), 0
    for doc in (doc for corpus in corpora for doc in read_shards(corpus, vocab)):
        found |= facts_of(get_relations(doc))
        n_docs += 1
    if not found:
        raise ValueError((Errors.E103 if n_docs else Errors.E021).format(path=", ".join(map(str, corpora))))
    with whole_or_nothing(output, overwrite=overwrite) as tmp:
        write_json_array(sorted(found), tmp)
    return len(found)
