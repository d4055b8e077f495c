"""A head that is built once its sizes are known, such as the width of the tokens and the number of labels."""

from collections.abc import Callable
from typing import Any

import torch
from thinc.api import Model
from torch import nn

from ..errors import Errors
from ..layers.cast_weights import CastWeights


class LazyHead(nn.Module):
    """Holds the recipe of a head, then the head itself.

    build_head: called with the sizes; the head has a method set_dropout and a `precision`. Parameters are named
    "docre_head.…": that is how the optimizer tells heads from encoders.
    """

    def __init__(self, build_head: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.build_head = build_head
        self.docre_head: Any = None
        self.sizes: dict[str, int] | None = None
        self.cast_weights = CastWeights()

    def build(self, *, new_weights: bool = False, **sizes: int) -> None:
        """Build the head, unless it has these sizes already and no new weights are wanted."""
        if new_weights or sizes != self.sizes:
            self.docre_head = self.build_head(**sizes)
            self.sizes = sizes

    def forward(self, *inputs: Any, dropout: float, **options: Any) -> Any:
        if self.docre_head is None:
            raise ValueError(Errors.E043.format(missing="the number of labels and the width of the tokens"))
        if not torch.is_grad_enabled():
            return self.cast_weights.of(self.docre_head, self.docre_head.precision)(*inputs, **options)
        self.docre_head.set_dropout(dropout)
        return self.docre_head(*inputs, **options)


def is_built(head: Model) -> bool:
    """Whether the layer around a LazyHead has weights."""
    return head.shims[0]._model.docre_head is not None
