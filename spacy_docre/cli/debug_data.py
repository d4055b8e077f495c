"""`python -m spacy docre debug-data`: what a corpus holds, and what is odd about it, before training."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from wasabi import msg

from .app import CODE, MAX_COL, app
from .evaluate import save

if TYPE_CHECKING:
    from ..scoring.survey_data import DataSurvey

FEW = 20  # relations of a label that are too few to learn it well
N_SHOWN = 3


@app.command("debug-data")
def debug_data_cli(
    train: Path = typer.Argument(..., help="Documents to train on: .spacy file or folder", exists=True),
    dev: Path | None = typer.Argument(None, help="Documents to score on: .spacy file or folder", exists=True),
    model: str | None = typer.Option(None, "--model", "-m", help="Pipeline whose tokenizer is checked; or see --lang"),
    lang: str = typer.Option("en", "--lang", "-l", help="Language whose tokenizer is checked"),
    window: int = typer.Option(320, "--window", min=1, help="Tokens that the encoder sees at once"),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Also write all counts to this JSON file", dir_okay=False
    ),
    verbose: bool = typer.Option(False, "--verbose", "-V", help="Name every place, not only the first ones"),
    code_path: Path | None = CODE,
) -> None:
    """Count what is in a corpus, and name what may go wrong: rare labels, mentions that don't fit, shared documents.

    Nothing is changed. The exit code is 0 unless a file can't be read: whether something is a mistake is yours to say.
    """
    from spacy.cli._util import import_code

    from .own_files import check_json

    import_code(code_path)
    try:
        if output is not None:
            check_json(output, "debug-data", {"train", "shared"})
        surveys = survey(train, dev, model=model, lang=lang, window=window)
    except (ValueError, OSError, ImportError) as err:
        msg.fail("Can't read the data", str(err))
        sys.exit(1)
    print_counts(surveys, window=window)
    print_labels(surveys)
    print_problems(surveys, verbose=verbose)
    between = compare(surveys)
    print_shared(between, verbose=verbose)
    if output is not None:
        content = {name: s.summary() for name, s in zip(("train", "dev"), surveys)}
        save(output, {**content, "shared": between})
        msg.good(f"All counts: {output}")


def survey(train: Path, dev: Path | None, *, model: str | None, lang: str, window: int) -> list["DataSurvey"]:
    """One survey for each part. Raises ValueError and OSError for what can't be read, has no document, or is not
    finished."""
    import spacy
    from tqdm import tqdm

    from ..errors import Errors
    from ..readers.manifest import require_finished
    from ..readers.shards import read_shards
    from ..scoring.survey_data import survey_data

    nlp = spacy.load(model) if model else spacy.blank(lang)
    surveys = []
    for path in (train, dev) if dev is not None else (train,):
        require_finished(path)
        counted = tqdm(read_shards(path, nlp.vocab), unit=" docs", desc=path.name, disable=None, leave=False)
        surveys.append(survey_data(str(path), counted, nlp, window=window))
        if not surveys[-1].n_docs:
            raise ValueError(Errors.E021.format(path=path))
    return surveys


def compare(surveys: list["DataSurvey"]) -> dict[str, list[Any]]:
    """What documents of the parts have in common."""
    from ..scoring.survey_data import near_duplicates, shared_titles

    result: dict[str, list[Any]] = {"near-duplicates within training": near_duplicates(surveys[0], surveys[0])}
    if len(surveys) > 1:
        result["titles in both"] = shared_titles(*surveys)
        result["near-duplicates in both"] = near_duplicates(*surveys)
    return result


def print_counts(surveys: list["DataSurvey"], *, window: int) -> None:
    def mean(total: int, s: "DataSurvey") -> str:
        return f"{total / s.n_docs:.1f}"

    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f} %" if whole else "-"

    rows = [
        ("Documents", [f"{s.n_docs:,}" for s in surveys]),
        ("  by label status", [", ".join(f"{n:,} {x}" for x, n in s.statuses.most_common()) for s in surveys]),
        ("  with soft labels of a teacher", [f"{s.n_taught:,}" for s in surveys]),
        ("  with sentence boundaries", [f"{s.n_with_sentences:,}" for s in surveys]),
        ("Tokens per document, the most", [f"{mean(s.n_tokens, s)}, {s.longest:,}" for s in surveys]),
        ("Entities per document, the most", [f"{mean(s.n_entities, s)}, {s.most_entities:,}" for s in surveys]),
        ("Mentions per document", [mean(s.n_mentions, s) for s in surveys]),
        ("Pairs per document", [mean(s.n_pairs, s) for s in surveys]),
        ("Relations per document", [mean(s.n_relations, s) for s in surveys]),
        ("  pairs that have one", [share(s.n_related, s.n_pairs) for s in surveys]),
        ("  named in one sentence", [share(s.intra, s.n_placed) for s in surveys]),
        ("  with evidence", [share(s.n_with_evidence, s.n_relations) for s in surveys]),
        ("Entity types", [", ".join(f"{x} {n:,}" for x, n in s.types.most_common(8)) for s in surveys]),
        ("Labels", [f"{len(s.labels):,}" for s in surveys]),
    ]
    header = ("", *(Path(s.name).name for s in surveys))
    msg.table([(title, *cells) for title, cells in rows], header=header, divider=True, max_col=MAX_COL)
    for s in surveys:
        if s.longest > window:
            msg.info(
                f"{s.name}: the longest document has {s.longest:,} tokens; windows of {window} are read in strides"
            )
        status = set(s.statuses)
        if s is surveys[0] and "complete" not in status and not s.n_taught:
            msg.warn(f"{s.name}: no document is completely labelled, so nothing says where a relation does not hold")
        if s is not surveys[0] and status != {"complete"}:
            msg.warn(f"{s.name}: not all documents are completely labelled, so they can't be scored")


def print_labels(surveys: list["DataSurvey"]) -> None:
    train = surveys[0]
    rare = [label for label, n in train.labels.items() if n < FEW]
    counts = train.labels.most_common()
    shown = counts if len(counts) <= 12 else [*counts[:6], *counts[-6:]]
    msg.table(
        [(label, n, *(s.labels[label] for s in surveys[1:])) for label, n in shown],
        header=("Label (most and least frequent)", *(Path(s.name).name for s in surveys)),
        aligns=("l", *("r" for _ in surveys)),
        divider=True,
        max_col=MAX_COL,
    )
    if rare:
        msg.warn(f"{len(rare)} of {len(counts)} labels have fewer than {FEW} relations in training: {some(rare)}")
    if len(surveys) > 1:
        unknown = sorted(set(surveys[1].labels) - set(train.labels))
        if unknown and not train.labels:
            msg.warn(f"No relation in training, so none can be found in {surveys[1].name}")
        elif unknown and len(unknown) == len(surveys[1].labels):
            there, here = some(unknown), some(sorted(train.labels))
            msg.warn(
                f"No label is in both: {there} in {surveys[1].name}, {here} in training. Were they converted with the "
                "same --labels?"
            )
        elif unknown:
            msg.warn(f"{len(unknown)} labels are not in training, so they can't be found: {some(unknown)}")
        strange = sorted(set(surveys[1].types) - set(train.types))
        if strange:
            msg.warn(f"Entity types that are not in training: {some(strange)}")


def print_problems(surveys: list["DataSurvey"], *, verbose: bool) -> None:
    for s in surveys:
        for problem, places in s.problems.items():
            msg.warn(f"{s.name}: {len(places):,} {problem}, as in {some(places, len(places) if verbose else N_SHOWN)}")
        if not s.problems:
            msg.good(f"{s.name}: all mentions and relations are in order")


def print_shared(between: dict[str, list[Any]], *, verbose: bool) -> None:
    for what, rows in between.items():
        if rows:
            names = [
                row if isinstance(row, str) else f"{row[0]!r} and {row[1]!r} ({100 * row[2]:.0f} %)" for row in rows
            ]
            msg.warn(f"{len(rows):,} {what}: {some(names, len(names) if verbose else N_SHOWN)}")
        else:
            msg.good(f"No {what}")


def some(names: list[str], n: int = 8) -> str:
    return ", ".join(names[:n]) + ("" if len(names) <= n else ", …")
