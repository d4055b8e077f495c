"""Margins to relations."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..annotations import Entity
from ..features.pair_batch import off_diagonal
from ..features.schema import Rules
from ..types import TokenRange

Cells = tuple[NDArray[np.int64], NDArray[np.int64]]  # pair indices and label indices (n,), of relations


@dataclass(frozen=True)
class DocPrediction:
    """What the model says of one document.

    entities: as in the document, or grouped from `doc.ents` where it has none
    relations: (head index, label index, tail index, score), row-major over pairs
    evidence: of each relation; none before it was looked for
    """

    entities: tuple[Entity, ...]
    relations: list[tuple[int, int, int, float]]
    evidence: list[list[TokenRange]] = field(default_factory=list)


@dataclass(frozen=True)
class Decoder:
    """What becomes a relation, and how sure it is.

    thresholds (n_labels,): a label is predicted where its margin is larger
    max_labels: for one ordered pair, those furthest above their thresholds
    probability: of a label's margin; calibration: scale, and offsets (n_labels,), of σ(scale · margin + offset) instead
    rules: which types a label is between, and what is added for it
    """

    thresholds: NDArray[np.float32]
    max_labels: int
    probability: Callable[[Tensor], Tensor]
    calibration: tuple[float, NDArray[np.float32]] | None = None
    rules: Rules | None = None

    def __call__(self, entities: tuple[Entity, ...], logits: NDArray[np.float32]) -> DocPrediction:
        """logits (n_pairs, 1 + n_labels)"""
        margins = logits[:, 1:] - logits[:, :1]  # (n_pairs, n_labels)
        if self.rules is None:
            cells = decode(margins, thresholds=self.thresholds, max_labels=self.max_labels)
            return make_prediction(entities, *cells, self.scores(margins, cells))
        excess = margins - self.thresholds
        implied = self.apply_rules(self.rules, entities, margins, excess)
        cells = decode(excess, thresholds=np.zeros_like(self.thresholds), max_labels=self.max_labels)
        return make_prediction(entities, *cells, np.maximum(self.scores(margins, cells), implied[cells]))

    def scores(self, margins: NDArray[np.float32], cells: Cells) -> NDArray[np.float32]:
        """The probabilities of some cells (n,)"""
        found = torch.from_numpy(margins[cells])
        if self.calibration is None:
            return self.probability(found).numpy()
        scale, offsets = self.calibration
        return torch.sigmoid(scale * found + torch.from_numpy(offsets[cells[1]])).numpy()

    def apply_rules(
        self, rules: Rules, entities: tuple[Entity, ...], margins: NDArray[np.float32], excess: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Change `excess`, in place: forbidden cells are -inf, inverses as high as what they are the inverse of.

        Returns the scores that inverses have from there (n_pairs, n_labels), 0 for other cells.
        """
        head, tail = off_diagonal(len(entities))
        allowed = rules.allowed_cells([e.label for e in entities], head, tail)
        excess[~allowed] = -np.inf
        pairs, labels = np.nonzero((excess > 0) & (rules.inverse >= 0))
        turned = tail * (len(entities) - 1) + head - (head > tail)  # where the pair (tail, head) is
        to = (turned[pairs], rules.inverse[labels])
        kept = allowed[to]
        to, source = (to[0][kept], to[1][kept]), (pairs[kept], labels[kept])
        np.maximum.at(excess, to, excess[source])
        scores = np.zeros(margins.shape, dtype=np.float32)
        np.maximum.at(scores, to, self.scores(margins, source))
        return scores


def decode(margins: NDArray, *, thresholds: NDArray, max_labels: int) -> Cells:
    """The cells whose margin is above the label's threshold, at most `max_labels` per pair, the furthest above first.

    margins (n_pairs, n_labels), thresholds (n_labels,) -> pair and label indices (n,), ordered by pair, then excess.
    """
    # nonzero of two axes takes ten times as long as of one
    pairs, labels = np.divmod(np.flatnonzero(margins > thresholds), max(1, margins.shape[1]))
    order = np.lexsort((thresholds[labels].astype(float) - margins[pairs, labels], pairs))  # thresholds may be large
    pairs, labels = pairs[order], labels[order]
    first_of_pair = np.searchsorted(pairs, pairs)
    keep = np.arange(len(pairs)) - first_of_pair < max_labels
    return pairs[keep], labels[keep]


def make_prediction(entities: tuple[Entity, ...], pairs: NDArray, labels: NDArray, scores: NDArray) -> DocPrediction:
    head, tail = off_diagonal(len(entities))
    rows = zip(head[pairs].tolist(), labels.tolist(), tail[pairs].tolist(), scores.tolist())
    return DocPrediction(entities, list(rows))
