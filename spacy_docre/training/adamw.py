"""Optimizer `spacy-docre.AdamW.v1`."""

from collections.abc import Iterator
from typing import Any

import torch
from thinc.api import Optimizer, xp2torch
from thinc.backends import get_array_ops
from thinc.types import FloatsXd
from torch.optim.adamw import adamw

from ..errors import Errors
from ..memory import give_back_memory

HEAD_PREFIX = "docre_head."
THINC_BIAS = "b"  # two-dimensional in a Maxout layer
STEPS_PER_TRIM = 50


class AdamW(Optimizer):
    """Adam with decoupled weight decay, and a learning rate of its own for the relation head.

    Loshchilov and Hutter 2019. Biases, norms and other one-dimensional weights do not decay. The gradient of each
    tensor is clipped, not of all together. torch does the step, in one pass over a tensor and with all cores, where
    thinc takes several with one.
    """

    def __init__(self, learn_rate: Any, *, head_scale: float, **settings: Any) -> None:
        super().__init__(learn_rate, use_averages=False, **settings)
        self.head_scale = head_scale
        self.n_steps = 0

    def __call__(
        self, key: tuple[int, str], weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> tuple[FloatsXd, FloatsXd]:
        """The weights after a step, changed in place unless they are a view with gaps, and their gradient, 0 now."""
        if len(gradient) < 1:
            return weights, gradient
        if key[1].startswith(HEAD_PREFIX):
            lr_scale *= self.head_scale
        ops = get_array_ops(weights)
        if key not in self.mom1:
            self.mom1[key], self.mom2[key] = ops.alloc_f(weights.shape), ops.alloc_f(weights.shape)
        weights = ops.as_contig(weights)
        values, slope = xp2torch(weights), xp2torch(ops.as_contig(gradient))
        scale = None
        if self.grad_clip:
            scale = (torch.linalg.vector_norm(slope) / self.grad_clip).clamp_(min=1)
        adamw(
            [values],
            [slope],
            [xp2torch(self.mom1[key])],
            [xp2torch(self.mom2[key])],
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(float(self.nr_update[key]), device=values.device)],
            fused=True,
            grad_scale=scale,  # what the gradient is divided by
            amsgrad=False,
            beta1=self.b1,
            beta2=self.b2,
            lr=self.learn_rate * lr_scale,
            weight_decay=self.L2 if weights.ndim > 1 and key[1] != THINC_BIAS else 0.0,
            eps=self.eps,
            maximize=False,
        )
        self.nr_update[key] += 1
        gradient.fill(0)
        return weights, gradient

    def step_schedules(self) -> None:
        """Called after each step of training."""
        super().step_schedules()
        self.n_steps += 1
        if self.n_steps % STEPS_PER_TRIM == 0:
            give_back_memory()


def create_adamw_v1(
    learn_rate: float = 1e-4,
    head_learn_rate: float = 3e-4,
    schedule: Iterator[float] | None = None,
    weight_decay: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    grad_clip: float = 1.0,
    use_averages: bool = False,
) -> AdamW:
    """AdamW with two learning rates.

    learn_rate: for the encoder and all other components; head_learn_rate: for the relation head.
    schedule: factors for both, for example {"@schedules": "warmup_linear.v1", "initial_rate": 1.0,
        "warmup_steps": 60, "total_steps": ${training.max_steps}}.
    use_averages: only false: thinc 8 averages no torch weights.

    Raises ValueError for use_averages and for rates that are not positive.
    """
    if use_averages:
        raise ValueError(Errors.E080)
    for name, value in (("learn_rate", learn_rate), ("head_learn_rate", head_learn_rate)):
        if value <= 0:
            raise ValueError(Errors.E081.format(name=name, expected="> 0", value=value))
    rates: Any = learn_rate if schedule is None else (learn_rate * factor for factor in schedule)
    return AdamW(
        rates,
        head_scale=head_learn_rate / learn_rate,
        L2=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
    )
