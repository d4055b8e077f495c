"""Loss `spacy-docre.PowerBCE.v1`."""

from math import log

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..errors import Errors
from .base import PairLoss


class PowerBinaryCrossEntropy(PairLoss):
    """Binary cross-entropy of `pⁿ`, `p = σ(d)`: `Σ_r -y·n·log p - (1 - y)·log(1 - pⁿ)`, for each pair; soft too.

    CasRel in bert4keras: rare positives start near 0 that way. With n = 2, a positive at d = 0 costs 2·log 2 and a
    negative log 4/3. A label is predicted where pⁿ > ½.
    """

    soft = True

    def __init__(self, *, power: int) -> None:
        if power < 1 or power != int(power):
            raise ValueError(Errors.E092.format(loss="PowerBCE", name="power", expected="1, 2, 3, …", value=power))
        self.power = int(power)
        root = 0.5 ** (1 / self.power)
        self.decision_margin = log(root) - log(1 - root)

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        # log(1 - pⁿ) = log(1 - p) + log(1 + p + … + pⁿ⁻¹), exact where pⁿ rounds to 1
        p = torch.sigmoid(margins)
        series = torch.ones_like(p)
        for _ in range(self.power - 1):
            series = series * p + 1
        cost = -logsigmoid(-margins)  # softplus(d), and softplus(-d) = softplus(d) - d
        positive = self.power * (cost - margins)
        return torch.lerp(cost - series.log(), positive, targets).sum(-1)

    def probability(self, margins: Tensor) -> Tensor:
        return torch.sigmoid(margins) ** self.power


def build_power_bce_v1(power: int = 2) -> PowerBinaryCrossEntropy:
    """Binary cross-entropy of a power of the probability. power: n = 1 is BCE, 2 and 4 are usual."""
    return PowerBinaryCrossEntropy(power=power)
