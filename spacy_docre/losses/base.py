"""One interface for every loss: margins and targets in, a scalar out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import Errors

FAR_BELOW = -1e4  # the margin of a cell that says nothing: no loss and no gradient, as of a negative far below 0


class MarginLoss(ABC):
    """A loss on margins `d` (n_pairs, n_labels): label logit minus threshold logit.

    `loss(margins, targets) -> scalar`, at least in float32. Targets are in [0, 1].
    No pairs give 0, with a zero gradient. The inputs are not modified.
    """

    decision_margin: float = 0.0  # a label is predicted where its margin is larger
    soft: bool = False  # whether targets between 0 and 1 mean something; else any above 0 is 1

    def __call__(self, margins: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        """margins, targets (n_pairs, n_labels); mask (n_pairs,): which pairs count, all by default.

        Raises ValueError if the shapes do not fit.
        """
        if margins.ndim != 2 or margins.shape != targets.shape:
            raise ValueError(Errors.E090.format(margins=tuple(margins.shape), targets=tuple(targets.shape)))
        dtype = torch.promote_types(margins.dtype, torch.float32)
        margins, targets = margins.to(dtype), targets.to(dtype)
        if mask is not None:
            if mask.shape != margins.shape[:1]:
                raise ValueError(Errors.E091.format(mask=tuple(mask.shape), n_pairs=len(margins)))
            margins, targets = margins[mask.bool()], targets[mask.bool()]
        if margins.numel() == 0:
            return margins.sum()
        return self.compute(margins, targets)

    @abstractmethod
    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        """The loss of at least one pair, in float32 or float64: (n_pairs, n_labels) twice -> scalar"""

    def probability(self, margins: Tensor) -> Tensor:
        """The loss's own probability of each label, for `Relation.score`."""
        return torch.sigmoid(margins)

    def bind(self, labels: Sequence[str]) -> None:
        """Be told the labels, in the order of the columns. For losses that know something of single labels."""
        return

    def set_step(self, step: int) -> None:
        """Be told the step of training, counted from 0. For losses that change."""
        return


class PairLoss(MarginLoss):
    """A loss of single pairs: the mean over them."""

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        return self.per_pair(margins, targets).mean()

    @abstractmethod
    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        """(n_pairs, n_labels) twice -> (n_pairs,)"""
