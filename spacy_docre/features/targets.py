"""Labels and label status to targets: nothing is 0 only because nobody labelled it."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import (
    COMPLETE,
    entities_or_ents,
    get_entities,
    get_label_status,
    get_triples,
    match_entities,
)
from ..errors import Errors, Warnings
from .pair_batch import PairBatch

MODES = ("positives_only", "closed_world")


@dataclass(frozen=True)
class PairTargets:
    """values: in [0, 1] (n_pairs, n_labels); known: which of them say something, None for all."""

    values: NDArray[np.float32]
    known: NDArray[np.bool_] | None


class MixedTargets:
    """Targets of a batch. What a missing label means depends on the document's label status.

    mode "positives_only": in a `complete` document, that the relation does not hold; in others, nothing.
    mode "closed_world": that it does not hold, whatever the status (the paper's choice for distant labels).
    """

    def __init__(self, *, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(Errors.E064.format(mode=mode, expected=", ".join(MODES)))
        self.mode = mode
        self.counts: Counter[str] = Counter()  # documents by status that are not complete, and relations "lost"

    def __call__(
        self,
        predicted: Sequence[Doc],
        references: Sequence[Doc],
        batch: PairBatch,
        label_index: Mapping[str, int],
    ) -> PairTargets:
        """Targets for the pairs of the predicted documents, from the relations of their references."""
        values = np.zeros((int(batch.n_pairs.sum()), len(label_index)), dtype=np.float32)
        known = np.ones(values.shape, dtype=bool)
        first_row = 0
        for doc, reference, n_pairs in zip(predicted, references, batch.n_pairs):
            rows, columns = positive_cells(doc, reference, label_index)
            self._count_lost(len(get_triples(reference)) - len(rows))
            values[first_row + rows, columns] = 1
            status = get_label_status(reference)
            if status != COMPLETE and n_pairs and self.mode == "positives_only":
                self._count(status)
                known[first_row : first_row + n_pairs] = values[first_row : first_row + n_pairs] > 0
            first_row += n_pairs
        return PairTargets(values, None if known.all() else known)

    def needs_complete(self) -> bool:
        """Whether absent relations are learned from complete documents only."""
        return self.mode == "positives_only"

    def _count_lost(self, n_lost: int) -> None:
        if not n_lost:
            return
        if not self.counts["lost"]:
            warnings.warn(Warnings.W008.format(n_relations=n_lost), stacklevel=4)
        self.counts["lost"] += n_lost

    def _count(self, status: str) -> None:
        self.counts[status] += 1
        if self.counts[status] == 1:
            warnings.warn(Warnings.W007.format(status=status), stacklevel=4)


def create_mixed_targets_v1(mode: str = "positives_only") -> MixedTargets:
    """How labels become targets, by the label status of their document.

    mode: "positives_only" or "closed_world", see MixedTargets.
    """
    return MixedTargets(mode=mode)


def positive_cells(
    doc: Doc, reference: Doc, label_index: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair (row-major, without the diagonal) and label of every relation of `reference`: each (n,).

    Relations whose label is unknown, or whose entities `doc` does not have, are left out.
    """
    entities = entities_or_ents(doc)
    matches = match_entities(doc, entities, reference, get_entities(reference), strict=False)
    index = {matches[e.id]: i for i, e in enumerate(entities) if e.id in matches}
    cells = [
        (index[h] * (len(entities) - 1) + index[t] - (index[t] > index[h]), label_index[label])
        for h, label, t in get_triples(reference)
        if h in index and t in index and label in label_index
    ]
    array = np.array(cells, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]
