"""The rows of the table of losses: what is registered, settings worth testing, and what holds for each by nature."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import torch
from thinc.api import registry
from torch import Tensor

from spacy_docre.losses import MarginLoss


@dataclass(frozen=True)
class Row:
    """A loss, and where a promise of the table reads differently for it."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    over_batch: bool = False  # made of sums over all pairs, so it is no mean of single pairs
    soft: bool = False  # a target between 0 and 1 is not the same as 1
    best: float = inf  # margins that are further right than this cost more again
    near: float = 1.0  # where slopes vanish far out, descent starts so much nearer to 0
    rate: float = 2.0  # of descent: what is divided by all cells, or flat, has small slopes
    finds: str = "gold"  # at the end of descent; "highest": one of the gold ones, "more": the gold ones, and others
    gradient: Callable[[Tensor, Tensor], Tensor] | None = None  # by hand, where a factor has no gradient

    def build(self) -> MarginLoss:
        return registry.resolve({"loss": {"@losses": self.name, **self.settings}})["loss"]


def emo_gradient(d: Tensor, y: Tensor) -> Tensor:
    """Without costs c_i = 1 - τ_i: of CE p - τ, of EMO p·(c - EMO), and half of each, the second times CE / EMO."""
    y = torch.cat([1 - y.amax(-1, keepdim=True), y], dim=-1)
    p = torch.cat([torch.ones_like(d[:, :1]), d.exp()], dim=-1)
    p, gold = p / p.sum(-1, keepdim=True), y / y.sum(-1, keepdim=True)
    moved = (p * (1 - gold)).sum(-1, keepdim=True)
    ratio = -(gold * p.log()).sum(-1, keepdim=True) / moved
    return ((p - gold) + ratio * p * (1 - gold - moved))[:, 1:] / (2 * len(d))


BCE_AND_DICE = {
    "losses": {"bce": {"@losses": "spacy-docre.BCE.v1"}, "dice": {"@losses": "spacy-docre.Dice.v1", "smooth": 0.5}},
    "weights": {"dice": 2.0},
}
TABLE = {
    "ATL": Row("spacy-docre.ATL.v1"),
    "AdaptiveFocal": Row("spacy-docre.AdaptiveFocal.v1", soft=True),
    "AdaptiveFocal-text": Row("spacy-docre.AdaptiveFocal.v1", {"gamma": 0.5, "plus_one": False}, soft=True),
    "BCE": Row("spacy-docre.BCE.v1", soft=True),
    "BCE-weighted": Row("spacy-docre.BCE.v1", {"pos_weight": 3.0, "label_smoothing": 0.1}, soft=True),
    "DSC": Row("spacy-docre.DSC.v1", soft=True, rate=20),
    "Dice": Row("spacy-docre.Dice.v1", soft=True, over_batch=True, rate=20),
    "EMO": Row("spacy-docre.EMO.v1", gradient=emo_gradient, finds="highest"),
    "EXACT": Row("spacy-docre.EXACT.v1", soft=True, over_batch=True, near=0.3, rate=20),
    "EXACT-single": Row("spacy-docre.EXACT.v1", {"form": "single", "sigma": 0.7}, near=0.3, rate=20, finds="highest"),
    "Focal": Row("spacy-docre.Focal.v1", soft=True, rate=20),
    "Focal-steep": Row("spacy-docre.Focal.v1", {"gamma": 0.5, "alpha": 0.75}, soft=True),
    "PowerBCE": Row("spacy-docre.PowerBCE.v1", soft=True),
    "PowerBCE-4": Row("spacy-docre.PowerBCE.v1", {"power": 4}, soft=True),
    "SSRPU": Row("spacy-docre.SSRPU.v1", {"ratio": 1.0}, over_batch=True, best=0),
    "SSRPU-doubled": Row("spacy-docre.SSRPU.v1", {"ratio": 2.0, "gamma": 0.5}, over_batch=True, best=0, finds="more"),
    "Sum": Row("spacy-docre.Sum.v1", BCE_AND_DICE, soft=True, over_batch=True),
    "Tversky": Row("spacy-docre.Tversky.v1", soft=True, over_batch=True, rate=20),
    "Tversky-recall": Row("spacy-docre.Tversky.v1", {"alpha": 0.2, "beta": 0.8}, soft=True, over_batch=True, rate=20),
    "ZLPR": Row("spacy-docre.ZLPR.v1", soft=True),
}
OBJECTIVES = {
    f"spacy-docre.{name}.v1" for name in ("LogitMSE", "TemperatureKL", "BernoulliKL", "SymmetricKL", "ZLPRDistil")
}  # of distillation: between logits, so not in the table
