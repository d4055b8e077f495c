"""How often pairs have a label: what losses for incomplete labels want to know."""

from collections import Counter
from collections.abc import Iterable

from spacy.tokens import Doc

from ..annotations import get_entities, get_triples


def label_shares(docs: Iterable[Doc]) -> dict[str, float]:
    """The share of all ordered pairs of different entities that have each label: {label: share in (0, 1]}"""
    counts: Counter[str] = Counter()
    n_pairs = 0
    for doc in docs:
        n_entities = len(get_entities(doc))
        n_pairs += n_entities * (n_entities - 1)
        counts.update(label for _, label, _ in set(get_triples(doc)))
    return {label: n / n_pairs for label, n in sorted(counts.items())}
