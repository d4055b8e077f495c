"""`python -m spacy docre evaluate`: how good a pipeline's relations are."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import srsly
import typer
from wasabi import msg

from ..components import made_by
from ..errors import Errors
from ..json_file import read_json
from .app import CODE, MAX_COL, app
from .conversion import write_json_array

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

TITLES = {
    "rel_micro_p": "Precision",
    "rel_micro_r": "Recall",
    "rel_micro_f": "F1",
    "rel_ign_f": "Ign F1",
    "rel_intra_f": "F1 within a sentence",
    "rel_inter_f": "F1 across sentences",
    "rel_macro_rare_f": "Macro F1, rare labels",
    "rel_evidence_f": "Evidence F1",
}

SCORES, PREDICTED, META = {"rel_micro_f"}, {"title", "h_idx", "t_idx", "r"}, {"lang", "version"}  # of files' contents
PUBLISHED = ("rel_", "e2e_", "mention_", "conll_f")  # scores that go into a pipeline's meta.json


@app.command("evaluate")
def evaluate_cli(
    model: str = typer.Argument(..., help="Pipeline: name or folder"),
    data: Path = typer.Argument(..., help="Annotated documents: .spacy file or folder", exists=True),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Write all figures to this JSON file", dir_okay=False
    ),
    facts: Path | None = typer.Option(
        None, "--facts", help="JSON of facts known from training, for Ign F1: [[head, tail, label], …]"
    ),
    predictions: Path | None = typer.Option(
        None,
        "--predictions",
        "-p",
        help="Write predictions to this JSON file, for DocRED's official evaluation",
        dir_okay=False,
    ),
    gold_entities: bool = typer.Option(
        True, "--gold-entities/--own-entities", help="Take the data's entities, or the pipeline's own"
    ),
    end_to_end: bool = typer.Option(
        False,
        "--end-to-end",
        help="Both, and from the text alone: mentions, entities, relations, and what missed relations were missed for",
    ),
    allow_incomplete: bool = typer.Option(
        False, "--allow-incomplete", help="Score documents whose labels are not complete"
    ),
    meta: Path | None = typer.Option(
        None,
        "--meta",
        help="Write the pipeline's meta.json with these figures to this file, for `spacy package --meta-path`",
        dir_okay=False,
    ),
    card: Path | None = typer.Option(
        None,
        "--card",
        exists=True,
        help="With --meta: JSON of what else a model card says (description, license, sources, notes)",
    ),
    per_label: bool = typer.Option(False, "--per-label", help="Also print precision, recall and F1 per label"),
    code_path: Path | None = CODE,
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Evaluate the relations of a pipeline, on the data's own entities or end to end."""
    from spacy.cli._util import import_code, setup_gpu

    from .own_files import check_json

    import_code(code_path)
    try:
        setup_gpu(use_gpu)
        for path, keys in ((output, SCORES), (predictions, PREDICTED), (meta, META)):
            if path is not None:
                check_json(path, "evaluate", keys)
        if end_to_end and not gold_entities:
            raise ValueError(Errors.E152.format(option="--own-entities", other="--end-to-end, which scores both"))
        if card is not None and meta is None:
            raise ValueError(Errors.E139)
        on_card = read_card(card) if card is not None else None
        scores = evaluate(
            model,
            data,
            facts=facts,
            predictions=predictions,
            gold_entities=gold_entities,
            end_to_end=end_to_end,
            allow_incomplete=allow_incomplete,
        )
    except (ValueError, OSError, ImportError) as err:
        msg.fail("Can't evaluate", str(err))
        sys.exit(1)
    print_scores(scores, per_label=per_label)
    if end_to_end:
        print_end_to_end(scores)
        if not scores["mention_place_r"]:
            msg.warn("The pipeline found no mention in the texts: has it a ner, or another component that finds them?")
    try:
        if output is not None:
            save(output, scores)
            msg.good(f"Saved all figures to {output}")
        if meta is not None:
            save(meta, with_performance(model, scores, data=data, card=on_card))
            msg.good(f"Saved meta.json with these figures to {meta}")
    except OSError as err:
        msg.fail("Not saved", str(err))
        sys.exit(1)


