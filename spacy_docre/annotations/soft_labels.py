"""Teachers' logits beside a Doc: plain data in `doc.user_data`, read and written only here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..errors import Errors
from .relations import get_title

TEACHERS_KEY = "docre_teachers"
LARGEST = float(np.finfo(np.float16).max)
UNCALIBRATED = (1.0, 0.0)


@dataclass(frozen=True)
class SoftLabels:
    """What one teacher says of one document's pairs.

    teacher: its name
    labels: its relation labels, in the order of the columns
    entity_ids: the document's entities as the teacher saw them, in its order (n_entities,)
    logits: (n_entities · (n_entities - 1), 1 + n_labels), row-major over pairs, column 0 the threshold; kept in float16
    calibration: scale and offset; a label's probability is σ(scale · margin + offset)
    """

    teacher: str
    labels: tuple[str, ...]
    entity_ids: tuple[str, ...]
    logits: NDArray[np.floating[Any]]
    calibration: tuple[float, float] = UNCALIBRATED

    def aligned(self, entity_ids: Sequence[str], labels: Sequence[str]) -> NDArray[np.float32]:
        """The logits in another order of entities and labels: (n_pairs, 1 + n_labels).

        Pairs with an entity that the teacher did not see are nan. Raises ValueError, with the labels, if the teacher
        lacks any of them.
        """
        missing = [label for label in labels if label not in self.labels]
        if missing:
            raise ValueError(Errors.E110.format(teacher=self.teacher, missing=", ".join(missing), n=len(missing)))
        column = {label: i for i, label in enumerate(self.labels, start=1)}
        columns = np.array([0, *(column[label] for label in labels)], dtype=np.int64)
        logits = self.logits[:, columns].astype(np.float32)
        if tuple(entity_ids) == self.entity_ids:
            return logits
        place = {id_: i for i, id_ in enumerate(self.entity_ids)}
        index = np.array([place.get(id_, -1) for id_ in entity_ids], dtype=np.int64)
        head, tail = np.nonzero(~np.eye(len(index), dtype=bool))
        head, tail = index[head], index[tail]  # (n_pairs,) among the teacher's entities
        known = (head >= 0) & (tail >= 0)
        rows = head * (len(self.entity_ids) - 1) + tail - (tail > head)
        out = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        out[known] = logits[rows[known]]
        return out


def get_soft_labels(doc: Doc) -> tuple[SoftLabels, ...]:
    """What teachers have said of the document, in the order of their saying."""
    return tuple(_from_plain(stored) for stored in doc.user_data.get(TEACHERS_KEY, ()))


def set_soft_labels(doc: Doc, soft_labels: Iterable[SoftLabels]) -> None:
    """Set them, in place of earlier ones.

    Raises ValueError if logits do not fit entities and labels, or are no numbers.
    """
    doc.user_data[TEACHERS_KEY] = [_to_plain(soft, get_title(doc)) for soft in soft_labels]


def _to_plain(soft: SoftLabels, title: str) -> dict[str, Any]:
    n = len(soft.entity_ids)
    expected = (n * max(0, n - 1), 1 + len(soft.labels))
    if soft.logits.shape != expected:
        raise ValueError(Errors.E111.format(teacher=soft.teacher, found=soft.logits.shape, expected=expected))
    if n_nan := int(np.isnan(soft.logits).sum()):
        raise ValueError(Errors.E145.format(teacher=soft.teacher, title=title, n=n_nan, size=soft.logits.size))
    return {
        "teacher": soft.teacher,
        "labels": list(soft.labels),
        "entity_ids": list(soft.entity_ids),
        "logits": np.clip(soft.logits, -LARGEST, LARGEST).astype("<f2").tobytes(),  # never inf
        "calibration": list(soft.calibration),
    }


def _from_plain(stored: Mapping[str, Any]) -> SoftLabels:
    labels, ids = tuple(stored["labels"]), tuple(stored["entity_ids"])
    logits = np.frombuffer(stored["logits"], dtype="<f2").reshape(-1, 1 + len(labels))
    scale, offset = stored.get("calibration", UNCALIBRATED)
    return SoftLabels(stored["teacher"], labels, ids, logits, (scale, offset))
