"""Weights that are already in the precision of the products, for prediction."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .precision import precision_on

State = tuple[tuple[int, int, int], ...]


class CastWeights:
    """Keeps a twin of a module whose linear layers are in half precision, so that autocast need not cast their weights
    in every call.

    The twin shares everything else with the module, and is made anew where a weight has changed. Its weights take as
    much memory as autocast would take for them during the call.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """To be called where weights change unseen by torch: `state_of` knows the other cases."""
        self.module: nn.Module | None = None
        self.twin: nn.Module | None = None
        self.state: State = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, in this process or another, begins with nothing."""
        return CastWeights, ()

    def of(self, module: nn.Module, precision: str) -> nn.Module:
        """What to call in place of `module`, inside autocast: the twin on CPUs in half precision, else the module."""
        linear = linear_layers(module)
        device = linear[0].weight.device if linear else torch.device("meta")
        if device.type != "cpu" or precision_on(precision, device) == torch.float32:
            self.forget()
            return module
        state = state_of(p for layer in linear for p in layer.parameters(recurse=False))
        if self.twin is None or module is not self.module or state != self.state:
            self.module, self.state = module, state
            self.twin = make_twin(module, precision_on(precision, device))
        if self.twin.training != module.training:  # setting it visits every part
            self.twin.train(module.training)
        return self.twin


def make_twin(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The same module with linear layers in `dtype`; their weights get no gradient. All other weights are shared."""
    shared: dict[int, Any] = {id(x): x for x in (*module.parameters(), *module.buffers())}
    twin = copy.deepcopy(module, shared)
    for layer in linear_layers(twin):
        for name, weight in layer.named_parameters(recurse=False):
            setattr(layer, name, nn.Parameter(weight.detach().to(dtype), requires_grad=False))
    return twin


def linear_layers(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def state_of(weights: Iterable[Tensor]) -> State:
    """Something that differs after the weights have changed, in place or not."""
    return tuple((id(w), w.data_ptr(), -1 if w.is_inference() else w._version) for w in weights)