def save(path: Path, content: dict[str, Any]) -> None:
    """As JSON, whole or not at all."""
    from ..readers.shards import whole_or_nothing

    with whole_or_nothing(path, overwrite=True) as tmp:
        srsly.write_json(tmp, content)


def evaluate(
    model: str,
    data: Path,
    *,
    facts: Path | None = None,
    predictions: Path | None = None,
    gold_entities: bool = True,
    end_to_end: bool = False,
    allow_incomplete: bool = False,
) -> dict[str, Any]:
    """Scores of a pipeline's relations on annotated documents, and words per second.

    end_to_end: with gold entities, and beside that all of the pipeline's own from the text (`EndToEnd.scores`).

    Raises ValueError for documents whose labels are not complete, unless allowed; for a pipeline without
    relations; and for files that can't be read; ImportError for end_to_end without scipy.
    """
    from ..loading import load_pipeline
    from ..readers.docred_export import to_docred_predictions
    from ..readers.shards import whole_or_nothing
    from ..scoring.clusters import require_scipy
    from ..scoring.end_to_end import score_end_to_end
    from ..scoring.facts import read_facts
    from ..scoring.known_labels import require_labels_to_score
    from ..scoring.relation_scorer import score_relations

    if predictions is not None and not (gold_entities or end_to_end):
        raise ValueError(Errors.E137)
    known = read_facts(facts) if facts is not None else None
    nlp = load_pipeline(model)
    require_relations(nlp, model)
    if end_to_end:
        require_scipy()
    examples, seconds = predict(nlp, data, gold_entities=gold_entities or end_to_end, check=not allow_incomplete)
    require_labels_to_score(known_labels(nlp), [eg.reference for eg in examples], data)
    scores = score_relations(examples, facts=known, allow_incomplete=allow_incomplete)
    if predictions is not None:
        rows = (row for eg in examples for row in to_docred_predictions(eg.predicted))
        with whole_or_nothing(predictions, overwrite=True) as tmp:
            write_json_array(rows, tmp)
    scores["words_per_second"] = sum(len(eg.predicted) for eg in examples) / seconds
    scores["docs_per_second"] = len(examples) / seconds
    if end_to_end:
        own, seconds = predict(nlp, data, gold_entities=False, check=False)
        scores |= score_end_to_end(own, examples).scores()
        scores["e2e_docs_per_second"] = len(own) / seconds
    return scores


def predict(nlp: "Language", data: Path, *, gold_entities: bool, check: bool) -> tuple[list["Example"], float]:
    """The documents with what the pipeline predicts, and the seconds that took.

    gold_entities: with the data's tokens and entities; check: raise ValueError if labels are not complete.
    """
    import time

    from tqdm import tqdm

    from ..readers.corpus import create_corpus_v1
    from ..readers.shards import without_hidden_states
    from ..scoring.relation_scorer import require_complete

    corpus = create_corpus_v1(data, gold_tokens=gold_entities, gold_entities=gold_entities)
    examples = list(corpus(nlp))
    if check:
        require_complete(examples)
    start = time.perf_counter()
    docs = nlp.pipe(eg.predicted for eg in examples)
    for eg, doc in zip(examples, tqdm(docs, total=len(examples), unit=" docs", disable=None, leave=False)):
        eg.predicted = without_hidden_states(doc)
    return examples, time.perf_counter() - start


def require_relations(nlp: "Language", model: str) -> None:
    """Raise ValueError if the pipeline finds no relations."""
    if not made_by(nlp, "docre_relations"):
        raise ValueError(Errors.E102.format(model=model, pipeline=", ".join(nlp.pipe_names) or "empty"))


def known_labels(nlp: "Language") -> set[str]:
    components = [nlp.get_pipe(name) for name in made_by(nlp, "docre_relations")]
    return {label for component in components for label in component.labels}  # type: ignore[attr-defined]


def read_card(path: Path) -> dict[str, Any]:
    """Raises ValueError, with the path, for what is no JSON object."""
    card = read_json(path)
    if not isinstance(card, dict):
        raise ValueError(Errors.E094.format(path=path, field="", expected='{"description": …}'))
    return card


