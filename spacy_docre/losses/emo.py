"""Loss `spacy-docre.EMO.v1`."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import Errors
from ..label_files import read_costs
from .base import PairLoss


class EarthMoverLoss(PairLoss):
    """`½·(CE + sg(CE / EMO)·EMO)`, `EMO = Σ_ij p_i·τ_j·c_ij`, for each pair: confusions cost what labels differ.

    Ren et al. 2024, eq. 7-9. p is the softmax over the threshold (at 0) and the labels (at d), τ is uniform over the
    gold labels, or all on the threshold where there is none. c is 0 on the diagonal, 1 between the threshold and a
    label, and between labels what `costs` says, 1 without it. The value equals CE (sg: no gradient); one negative
    at d = 0 costs log 2. Like any softmax it ranks: what is not gold need not fall below the threshold where gold is.
    """

    def __init__(self, *, costs: Path | None) -> None:
        self.path = costs
        self.costs: Tensor | None = None
        self.labels: tuple[str, ...] = ()

    def bind(self, labels: Sequence[str]) -> None:
        if self.path is not None and tuple(labels) != self.labels:
            self.costs = read_costs(self.path, labels)
            self.labels = tuple(labels)

    def per_pair(self, margins: Tensor, targets: Tensor) -> Tensor:
        gold = (targets > 0).to(margins.dtype)
        gold = torch.cat([1 - gold.amax(-1, keepdim=True), gold], dim=-1)  # (n_pairs, 1 + n_labels)
        gold = gold / gold.sum(-1, keepdim=True)
        log_p = pad(margins, (1, 0)).log_softmax(-1)
        cross_entropy = -(gold * log_p).sum(-1)
        moved = (log_p.exp() * (gold @ self._matrix(margins).T)).sum(-1)
        ratio = cross_entropy.detach() / moved.detach().clamp(min=1e-8)
        return (cross_entropy + ratio * moved) / 2

    def _matrix(self, margins: Tensor) -> Tensor:
        """(1 + n_labels, 1 + n_labels)"""
        n_labels = margins.shape[-1]
        if self.path is not None and self.costs is None:
            raise ValueError(Errors.E096.format(loss="EMO", path=self.path))
        if self.costs is None:
            return 1 - torch.eye(1 + n_labels, dtype=margins.dtype, device=margins.device)
        matrix = pad(self.costs.to(margins), (1, 0, 1, 0), value=1.0)
        return matrix.fill_diagonal_(0)


def build_emo_v1(costs: str | Path | None = None) -> EarthMoverLoss:
    """Earth mover's distance between labels. costs: file of `spacy docre embed-labels`; None: 1 between any two."""
    return EarthMoverLoss(costs=None if costs is None else Path(costs))
