"""What the teachers of a document say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import get_soft_labels


@dataclass(frozen=True)
class TeacherView:
    """Means over teachers, nan for pairs that none has seen.

    logits: (n_pairs, 1 + n_labels), column 0 the threshold
    log_odds: log(p / (1 - p)) for the calibrated probability of each label (n_pairs, n_labels)
    slope: how much the log odds grow with the margin (n_pairs, 1)
    """

    logits: NDArray[np.float32]
    log_odds: NDArray[np.float32]
    slope: NDArray[np.float32]

    @property
    def margins(self) -> NDArray[np.float32]:
        return self.logits[:, 1:] - self.logits[:, :1]


def ask_teachers(
    reference: Doc, entity_ids: Sequence[str], labels: Sequence[str], weights: Mapping[str, float]
) -> TeacherView | None:
    """What they say of a document's pairs, or None if it has no soft labels.

    weights: of teachers by name, 1 where not given; 0 leaves one out. Raises ValueError if a teacher lacks a label.
    """
    found = [s for s in get_soft_labels(reference) if weights.get(s.teacher, 1.0) > 0]
    if not found:
        return None
    weight = np.array([weights.get(s.teacher, 1.0) for s in found], dtype=np.float32)[:, None, None]
    logits = np.stack([s.aligned(entity_ids, labels) for s in found])  # (n_teachers, n_pairs, 1 + n_labels)
    scale, offset = np.array([s.calibration for s in found], dtype=np.float32).T[:, :, None, None]
    log_odds = scale * (logits[..., 1:] - logits[..., :1]) + offset
    weight = weight * ~np.isnan(logits[..., :1])  # (n_teachers, n_pairs, 1)
    with np.errstate(invalid="ignore"):  # nan for pairs that none has seen
        means = [(weight * np.nan_to_num(x)).sum(0) / weight.sum(0) for x in (logits, log_odds, scale)]
    return TeacherView(*means)
