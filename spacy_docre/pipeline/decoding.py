"""Margins to labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotations import Entity
from ..features.pair_batch import off_diagonal


@dataclass(frozen=True)
class DocPrediction:
    """What the model says of one document.

    entities: as in the document, or grouped from `doc.ents` where it has none
    relations: (head index, label index, tail index, score), row-major over pairs
    """

    entities: tuple[Entity, ...]
    relations: list[tuple[int, int, int, float]]


def decode(margins: NDArray, *, threshold: float, max_labels: int) -> tuple[NDArray, NDArray]:
    """The cells whose margin is above the threshold, at most `max_labels` per pair, highest first.

    margins (n_pairs, n_labels) -> pair indices (n,) and label indices (n,), ordered by pair, then margin.
    """
    pairs, labels = np.nonzero(margins > threshold)
    order = np.lexsort((-margins[pairs, labels], pairs))
    pairs, labels = pairs[order], labels[order]
    first_of_pair = np.searchsorted(pairs, pairs)
    keep = np.arange(len(pairs)) - first_of_pair < max_labels
    return pairs[keep], labels[keep]


def make_prediction(entities: tuple[Entity, ...], pairs: NDArray, labels: NDArray, scores: NDArray) -> DocPrediction:
    head, tail = off_diagonal(len(entities))
    rows = zip(head[pairs].tolist(), labels.tolist(), tail[pairs].tolist(), scores.tolist())
    return DocPrediction(entities, list(rows))
