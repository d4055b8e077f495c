"""The shim of heads that are built late."""

from collections.abc import Callable
from typing import Any

import torch
from thinc.api import ArgsKwargs, Optimizer, PyTorchShim
from torch import nn

from .lazy_head import LazyHead
from .weights import deserialize_head, serialize_head


class HeadShim(PyTorchShim):
    """thinc's shim around a LazyHead, whose weights are stored as safetensors."""

    def __init__(self, build_head: Callable[..., nn.Module], **settings: Any) -> None:
        storage: dict[str, Any] = {"serialize_model": serialize_head, "deserialize_model": deserialize_head}
        super().__init__(LazyHead(build_head), **storage, **settings)

    def predict(self, inputs: ArgsKwargs) -> Any:
        if self._model.training:  # training mode, which begin_update sets, is not set here: that visits every part
            self._model.eval()
        with torch.no_grad():
            return self._model(*inputs.args, **inputs.kwargs)

    def finish_update(self, optimizer: Optimizer) -> None:
        super().finish_update(optimizer)
        self._model.cast_weights.forget()  # optimizers write into the weights' memory, unseen by torch
