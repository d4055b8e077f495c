"""Loss `spacy-docre.ATL.v1`."""

from torch import Tensor

from .base import PairLoss
from .negatives import log1p_sum_exp


class AdaptiveThresholdLoss(PairLoss):
    """`log(1 + Σ_neg e^d) + Σ_pos [log(1 + Σ_pos e^d) - d]`, for each pair.

    ATLOP (Zhou et al. 2021, eq. 8-9): positives should outrank the threshold, the threshold all
    negatives. One positive and one negative, both at d = 0, cost log 2 each.
    """

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        positive = targets > 0
        n_positive = positive.sum(-1)
        positives = n_positive * log1p_sum_exp(margins, positive) - margins.masked_fill(~positive, 0).sum(-1)
        return log1p_sum_exp(margins, ~positive) + positives


def build_atl_v1() -> AdaptiveThresholdLoss:
    """Adaptive thresholding loss."""
    return AdaptiveThresholdLoss()
