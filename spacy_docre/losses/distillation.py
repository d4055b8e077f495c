"""Objectives of distillation: how far a student's logits are from a teacher's. Names: `spacy-docre.LogitMSE.v1`, …"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, mse_loss

from ..errors import Errors
from .zlpr import ZLPRLoss


class Objective(ABC):
    """`weight ·` the mean over pairs; no gradient goes to the teacher. No pairs give 0, with a zero gradient."""

    def __init__(self, *, weight: float, temperature: float = 1.0) -> None:
        name = type(self).__name__
        if weight < 0:
            raise ValueError(Errors.E092.format(loss=name, name="weight", expected=">= 0", value=weight))
        if temperature <= 0:
            raise ValueError(Errors.E092.format(loss=name, name="temperature", expected="> 0", value=temperature))
        self.weight = weight
        self.temperature = temperature

    def __call__(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Logits of both (n_pairs, 1 + n_labels), column 0 the threshold -> scalar, at least in float32."""
        if student.ndim != 2 or student.shape != teacher.shape:
            raise ValueError(Errors.E119.format(student=tuple(student.shape), teacher=tuple(teacher.shape)))
        dtype = torch.promote_types(student.dtype, torch.float32)
        student, teacher = student.to(dtype), teacher.detach().to(dtype)
        if not len(student):
            return student.sum()
        return self.weight * self.compute(student, teacher)

    @abstractmethod
    def compute(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The objective for at least one pair."""


class LogitMSE(Objective):
    """Mean squared difference of all logits, the threshold's too.

    KD-DocRE (Tan et al. 2022, §3.4). Logits [0, 2] and [1, 4] cost (1 + 4) / 2.
    """

    def compute(self, student: Tensor, teacher: Tensor) -> Tensor:
        return mse_loss(student, teacher)


class TemperatureKL(Objective):
    """`T²·KL(softmax(t/T) ‖ softmax(s/T))` over threshold and labels, for each pair.

    Hinton et al. 2015, §2: T² keeps the size of the gradient. For logits of two classes, teacher [log 3, 0] and student
    [0, 0], T = 1: ¾ log(¾ / ½) + ¼ log(¼ / ½).
    """

    def compute(self, student: Tensor, teacher: Tensor) -> Tensor:
        log_t = (teacher / self.temperature).log_softmax(-1)
        log_s = (student / self.temperature).log_softmax(-1)
        return self.temperature**2 * (log_t.exp() * (log_t - log_s)).sum(-1).mean()


class MarginObjective(Objective):
    """An objective on margins: label logit minus threshold logit."""

    def compute(self, student: Tensor, teacher: Tensor) -> Tensor:
        return self.per_pair(student[:, 1:] - student[:, :1], teacher[:, 1:] - teacher[:, :1]).mean()

    @abstractmethod
    def per_pair(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Margins (n_pairs, n_labels) twice -> (n_pairs,)"""


class BernoulliKL(MarginObjective):
    """`T²·Σ_r KL(Bern(σ(t/T)) ‖ Bern(σ(s/T)))` for margins s and t, for each pair: right where a pair has two labels.

    Teacher at log 3, student at 0, T = 1: ¾ log(¾ / ½) + ¼ log(¼ / ½).
    """

    def per_pair(self, student: Tensor, teacher: Tensor) -> Tensor:
        t, s = teacher / self.temperature, student / self.temperature
        p = torch.sigmoid(t)
        divergence = p * (logsigmoid(t) - logsigmoid(s)) + (1 - p) * (logsigmoid(-t) - logsigmoid(-s))
        return self.temperature**2 * divergence.sum(-1)


class SymmetricKL(MarginObjective):
    """`T²·Σ_r (σ(s/T) - σ(t/T))·(s - t)/T` for margins s and t, for each pair: the label-wise KL in both directions.

    Teacher at log 3, student at 0, T = 1: (¾ - ½)·log 3.
    """

    def per_pair(self, student: Tensor, teacher: Tensor) -> Tensor:
        return self.temperature**2 * symmetric_kl(student / self.temperature, teacher / self.temperature)


class ZLPRDistil(MarginObjective):
    """ZLPR with the teacher's probabilities `σ(2t/T)` as soft targets, for each pair; least where 2s = 2t/T.

    Su et al. 2022, §3.4. Teacher and student at 0, T = 1: 2·log 1.5.
    """

    def per_pair(self, student: Tensor, teacher: Tensor) -> Tensor:
        return ZLPRLoss().per_pair(student, torch.sigmoid(2 * teacher / self.temperature))


def symmetric_kl(a: Tensor, b: Tensor) -> Tensor:
    """`Σ_r KL(σ(a)‖σ(b)) + KL(σ(b)‖σ(a))` of margins (n_pairs, n_labels) twice -> (n_pairs,)"""
    return ((torch.sigmoid(a) - torch.sigmoid(b)) * (a - b)).sum(-1)


def build_logit_mse_v1(weight: float = 1.0) -> LogitMSE:
    """Mean squared error of the logits."""
    return LogitMSE(weight=weight)


def build_temperature_kl_v1(weight: float = 1.0, temperature: float = 1.0) -> TemperatureKL:
    """Divergence of the softmax over threshold and labels."""
    return TemperatureKL(weight=weight, temperature=temperature)


def build_bernoulli_kl_v1(weight: float = 1.0, temperature: float = 1.0) -> BernoulliKL:
    """Label-wise divergence."""
    return BernoulliKL(weight=weight, temperature=temperature)


def build_symmetric_kl_v1(weight: float = 1.0, temperature: float = 1.0) -> SymmetricKL:
    """Label-wise divergence in both directions."""
    return SymmetricKL(weight=weight, temperature=temperature)


def build_zlpr_distil_v1(weight: float = 1.0, temperature: float = 1.0) -> ZLPRDistil:
    """ZLPR with the teacher's probabilities as targets."""
    return ZLPRDistil(weight=weight, temperature=temperature)
