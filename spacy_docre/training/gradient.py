"""Where autograd crosses into thinc: the loss on targets and teachers."""

from typing import cast

import torch
from thinc.api import torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..errors import Errors
from ..features.targets import PairTargets
from ..losses import MarginLoss
from ..losses.base import FAR_BELOW
from ..losses.distillation import Objective, symmetric_kl
from ..types import PairLogits


def loss_and_gradient(
    loss: MarginLoss,
    logits: PairLogits,
    targets: PairTargets,
    *,
    loss_weight: float = 1.0,
    objective: Objective | None = None,
    rdrop_alpha: float = 0.0,
    learned_threshold: bool = True,
) -> tuple[float, PairLogits]:
    """The loss of a batch and its gradient with respect to the logits.

    logits (n_pairs, 1 + n_labels), or (2 · n_pairs, 1 + n_labels) from two passes with dropout (R-Drop).
    objective: added for the pairs that a teacher knows.
    rdrop_alpha: weight of how far two passes are apart (Liang et al. 2021, eq. 3, with label-wise divergence).
    learned_threshold: whether there is a threshold logit; else the objective is of the teacher's margins.

    Raises ValueError for soft targets and a loss that does not take them.
    """
    if loss_weight and not loss.soft and targets.soft:
        raise ValueError(Errors.E118.format(loss=type(loss).__name__))
    leaf = xp2torch(logits, requires_grad=True)
    values = torch.from_numpy(targets.values).to(leaf.device)
    known = None if targets.known is None else torch.from_numpy(targets.known).to(leaf.device)
    passes = leaf.split(len(values)) if len(values) else (leaf,)
    margins = [rows[:, 1:] - rows[:, :1] for rows in passes]  # (n_pairs, n_labels) each
    parts = [loss_weight * loss(_only(m, known), values) if loss_weight else 0 * m.sum() for m in margins]
    if objective is not None and targets.teacher is not None:
        taught = torch.from_numpy(targets.taught).to(leaf.device)
        teacher = torch.from_numpy(targets.teacher).to(leaf.device)[taught]
        teacher = teacher if learned_threshold else only_margins(teacher)
        parts += [objective(rows[taught], teacher) for rows in passes]
    value = torch.stack(parts).sum() / len(passes)
    if len(passes) == 2:
        value = value + 0.5 * rdrop_alpha * symmetric_kl(*margins).mean()
    (gradient,) = torch.autograd.grad(value, leaf)
    return float(value.detach()), cast(Floats2d, torch2xp(gradient))


def only_margins(logits: Tensor) -> Tensor:
    """The same margins at a threshold of 0: what a student can learn that has no threshold logit."""
    return logits - logits[:, :1]


def _only(margins: Tensor, known: Tensor | None) -> Tensor:
    """Margins of unknown cells are far below 0, without a gradient."""
    return margins if known is None else torch.where(known, margins, torch.full_like(margins, FAR_BELOW))