def with_performance(
    model: str, scores: dict[str, Any], *, data: Path | None = None, card: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The meta data of a pipeline with its scores as `performance`, as `spacy package --meta-path` takes them.

    card: fields that take the place of the pipeline's own; what was measured is added to its notes.
    """
    from spacy.util import get_model_meta, get_package_path, is_package
    from thinc.api import Config

    path = get_package_path(model) if is_package(model) else Path(model)
    performance = {
        key: value
        for key, value in scores.items()
        if key.startswith(PUBLISHED) and not key.endswith("_per_second") and value is not None
    }
    meta = {**get_model_meta(path), "performance": performance}
    if card is not None:
        meta |= card
        config = next(path.rglob("config.cfg"))  # an installed package has it a folder deeper
        seed = Config().from_disk(config).get("training", {}).get("seed")
        meta["notes"] = "\n\n".join(x for x in (meta.get("notes", ""), measured(scores, data, seed)) if x)
    return meta


def measured(scores: dict[str, Any], data: Path | None, seed: int | str | None) -> str:
    """The main figures in words, with the machine that the speed is of."""
    import platform

    counts = scores["rel_counts"]
    where = f"On {counts['docs']} documents ({data.name if data else 'scored'}, {counts['gold']} relations)"
    text = f"{where}: F1 {100 * scores['rel_micro_f']:.1f} with the data's entities"
    speed = scores["words_per_second"]
    if "e2e_strict_f" in scores:
        strict, loose = 100 * scores["e2e_strict_f"], 100 * scores["e2e_loose_f"]
        text += f"; from the text alone {strict:.1f} (strict) and {loose:.1f} (loose)"
        mentions, entities = 100 * scores["mention_f"], 100 * scores["conll_f"]
        text += f"; mentions F1 {mentions:.1f}, entities {entities:.1f} (mean of MUC, B³, CEAF-e)"
    if seed is not None:
        text += f"; trained once, with seed {seed}"
    return f"{text}. {speed:,.0f} words per second ({platform.machine()}, {os.cpu_count()} cores)."


def print_scores(scores: dict[str, Any], *, per_label: bool = False) -> None:
    rows = [(title, f"{100 * scores[key]:.2f}") for key, title in TITLES.items() if scores.get(key) is not None]
    counts = scores["rel_counts"]
    rows += [(name.capitalize(), f"{counts[name]:,}") for name in ("docs", "gold", "predicted", "correct")]
    rows.append(("Words per second", f"{scores['words_per_second']:,.0f}"))
    msg.table(rows, title="Relations", aligns=("l", "r"))
    if per_label:
        labels = sorted(scores["rel_per_label"].items(), key=lambda item: (-item[1]["gold"], item[0]))
        table = [(name, *(f"{100 * s[k]:.2f}" for k in "prf"), s["gold"]) for name, s in labels]
        msg.table(table, header=("Label", "P", "R", "F1", "Gold"), aligns=("l", *"rrrr"), divider=True, max_col=MAX_COL)


def print_end_to_end(scores: dict[str, Any]) -> None:
    """Mentions, entities and relations from the text alone, and the causes of missed relations."""
    names = (
        ("Mentions, place and type", "mention"),
        ("Mentions, place alone", "mention_place"),
        ("Entities, MUC", "muc"),
        ("Entities, B³", "b3"),
        ("Entities, CEAF-e", "ceafe"),
        ("Relations, strict", "e2e_strict"),
        ("Relations, loose", "e2e_loose"),
        ("Relations with gold entities", "rel_micro"),
    )
    rows = [(title, *(f"{100 * scores[f'{name}_{k}']:.2f}" for k in "prf")) for title, name in names]
    rows.insert(5, ("Entities, mean of the three", "", "", f"{100 * scores['conll_f']:.2f}"))
    msg.divider("From the text alone")
    msg.table(rows, header=("", "P", "R", "F1"), aligns=("l", *"rrr"), divider=True)
    causes = [(cause, n, scores["e2e_lost"][cause]) for cause, n in scores["e2e_causes"].items()]
    causes.append(("all", *(sum(row[i] for row in causes) for i in (1, 2))))
    header = ("Why a relation was not found", "relations", "of these found with gold entities")
    msg.table(causes, header=header, aligns=("l", "r", "r"), divider=True, max_col=MAX_COL)
