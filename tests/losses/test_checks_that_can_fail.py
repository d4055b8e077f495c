"""What a loss promises of training, on problems where it could go wrong."""

from itertools import pairwise
from math import sqrt

import pytest
import torch

from spacy_docre.losses import MarginLoss, build_loss

TVERSKY, DSC = "spacy-docre.Tversky.v1", "spacy-docre.DSC.v1"


def two_classes(n: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """A feature whose classes overlap: normal around 1 for a fifth of the pairs, around -0.5 for the others."""
    ranks = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    normal = sqrt(2) * torch.erfinv(2 * ranks - 1)
    feature = torch.cat([normal[:: n // 40] + 1, normal - 0.5])
    targets = torch.cat([torch.ones(40), torch.zeros(n)])
    return feature.unsqueeze(-1), targets.unsqueeze(-1)


def train_line(loss: MarginLoss, steps: int = 200) -> tuple[float, float]:
    """Precision and recall of the best `d = w·x + b`."""
    feature, targets = two_classes()
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([line], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(line[0] * feature + line[1], targets).backward()
        optimizer.step()
    found = (line[0] * feature + line[1] > loss.decision_margin).detach()
    hits = (found * targets).sum()
    return float(hits / found.sum()), float(hits / targets.sum())


def test_tversky_trades_precision_for_recall_as_beta_grows():
    betas = (0.2, 0.35, 0.5, 0.65, 0.8)
    precision, recall = zip(*(train_line(build_loss(TVERSKY, alpha=1 - beta, beta=beta)) for beta in betas))
    assert all(later < earlier - 0.05 for earlier, later in pairwise(precision))
    assert all(later > earlier + 0.05 for earlier, later in pairwise(recall))


def train_margins(loss: MarginLoss, starts: list[float], steps: int = 2000) -> list[float]:
    """Probabilities of positives whose margins follow their slopes from these starts."""
    margins = torch.tensor([starts], dtype=torch.float64)
    for _ in range(steps):
        leaf = margins.clone().requires_grad_()
        margins = margins - torch.autograd.grad(loss(leaf, torch.ones_like(leaf)), leaf)[0]
    return torch.sigmoid(margins)[0].tolist()


STARTS = [-3.0, -0.5, 0.5, 3.0]


def test_dsc_collapses_at_alpha_1():
    """Positives end at ½, those that were better as well."""
    with pytest.warns(UserWarning, match="docre-W011"):
        loss = build_loss(DSC, alpha=1.0)
    assert train_margins(loss, STARTS) == pytest.approx([0.5] * 4, abs=0.01)


def test_dsc_with_a_small_alpha_does_not():
    assert min(train_margins(build_loss(DSC), STARTS)) > 0.97
