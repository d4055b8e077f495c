"""Loss `spacy-docre.BCE.v1`."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..errors import Errors
from .base import FAR_BELOW, PairLoss


class BinaryCrossEntropy(PairLoss):
    """`Σ_r w·y·softplus(-d) + (1 - y)·softplus(d)`, summed over labels, for each pair; soft targets too.

    A label at d = 0 costs log 2, whatever its target (w = 1).
    """

    soft = True

    def __init__(self, *, pos_weight: float, label_smoothing: float) -> None:
        if pos_weight <= 0:
            raise ValueError(Errors.E092.format(loss="BCE", name="pos_weight", expected="> 0", value=pos_weight))
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                Errors.E092.format(loss="BCE", name="label_smoothing", expected="in [0, 1)", value=label_smoothing)
            )
        self.pos_weight = pos_weight
        self.label_smoothing = label_smoothing

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        smoothed = targets * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        targets = torch.where(margins > FAR_BELOW, smoothed, targets)
        # softplus(d) = -logsigmoid(-d), and softplus(-d) = softplus(d) - d: one of them for both sides.
        cost = -logsigmoid(-margins)
        weight = (1 - targets) + self.pos_weight * targets
        return (weight * cost - self.pos_weight * targets * margins).sum(-1)


def build_bce_v1(pos_weight: float = 1.0, label_smoothing: float = 0.0) -> BinaryCrossEntropy:
    """Binary cross-entropy per label. pos_weight: weight of positives; label_smoothing: towards ½."""
    return BinaryCrossEntropy(pos_weight=pos_weight, label_smoothing=label_smoothing)
