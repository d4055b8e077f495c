"""Loss `spacy-docre.ZLPR.v1`."""

import torch
from torch import Tensor

from .base import PairLoss
from .negatives import log1p_sum_exp_weighted


class ZLPRLoss(PairLoss):
    """`log(1 + Σ (1-t)·e^d) + log(1 + Σ t·e^-d)`, for each pair: zero-bounded log-sum-exp and pairwise rank-based.

    Su et al. 2022, eq. 6 (targets t of 0 and 1) and §3.4 (soft targets). One positive and one negative at d = 0 cost
    log 2 each. It is least where t = σ(2d), so that is its probability.
    """

    soft = True

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        return log1p_sum_exp_weighted(margins, 1 - targets) + log1p_sum_exp_weighted(-margins, targets)

    def probability(self, margins: Tensor) -> Tensor:
        return torch.sigmoid(2 * margins)


def build_zlpr_v1() -> ZLPRLoss:
    """ZLPR loss, for hard and soft targets."""
    return ZLPRLoss()
