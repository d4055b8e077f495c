"""The one place where autograd crosses into thinc."""

from typing import cast

import torch
from thinc.api import torch2xp, xp2torch
from thinc.types import Floats2d

from ..features.targets import PairTargets
from ..losses import MarginLoss
from ..losses.base import FAR_BELOW
from ..types import PairLogits


def loss_and_gradient(loss: MarginLoss, logits: PairLogits, targets: PairTargets) -> tuple[float, PairLogits]:
    """The loss of a batch and its gradient with respect to the logits (n_pairs, 1 + n_labels)."""
    leaf = xp2torch(logits, requires_grad=True)
    margins = leaf[:, 1:] - leaf[:, :1]  # (n_pairs, n_labels)
    if targets.known is not None:
        known = torch.from_numpy(targets.known).to(leaf.device)
        margins = torch.where(known, margins, torch.full_like(margins, FAR_BELOW))
    value = loss(margins, torch.from_numpy(targets.values).to(leaf.device))
    (gradient,) = torch.autograd.grad(value, leaf)
    return float(value.detach()), cast(Floats2d, torch2xp(gradient))
