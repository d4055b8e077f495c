"""`python -m spacy docre embed-labels`: how far labels are from each other, for the loss EMO."""

import json
import sys
from pathlib import Path
from typing import Any

import typer
from wasabi import msg

from ..errors import Errors
from .app import app


@app.command("embed-labels")
def embed_labels_cli(
    encoder: str = typer.Argument(..., help="Folder, or name on the Hugging Face hub"),
    labels: Path = typer.Argument(
        ..., help="JSON: {id: readable name} or a list of names", exists=True, dir_okay=False
    ),
    output: Path = typer.Argument(..., help="JSON file to write", dir_okay=False),
    ids: bool = typer.Option(False, "--ids", help="The data's labels are the ids: converted without --labels"),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace an existing file"),
) -> None:
    """Write the costs of taking one label for another: 1 - cosine of their names' embeddings.

    For the loss spacy-docre.EMO.v1 (costs = FILE). The file is readable, and can be edited.
    """
    try:
        n_labels = write_costs(encoder, labels, output, ids=ids, overwrite=overwrite)
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    msg.good(f"Costs between {n_labels} labels: {output}")


def write_costs(encoder: str, labels: Path, output: Path, *, ids: bool = False, overwrite: bool = False) -> int:
    """Returns the number of labels. Raises ValueError for labels or an encoder that can't be read."""
    from ..models.encoders import find_encoder
    from ..models.label_embeddings import label_costs
    from ..readers.shards import whole_or_nothing

    names = read_names(labels)
    costs = label_costs(find_encoder(encoder), list(names.values()))
    rows = [[round(x, 4) for x in row] for row in costs.tolist()]
    with whole_or_nothing(output, overwrite=overwrite) as tmp:
        keys = json.dumps(list(names) if ids else list(names.values()), ensure_ascii=False)
        lines = ",\n  ".join(json.dumps(row) for row in rows)
        tmp.write_text(f'{{"labels": {keys},\n "costs": [\n  {lines}\n]}}\n', encoding="utf8")
    return len(names)


def read_names(path: Path) -> dict[str, str]:
    """Ids and readable names, or the names twice. Raises ValueError with the path."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf8"))
    except ValueError as err:
        raise ValueError(Errors.E093.format(path=path, reason=err)) from err
    names = {x: x for x in found if isinstance(x, str)} if isinstance(found, list) else found
    usable = isinstance(names, dict) and names and all(isinstance(x, str) and x for x in names.values())
    if not usable or len(set(names.values())) != len(found):
        expected = "{id: name} or a list of names, all different strings"
        raise ValueError(Errors.E094.format(path=path, field="(all)", expected=expected))
    return names
