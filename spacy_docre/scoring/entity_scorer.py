"""Scorer `spacy-docre.entity_scorer.v1`: the entities of predicted and annotated documents, compared."""

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

from spacy.training import Example

from ..annotations import get_entities, has_mentions, mention_spans
from .clusters import ClusterCounts, disjoint


def create_entity_scorer_v1() -> Callable[[Iterable[Example]], dict[str, Any]]:
    """MUC, B³ and CEAF-e (`muc_f`, `b3_f`, `ceafe_f`, with _p and _r) and their mean, `conll_f`.

    Documents whose reference has no entities are left out. Nothing is scored without scipy, which CEAF-e needs.
    """
    return score_entities


def score_entities(examples: Iterable[Example], **_: Any) -> dict[str, Any]:
    """All scores are None where there is nothing to score."""
    counts = ClusterCounts()
    n_docs = 0
    for example in examples if find_spec("scipy") else ():
        if has_mentions(example.reference):
            add_document(counts, example)
            n_docs += 1
    scores: dict[str, Any] = counts.scores()
    return scores if n_docs else dict.fromkeys(scores)


def add_document(counts: ClusterCounts, example: Example) -> None:
    entities, true = get_entities(example.predicted), get_entities(example.reference)
    found, expected = mention_spans(example.predicted, entities, example.reference, true)
    counts.add(list(disjoint(found.values())), list(disjoint(expected.values())))
