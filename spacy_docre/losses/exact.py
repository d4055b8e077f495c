"""Loss `spacy-docre.EXACT.v1`."""

from math import sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import Errors
from .base import FAR_BELOW, MarginLoss

FORMS = ("binary", "single")
N_NODES = 32  # of the quadrature: exact to 2e-10 with one label, 2e-5 with 96
MIN_WEIGHT = 1e-13  # nodes that weigh less change nothing
CERTAIN = 40.0  # Φ(40) is 1, and its slope 0


class BinaryExactLoss(MarginLoss):
    """Expected errors under Gaussian noise, positives and negatives balanced: `½ mean_pos Φ(-d/s) + ½ mean_neg Φ(d/s)`.

    Karpukhin et al. 2022, §3.1, for two classes with noise of standard deviation σ on both scores: s = σ√2. Over all
    cells of the batch; a soft target counts as so much of a positive. A positive and a negative at d = 0 cost ½.
    Slopes vanish where an example is badly wrong (2e-9 at d = -6): a loss for fine-tuning.
    """

    soft = True

    def __init__(self, *, sigma: float) -> None:
        self.scale = sigma * sqrt(2)

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        absent = ((1 - targets) * (margins > FAR_BELOW)).sum()
        wrong = torch.special.ndtr(margins / self.scale)  # of negatives; 1 - it of positives
        positives = (targets * (1 - wrong)).sum() / targets.sum().clamp(min=1e-8)
        negatives = ((1 - targets) * wrong).sum() / absent.clamp(min=1e-8)
        return (positives + negatives) / 2

    def probability(self, margins: Tensor) -> Tensor:
        return torch.special.ndtr(margins / self.scale)


class SingleExactLoss(MarginLoss):
    """`1 - P(the gold label scores highest)` under Gaussian noise of deviation σ on every score, for each pair.

    Karpukhin et al. 2022, eq. 5: `P = ∫ φ(z) Π_j Φ((s_gold - s_j)/σ + z) dz`, here by Gauss–Hermite quadrature. Scores
    are 0 for the threshold and d for the labels. Gold is the threshold where a pair has no label; with several, the
    mean over them, each against what is not gold. One negative at d = 0 costs ½.
    """

    def __init__(self, *, sigma: float) -> None:
        self.sigma = sigma
        nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
        weights = weights / weights.sum()
        self.nodes = torch.from_numpy(nodes[weights > MIN_WEIGHT])
        self.log_weights = torch.from_numpy(np.log(weights[weights > MIN_WEIGHT]))

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        scores = pad(margins, (1, 0))  # (n_pairs, 1 + n_labels), the threshold first
        is_gold = torch.cat([~(targets > 0).any(-1, keepdim=True), targets > 0], dim=-1)
        pair, gold = is_gold.nonzero(as_tuple=True)  # one row for every gold label of a pair
        ahead = (scores[pair, gold].unsqueeze(-1) - scores[pair]) / self.sigma
        ahead = ahead.masked_fill(is_gold[pair], CERTAIN)  # (n_rows, 1 + n_labels)
        log_right = _LogRight.apply(ahead, self.nodes.to(ahead), self.log_weights.to(ahead))
        wrong = -torch.expm1(log_right.clamp(max=0))
        share = is_gold.sum(-1)[pair] * len(margins)
        return (wrong / share).sum()

    def probability(self, margins: Tensor) -> Tensor:
        return torch.special.ndtr(margins / (self.sigma * sqrt(2)))


class _LogRight(torch.autograd.Function):
    """`log Σ_k w_k Π_j Φ(a_j + z_k)`: (n_rows, n_others) -> (n_rows,), without a copy of `a` for every node."""

    @staticmethod
    def forward(ctx, ahead: Tensor, nodes: Tensor, log_weights: Tensor) -> Tensor:
        sums = [torch.special.log_ndtr(ahead + z).sum(-1) for z in nodes]
        terms = torch.stack(sums, dim=-1) + log_weights  # (n_rows, n_nodes)
        value = terms.logsumexp(-1)
        ctx.save_for_backward(ahead, nodes, (terms - value.unsqueeze(-1)).exp())
        return value

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        ahead, nodes, shares = ctx.saved_tensors
        slope = torch.zeros_like(ahead)
        for z, share in zip(nodes, shares.unbind(-1)):
            at = (ahead + z).clamp(-1e3, 1e3)
            log_density = -0.5 * at.square() - 0.9189385332046727  # log √(2π)
            slope += share.unsqueeze(-1) * (log_density - torch.special.log_ndtr(at)).exp()
        return gradient.unsqueeze(-1) * slope, None, None


def build_exact_v1(form: str = "binary", sigma: float = 1.0) -> MarginLoss:
    """Expected error rate, a loss for fine-tuning.

    form: "binary", every label by itself, for pairs with any number of labels; "single", the label (or none) that
        scores highest. sigma: standard deviation of the noise; larger ones reach examples that are further wrong.
    """
    if sigma <= 0:
        raise ValueError(Errors.E092.format(loss="EXACT", name="sigma", expected="> 0", value=sigma))
    if form not in FORMS:
        raise ValueError(Errors.E092.format(loss="EXACT", name="form", expected=" or ".join(FORMS), value=form))
    return BinaryExactLoss(sigma=sigma) if form == "binary" else SingleExactLoss(sigma=sigma)
