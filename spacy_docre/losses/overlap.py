"""Losses Dice and Tversky (over a batch) and DSC (per cell): soft F1. Names: `spacy-docre.Dice.v1` and so on."""

import warnings

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..errors import Errors, Warnings
from .base import MarginLoss, PairLoss

MAX_DSC_ALPHA = 0.1


class DiceLoss(MarginLoss):
    """`1 - (2·Σpy + g) / (Σp² + Σy² + g)`, `p = σ(d)`, over all cells of the batch; soft targets too.

    Milletari et al. 2016, §3; Li et al. 2020, §3.2. Two labels at d = 0, one of them a positive, g = 1:
    1 - (2·½ + 1) / (½ + 1 + 1) = 0.2.
    """

    soft = True

    def __init__(self, *, smooth: float) -> None:
        self.smooth = _positive("Dice", "smooth", smooth)

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        p = torch.sigmoid(margins)
        overlap = 2 * (p * targets).sum() + self.smooth
        return 1 - overlap / (p.square().sum() + targets.square().sum() + self.smooth)


class TverskyLoss(MarginLoss):
    """`1 - (Σpy + g) / (Σpy + α·Σp(1-y) + β·Σ(1-p)y + g)`, `p = σ(d)`, over all cells of the batch; soft targets too.

    Salehi et al. 2017, eq. 2. α weighs false positives, β false negatives. 2 hits, 1 false alarm and 1 miss cost
    1 - 2 / (2 + 0.3 + 0.7) = ⅓ with α = 0.3, β = 0.7, and g near 0.
    """

    soft = True

    def __init__(self, *, alpha: float, beta: float, smooth: float) -> None:
        self.alpha = _positive("Tversky", "alpha", alpha)
        self.beta = _positive("Tversky", "beta", beta)
        self.smooth = _positive("Tversky", "smooth", smooth)

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        p = torch.sigmoid(margins)
        hits = (p * targets).sum()
        wrong = self.alpha * (p.sum() - hits) + self.beta * (targets.sum() - hits)
        return wrong / (hits + wrong + self.smooth)


class SelfAdjustingDiceLoss(PairLoss):
    """`Σ_r 1 - (2·q·y + g) / (q + y + g)`, `q = (1 - p)^α·p`, `p = σ(d)`, for each pair; soft targets too.

    Li et al. 2020, eq. 9 (DSC). q is largest at p = 1 / (1 + α): with α = 1, as printed there, a positive would be
    best at p = ½ and never better, so α should be small. At α → 0 and g = 1 a positive at d = 0 costs 1 - 2/2.5 = 0.2,
    a negative 1 - 1/1.5 = ⅓.
    """

    soft = True

    def __init__(self, *, alpha: float, smooth: float) -> None:
        if alpha < 0:
            raise ValueError(Errors.E092.format(loss="DSC", name="alpha", expected=">= 0", value=alpha))
        if alpha > MAX_DSC_ALPHA:
            best = 1 / (1 + alpha)
            warnings.warn(Warnings.W011.format(alpha=alpha, best=best, most=MAX_DSC_ALPHA), stacklevel=3)
        self.alpha = alpha
        self.smooth = _positive("DSC", "smooth", smooth)

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        # by logarithms: pow has nan gradients where 1 - p underflows
        q = (logsigmoid(margins) + self.alpha * logsigmoid(-margins)).exp()
        return ((q + targets - 2 * q * targets) / (q + targets + self.smooth)).sum(-1)


def build_dice_v1(smooth: float = 1.0) -> DiceLoss:
    """Dice loss over the batch. smooth: with a tiny one the slope explodes where nothing is found."""
    return DiceLoss(smooth=smooth)


def build_tversky_v1(alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0) -> TverskyLoss:
    """Tversky loss over the batch. alpha: weight of false positives; beta: of false negatives; ½ and ½ are Dice."""
    return TverskyLoss(alpha=alpha, beta=beta, smooth=smooth)


def build_dsc_v1(alpha: float = 0.01, smooth: float = 1.0) -> SelfAdjustingDiceLoss:
    """Self-adjusting Dice loss per cell. alpha: how little easy cells weigh; more than 0.1 is warned about."""
    return SelfAdjustingDiceLoss(alpha=alpha, smooth=smooth)


def _positive(loss: str, name: str, value: float) -> float:
    if value <= 0:
        raise ValueError(Errors.E092.format(loss=loss, name=name, expected="> 0", value=value))
    return value
