"""The shim of heads that are built late."""

from collections.abc import Callable
from typing import Any

from thinc.api import Optimizer, PyTorchShim
from torch import nn

from .lazy_head import LazyHead
from .weights import deserialize_head, serialize_head


class HeadShim(PyTorchShim):
    """thinc's shim around a LazyHead, whose weights are stored as safetensors."""

    def __init__(self, build_head: Callable[..., nn.Module], **settings: Any) -> None:
        storage: dict[str, Any] = {"serialize_model": serialize_head, "deserialize_model": deserialize_head}
        super().__init__(LazyHead(build_head), **storage, **settings)

    def finish_update(self, optimizer: Optimizer) -> None:
        super().finish_update(optimizer)
        self._model.cast_weights.forget()  # optimizers write into the weights' memory, unseen by torch
