"""Loss `spacy-docre.Focal.v1`."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from ..errors import Errors
from .base import PairLoss


class FocalLoss(PairLoss):
    """`Σ_r -α·y·(1 - p)^γ·log p - (1 - α)·(1 - y)·p^γ·log(1 - p)`, `p = σ(d)`, for each pair; soft targets too.

    Lin et al. 2017, eq. 5: cells that are right already weigh little. α belongs to the positives. At d = 0, with α = ½
    and γ = 2, a label costs log(2)/8 whatever its target.
    """

    soft = True

    def __init__(self, *, gamma: float, alpha: float) -> None:
        if gamma < 0:
            raise ValueError(Errors.E092.format(loss="Focal", name="gamma", expected=">= 0", value=gamma))
        if not 0 < alpha < 1:
            raise ValueError(Errors.E092.format(loss="Focal", name="alpha", expected="in (0, 1)", value=alpha))
        self.gamma = gamma
        self.alpha = alpha

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        log_p, log_not_p = logsigmoid(margins), logsigmoid(-margins)
        # (1 - p)^γ by its logarithm: pow has nan gradients where 1 - p underflows
        positive = -self.alpha * (self.gamma * log_not_p).exp() * log_p
        negative = (self.alpha - 1) * (self.gamma * log_p).exp() * log_not_p
        return (targets * positive + (1 - targets) * negative).sum(-1)


def build_focal_v1(gamma: float = 2.0, alpha: float = 0.5) -> FocalLoss:
    """Focal loss. gamma: how little easy cells weigh; alpha: the share of the positives (0.25 lowers them)."""
    return FocalLoss(gamma=gamma, alpha=alpha)
