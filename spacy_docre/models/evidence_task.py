"""Evidence as a second task of the head in training."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch

from ..features.evidence_targets import EvidenceRows
from ..features.pair_batch import Ints
from ..layers.evidence import EvidenceTensors


class EvidenceTask:
    """What attention learns from in the next pass of a model, and what came of it.

    rows: evidence of the batch; None for nothing to learn. weight: of the mean loss of pairs.
    loss: of the last update, weighted; of all passes of the head together.
    """

    def __init__(self) -> None:
        self.rows: EvidenceRows | None = None
        self.weight = 0.0
        self.loss = 0.0

    def begin(self, rows: EvidenceRows, weight: float) -> None:
        self.rows = rows if len(rows) else None
        self.weight, self.loss = weight, 0.0

    def end(self) -> float:
        """Returns the loss."""
        loss, self.rows, self.loss = self.loss, None, 0.0
        return loss

    def grids(self, groups: Sequence[Ints], device: torch.device) -> list[EvidenceTensors] | None:
        """The rows of each group of documents, scaled so that the losses of all add up to the weighted mean."""
        if self.rows is None:
            return None
        rows, scale = self.rows, self.weight / float(self.rows.weight.sum())
        out = []
        for group in groups:
            place = np.full(int(rows.doc.max()) + 1, -1)
            inside = group < len(place)
            place[group[inside]] = np.flatnonzero(inside)
            chosen = place[rows.doc] >= 0
            arrays = {f.name: getattr(rows, f.name)[chosen] for f in fields(EvidenceRows)}
            arrays["doc"], arrays["weight"] = place[arrays["doc"]], arrays["weight"] * np.float32(scale)
            out.append(EvidenceTensors(**{name: torch.from_numpy(x).to(device) for name, x in arrays.items()}))
        return out
