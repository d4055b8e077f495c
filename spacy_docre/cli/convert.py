"""`python -m spacy docre convert`: DocRED JSON or JSONL to .spacy, and back to DocRED JSON."""

import sys
from pathlib import Path

import typer
from wasabi import msg

from ..annotations import COMPLETE, STATUSES
from .app import app
from .conversion import convert_to_json, convert_to_spacy, require_effect


@app.command("convert")
def convert_cli(
    source: Path = typer.Argument(..., help="DocRED .json, .jsonl as `apply` writes it, or .spacy file or folder"),
    target: Path = typer.Argument(..., help="Where to write: .spacy file, folder of shards, or .json"),
    labels: Path | None = typer.Option(
        None, "--labels", "-l", help='JSON of relation ids and readable names: {"P17": "country"}'
    ),
    labels_are: str | None = typer.Option(
        None,
        "--labels-are",
        "-a",
        help=f"How far labels can be trusted: {', '.join(STATUSES)}; complete if you don't say",
    ),
    distant: Path | None = typer.Option(
        None,
        "--distant",
        help="Labels made by a machine, in place of the documents' own. JSONL, joined by title; h and t number the "
        'entities: {"title": …, "labels": [{"h": 0, "r": "P17", "t": 4}]}',
    ),
    facts: Path | None = typer.Option(
        None,
        "--facts",
        help="Label documents by name matching with facts, in place of their own labels. JSON: [[head name, tail name, "
        "label], …]",
    ),
    spaces: bool = typer.Option(
        True, "--spaces/--no-spaces", help="Whether there is a space after each token; Chinese, for example, has none"
    ),
    lang: str | None = typer.Option(
        None, "--lang", help="Of JSONL: whose tokenizer cuts its texts (en if you don't say); sentences end at . ! ?"
    ),
    docs_per_shard: int = typer.Option(
        500, "--docs-per-shard", "-n", min=1, help="Documents in each file, where the target is a folder"
    ),
    skip_invalid: bool = typer.Option(
        False, "--skip-invalid", "-s", help="Leave invalid documents out, and list them, instead of stopping"
    ),
    predictions: bool = typer.Option(
        False, "--predictions", "-p", help="To JSON: write rows for DocRED's official evaluation"
    ),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace an existing target"),
) -> None:
    """Convert DocRED or Re-DocRED JSON to .spacy files, or .spacy files to DocRED JSON.

    JSONL as `spacy docre apply` writes it, corrected by hand, becomes .spacy files too. A target that ends in .spacy is
    one file; any other is a folder of shards, which needs less memory. The target is written whole or not at all.
    """
    for_spacy = {
        "--labels-are": labels_are,
        "--distant": distant,
        "--facts": facts,
        "--no-spaces": not spaces,
        "--skip-invalid": skip_invalid,
        "--lang": lang,
    }
    try:
        require_effect(target, for_spacy if target.suffix == ".json" else {"--predictions": predictions})
        if target.suffix == ".json":
            result = convert_to_json(source, target, labels=labels, predictions=predictions, overwrite=overwrite)
        else:
            result = convert_to_spacy(
                source,
                target,
                labels=labels,
                status=labels_are,
                distant=distant,
                facts=facts,
                spaces=spaces,
                lang=lang,
                docs_per_shard=docs_per_shard,
                skip_invalid=skip_invalid,
                overwrite=overwrite,
            )
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    for error in result.left_out:
        msg.warn(f"Left out: {error}")
    if result.unused:
        msg.warn(f"{len(result.unused)} row(s) of {distant} fit no document, the first: {result.unused[0]!r}")
    if result.n_replaced:
        instead = f"those of {distant or facts} take their place" if distant or facts else "--labels-are none"
        msg.warn(f"{result.n_replaced} label(s) of the documents themselves are left out: {instead}")
    if result.widened:
        n = len(result.widened)
        msg.warn(f"{n} mention(s) were widened to whole tokens (--lang says whose), the first: {result.widened[0]}")
    if result.left_out:
        msg.warn(f"{len(result.left_out)} invalid document(s) left out")
    weaker = sorted(result.statuses - {COMPLETE})
    if target.suffix == ".json" and not predictions and weaker:
        status = weaker[0]
        msg.warn(f"JSON can't say that labels are {status!r}: if you convert it back, say --labels-are {status}")
    if target.suffix != ".json" and labels_are is None and result.statuses == {COMPLETE}:
        msg.info("Labels are taken as complete: what is not there does not hold. Otherwise say --labels-are incomplete")
    files = f" in {result.n_files} files" if result.n_files > 1 else ""
    msg.good(f"{result.n_docs} documents, {result.n_relations} relations{files}: {target}")
