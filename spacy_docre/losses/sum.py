"""Loss `spacy-docre.Sum.v1`."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import Errors, Warnings
from .base import MarginLoss


class SumOfLosses(MarginLoss):
    """`Σ weight·loss`, each from its first step to before its last: several losses at once, or one after the other.

    Scores and decisions are those of the loss named by `decides`. Two losses of log 2 with weights 1 and ½ cost
    1.5·log 2.
    """

    def __init__(
        self,
        *,
        losses: Mapping[str, MarginLoss],
        weights: Mapping[str, float],
        start: Mapping[str, int],
        until: Mapping[str, int],
        decides: str,
    ) -> None:
        self.losses = dict(losses)
        for field, settings in (("weights", weights), ("start", start), ("until", until)):
            unknown = [name for name in settings if name not in losses]
            if unknown:
                expected = f"for losses among {', '.join(losses)}"
                raise ValueError(Errors.E092.format(loss="Sum", name=field, expected=expected, value=unknown))
        self.weights = {name: weights.get(name, 1.0) for name in losses}
        self.start = dict(start)
        self.until = dict(until)
        self.decides = self.losses[decides]
        self.decision_margin = self.decides.decision_margin
        self.soft = all(loss.soft for loss in self.losses.values())
        self.step: int | None = None

    def compute(self, margins: Tensor, targets: Tensor) -> Tensor:
        if self.step is None and (self.start or self.until):
            warnings.warn(Warnings.W012, stacklevel=5)
            self.step = 0
        step = self.step or 0
        parts = [self.weights[x] * loss(margins, targets) for x, loss in self.losses.items() if self.is_on(x, step)]
        if not parts:
            raise ValueError(Errors.E097.format(step=step, start=self.start, until=self.until))
        return torch.stack(parts).sum()

    def is_on(self, name: str, step: int) -> bool:
        """Whether the loss counts in this step."""
        return self.start.get(name, 0) <= step and (name not in self.until or step < self.until[name])

    def probability(self, margins: Tensor) -> Tensor:
        return self.decides.probability(margins)

    def bind(self, labels: Sequence[str]) -> None:
        for loss in self.losses.values():
            loss.bind(labels)

    def set_step(self, step: int) -> None:
        self.step = step
        for loss in self.losses.values():
            loss.set_step(step)


def build_sum_v1(
    losses: dict[str, Any],  # MarginLoss; before they are resolved, confection shows their blocks to the type check
    weights: dict[str, float] = {},
    start: dict[str, int] = {},
    until: dict[str, int] = {},
    decides: str | None = None,
) -> SumOfLosses:
    """Several losses with names of your choice, at once or one after the other.

    weights: 1 where not given; start, until: steps of training, which `spacy-docre.count_steps.v1` in
    [training.before_update] counts; decides: whose scores and decisions count, needed if they differ.
    """
    if not losses:
        raise ValueError(Errors.E092.format(loss="Sum", name="losses", expected="at least one", value=losses))
    if decides is None and len({_decision(loss) for loss in losses.values()}) > 1:
        expected = f"one of {', '.join(losses)}, because they read scores off margins in different ways"
        raise ValueError(Errors.E092.format(loss="Sum", name="decides", expected=expected, value=None))
    name = next(iter(losses)) if decides is None else decides
    if name not in losses:
        expected = f"one of {', '.join(losses)}"
        raise ValueError(Errors.E092.format(loss="Sum", name="decides", expected=expected, value=decides))
    return SumOfLosses(losses=losses, weights=weights, start=start, until=until, decides=name)


def _decision(loss: MarginLoss) -> tuple[float, ...]:
    """How it reads margins: equal for losses that agree."""
    scores = loss.probability(torch.linspace(-4, 4, 9, dtype=torch.float64))
    return (loss.decision_margin, *(round(x, 9) for x in scores.tolist()))
