"""Scorer `spacy-docre.relation_scorer.v1`: relations of predicted and annotated documents, compared."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from ..annotations import (
    COMPLETE,
    Relation,
    char_offsets,
    get_entities,
    get_label_status,
    get_relations,
    get_title,
    match_entities,
    same_tokens,
)
from ..errors import Errors
from .counts import Counts
from .facts import Facts, facts_if_there
from .known_labels import warn_of_strange_labels

Key = tuple[str, str, str]  # (head id, label, tail id), ids as in the reference
RARE_BELOW = 20  # labels with fewer relations in the scored documents count as rare


def create_relation_scorer_v1(
    facts: Path | None = None, allow_incomplete: bool = False
) -> Callable[[Iterable[Example]], dict[str, Any]]:
    """Score relations: a predicted one is right if a reference has its head, label and tail.

    facts: JSON file of known facts [[head name, tail name, label], …], for Ign F1. It is read when first needed, so
        that a pipeline loads where the file is not; then there is a warning, and no Ign F1.
    allow_incomplete: score documents whose labels are not complete, although right predictions then
        count as errors.
    """
    return partial(score_examples, facts=Path(facts) if facts else None, allow_incomplete=allow_incomplete)


def score_examples(
    examples: Iterable[Example], *, facts: Path | None, allow_incomplete: bool, labels: Sequence[str] = (), **_: Any
) -> dict[str, Any]:
    """`score_relations`, as spaCy calls a scorer: with settings of its own, and the labels of the component."""
    examples = list(examples)
    if labels:
        warn_of_strange_labels(labels, (eg.reference for eg in examples))
    known = facts_if_there(facts) if facts is not None else None
    return score_relations(examples, facts=known, allow_incomplete=allow_incomplete)


def score_relations(
    examples: Iterable[Example], *, facts: Facts | None = None, allow_incomplete: bool = False
) -> dict[str, Any]:
    """Micro precision, recall and F1 (`rel_micro_*`), Ign F1, intra- and inter-sentence F1, F1 per label,
    macro F1 of rare labels, and evidence F1. Scores are None where there is nothing to score.

    Entities match if their type and set of mentions are the same; a gold relation between entities that
    were not found is a miss. Raises ValueError for documents whose labels are not complete.
    """
    total, evidence = Counts(), Counts()
    by_place: dict[str, Counts] = defaultdict(Counts)
    by_label: dict[str, Counts] = defaultdict(Counts)
    n_docs = 0
    has_evidence = False
    for example in examples:
        if not allow_incomplete:
            require_complete([example])
        n_docs += 1
        gold = {relation_key(r): r for r in get_relations(example.reference)}
        predicted = predicted_relations(example)
        sentence_of = sentence_numbers(example.reference)
        own_sentence_of = sentences_of_tokens(example.predicted, example.reference, sentence_of)
        for key in gold.keys() | predicted.keys():
            relation = gold.get(key) or predicted[key]
            counted = {"gold": key in gold, "predicted": key in predicted}
            total.add(**counted, known=facts is not None and relation in facts)
            by_label[key[1]].add(**counted)
            if sentence_of:
                place = "intra" if is_intra(relation, sentence_of if key in gold else own_sentence_of) else "inter"
                by_place[place].add(**counted)
        if sentence_of:
            has_evidence |= any(r.evidence for r in predicted.values())
            count_evidence(evidence, gold, predicted, sentence_of, own_sentence_of)
    if not n_docs:
        return dict.fromkeys(("rel_micro_p", "rel_micro_r", "rel_micro_f"))
    return {
        "rel_micro_p": total.precision,
        "rel_micro_r": total.recall,
        "rel_micro_f": total.f1,
        "rel_ign_f": total.ign_f1 if facts is not None else None,
        "rel_intra_f": by_place["intra"].f1 if by_place["intra"].gold else None,
        "rel_inter_f": by_place["inter"].f1 if by_place["inter"].gold else None,
        "rel_macro_rare_f": rare_f1(by_label),
        "rel_evidence_f": evidence.f1 if has_evidence and evidence.gold else None,
        "rel_per_label": {label: label_scores(c) for label, c in sorted(by_label.items())},
        "rel_counts": {
            "docs": n_docs,
            "gold": total.gold,
            "predicted": total.predicted,
            "correct": total.correct,
        },
    }


def require_complete(examples: Iterable[Example]) -> None:
    """Raise ValueError if the labels of some reference are not complete."""
    for example in examples:
        status = get_label_status(example.reference)
        if status != COMPLETE:
            raise ValueError(Errors.E100.format(title=get_title(example.reference), status=status))


def relation_key(relation: Relation) -> Key:
    return (relation.head.id, relation.label_, relation.tail.id)


def predicted_relations(example: Example) -> dict[Key, Relation]:
    """Predicted relations by the ids of the reference's entities; an entity that is not in the reference
    keeps its own id, marked, so that its relations are false positives."""
    doc, reference = example.predicted, example.reference
    entities = get_entities(doc)
    ids = match_entities(doc, entities, reference, get_entities(reference), strict=True)
    rename = {e.id: ids.get(e.id, f"predicted:{e.id}") for e in entities}
    return {(rename[r.head.id], r.label_, rename[r.tail.id]): r for r in get_relations(doc)}


def sentence_numbers(doc: Doc) -> list[int]:
    """The sentence that each token is in; empty where nobody has set boundaries."""
    if not doc.has_annotation("SENT_START"):
        return []
    numbers, n = [], -1
    for token in doc:
        n += bool(token.is_sent_start) or token.i == 0
        numbers.append(n)
    return numbers


def sentences_of_tokens(doc: Doc, reference: Doc, sentence_of: list[int]) -> list[int]:
    """The sentence of the reference that each token of `doc` begins in. sentence_of: of the reference's own tokens."""
    if not sentence_of or same_tokens(doc, reference):
        return sentence_of
    starts = [start for start, _ in char_offsets(reference)]
    return [sentence_of[bisect_right(starts, start) - 1] for start, _ in char_offsets(doc)]


