"""`python -m spacy docre priors`: how often labels are true, and how often they are given: how complete they are."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from wasabi import msg

from ..errors import Errors, some
from ..readers.shards import read_shards, whole_or_nothing
from .app import app

if TYPE_CHECKING:
    from spacy.tokens import Doc


@app.command("priors")
def priors_cli(
    complete: Path = typer.Argument(..., help="Completely labelled documents: .spacy file or folder", exists=True),
    labelled: Path = typer.Argument(..., help="The documents to train on: .spacy file or folder", exists=True),
    output: Path = typer.Argument(..., help="JSON file to write", dir_okay=False),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace an existing file"),
) -> None:
    """Write the share of entity pairs that have each label, and of those that are labelled with it.

    For students of incompletely labelled documents (priors = FILE of spacy-docre.MixedTargets.v1), and for the loss
    spacy-docre.SSRPU.v1 (priors = FILE). The file is readable, and can be edited.
    """
    try:
        n_labels = write_priors(complete, labelled, output, overwrite=overwrite)
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    msg.good(f"Priors of {n_labels} labels: {output}")


def write_priors(complete: Path, labelled: Path, output: Path, *, overwrite: bool = False) -> int:
    """Returns the number of labels.

    Raises ValueError if a document that should be complete is not, or if the two have no label in common.
    """
    from spacy.vocab import Vocab

    from ..scoring.priors import label_shares

    true, given = label_shares(_complete_docs(complete)), label_shares(read_shards(labelled, Vocab()))
    labels = sorted({*true, *given})
    priors = {x: {"true": round(true.get(x, 0.0), 8), "labelled": round(given.get(x, 0.0), 8)} for x in labels}
    if not priors:
        raise ValueError(Errors.E103.format(path=complete))
    if not given:
        raise ValueError(Errors.E158.format(path=labelled))
    if true and true.keys().isdisjoint(given):
        shown = {"given": some(given), "true": some(true)}
        raise ValueError(Errors.E143.format(labelled=labelled, complete=complete, **shown))
    with whole_or_nothing(output, overwrite=overwrite) as tmp:
        tmp.write_text(json.dumps(priors, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    return len(priors)


def _complete_docs(path: Path) -> Iterator["Doc"]:
    from spacy.vocab import Vocab

    from ..annotations import COMPLETE, get_label_status, get_title

    for doc in read_shards(path, Vocab()):
        if get_label_status(doc) != COMPLETE:
            raise ValueError(Errors.E104.format(path=path, title=get_title(doc), status=get_label_status(doc)))
        yield doc
