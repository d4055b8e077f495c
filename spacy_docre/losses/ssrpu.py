"""Loss `spacy-docre.SSRPU.v1`."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import Errors
from ..label_files import read_priors
from .base import FAR_BELOW, MarginLoss

MAX_PRIOR = 0.99


class SquaredRankingPU(MarginLoss):
    """Squared ranking loss for positive-unlabelled data: a pair without a label may have it all the same.

    Wang et al. 2022 (SSR-PU), §3.3-3.4. For each label, with the prior π_o of being true, π_l of being labelled, and
    `π_u = (π_o - π_l)/(1 - π_l)`, means over labelled pairs P and the others U, and `ℓ±(d) = ¼(±d - m)²`:

        risk⁻ = (1 - π_o)/(1 - π_u)·E_U[ℓ⁻] - π_u·(1 - π_o)/(1 - π_u)·E_P[ℓ⁻]
        risk⁺ = π_o·√((1 - π_o)/π_o)·E_P[ℓ⁺]

    The loss is their sum over labels; where risk⁻ < 0, only -γ·risk⁻. Without a file of priors, π_l is the label's
    share in the batch and π_o is `ratio` times that, at most 0.99; π_u is at least 0 (labels given too often). A label
    without any positive, at d = 0, m = ¼, costs 1/64.
    """

    def __init__(self, *, priors: Path | None, ratio: float, margin: float, gamma: float) -> None:
        for name, value, least in (("ratio", ratio, 1), ("margin", margin, 0), ("gamma", gamma, 0)):
            if value < least:
                raise ValueError(Errors.E092.format(loss="SSRPU", name=name, expected=f">= {least}", value=value))
        self.path = priors
        self.ratio = ratio
        self.margin = margin
        self.gamma = gamma
        self.priors: Tensor | None = None
        self.labels: tuple[str, ...] = ()

    def bind(self, labels: Sequence[str]) -> None:
        if self.path is not None and tuple(labels) != self.labels:
            self.priors = read_priors(self.path, labels)
            self.labels = tuple(labels)

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        labelled = targets > 0
        unlabelled = ~labelled & (margins > FAR_BELOW)
        n_labelled, n_unlabelled = labelled.sum(0), unlabelled.sum(0)  # (n_labels,)
        true, known = self._priors(n_labelled, n_unlabelled, margins)
        hidden = ((true - known) / (1 - known)).clamp(min=0)  # π_u; labels that are hardly ever left out have none
        factor = (1 - true) / (1 - hidden)
        as_negative = (margins + self.margin).square() / 4
        negative_u = as_negative.masked_fill(~unlabelled, 0).sum(0) / n_unlabelled.clamp(min=1)
        negative_p = as_negative.masked_fill(~labelled, 0).sum(0) / n_labelled.clamp(min=1)
        as_positive = (margins - self.margin).square() / 4
        positive = as_positive.masked_fill(~labelled, 0).sum(0) / n_labelled.clamp(min=1)
        risk = factor * negative_u - hidden * factor * negative_p
        both = risk + (true * (1 - true)).sqrt() * positive
        return torch.where(risk < 0, -self.gamma * risk, both).sum()

    def _priors(self, n_labelled: Tensor, n_unlabelled: Tensor, margins: Tensor) -> tuple[Tensor, Tensor]:
        """π_o and π_l of every label: (n_labels,) each"""
        if self.path is not None and self.priors is None:
            raise ValueError(Errors.E096.format(loss="SSRPU", path=self.path))
        if self.priors is not None:
            true, known = self.priors.to(margins)
            return true.clamp(max=MAX_PRIOR), known
        known = n_labelled.to(margins.dtype) / (n_labelled + n_unlabelled).clamp(min=1)
        known = known.clamp(max=MAX_PRIOR)
        return (self.ratio * known).clamp(max=MAX_PRIOR), known


def build_ssrpu_v1(
    priors: str | Path | None = None, ratio: float = 3.0, margin: float = 0.25, gamma: float = 1.0
) -> SquaredRankingPU:
    """Squared ranking loss for positive-unlabelled data.

    priors: file of `spacy docre priors`; None: `ratio` times as many are true as are labelled, for every label.
    margin: m; gamma: the weight of labels whose risk has become negative.
    """
    return SquaredRankingPU(priors=None if priors is None else Path(priors), ratio=ratio, margin=margin, gamma=gamma)
