"""Loss `spacy-docre.AdaptiveFocal.v1`."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from ..errors import Errors
from .base import PairLoss
from .negatives import log1p_sum_exp_weighted


class AdaptiveFocalLoss(PairLoss):
    """`log(1 + Σ_neg e^d) + Σ_pos w·softplus(-d)`, `w = 1 + (1 - σ(d))^γ`, for each pair.

    KD-DocRE (Tan et al. 2022, §3.3): as ATL, but positives do not compete with each other, and hard
    ones weigh more. The text has `w = (1 - σ(d))^γ`; the released code, which gave the published
    figures, adds 1. A negative at d = 0 costs log 2, a positive there 1.5 · log 2 (γ = 1).
    Soft targets t weigh both sides: `log(1 + Σ (1-t)·e^d) + Σ t·w·softplus(-d)`.
    """

    soft = True

    def __init__(self, *, gamma: float, plus_one: bool) -> None:
        if gamma < 0:
            raise ValueError(Errors.E092.format(loss="AdaptiveFocal", name="gamma", expected=">= 0", value=gamma))
        self.gamma = gamma
        self.plus_one = plus_one

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        # (1 - σ(d))^γ by logsigmoid: pow has nan gradients where 1 - σ(d) underflows.
        weight = (self.gamma * logsigmoid(-margins)).exp() + float(self.plus_one)
        positives = (targets * weight * -logsigmoid(margins)).sum(-1)
        return log1p_sum_exp_weighted(margins, 1 - targets) + positives


def build_adaptive_focal_v1(gamma: float = 1.0, plus_one: bool = True) -> AdaptiveFocalLoss:
    """Adaptive focal loss. gamma: how much harder positives weigh; plus_one: as in the released code."""
    return AdaptiveFocalLoss(gamma=gamma, plus_one=plus_one)