def is_intra(relation: Relation, sentence_of: list[int]) -> bool:
    """Whether some sentence mentions both head and tail. sentence_of: of the tokens of the relation's document."""
    heads = {sentence_of[m.start] for m in relation.head.mentions}
    return any(sentence_of[m.start] in heads for m in relation.tail.mentions)


def count_evidence(
    counts: Counts,
    gold: dict[Key, Relation],
    predicted: dict[Key, Relation],
    sentence_of: list[int],
    own_sentence_of: list[int],
) -> None:
    """Evidence sentences, over gold facts that have some and predictions that are no gold facts. The sentences are the
    reference's: of its own tokens, and of those of the predicted document.

    The DocRED evaluation also counts, as wrong, evidence predicted for gold facts that nobody gave any.
    """
    for key in gold.keys() | predicted.keys():
        right = evidence_of(gold[key], sentence_of) if key in gold else set()
        if key in gold and not right:
            continue
        said = evidence_of(predicted[key], own_sentence_of) if key in predicted else set()
        counts.gold += len(right)
        counts.predicted += len(said)
        counts.correct += len(right & said)


def evidence_of(relation: Relation, sentence_of: list[int]) -> set[int]:
    return {sentence_of[i] for span in relation.evidence for i in range(span.start, span.end)}


def rare_f1(by_label: dict[str, Counts]) -> float | None:
    """Macro F1 over labels with at least one and fewer than RARE_BELOW gold relations."""
    rare = [c.f1 for c in by_label.values() if 0 < c.gold < RARE_BELOW]
    return sum(rare) / len(rare) if rare else None


def label_scores(counts: Counts) -> dict[str, float]:
    return {"p": counts.precision, "r": counts.recall, "f": counts.f1, "gold": counts.gold}
