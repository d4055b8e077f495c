"""Weights that are already in the precision of the products, for prediction."""

import copy
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .precision import Float32Linear, precision_on

State = tuple[tuple[int, int, int], ...]


class CastWeights:
    """Keeps a twin of a module whose linear layers are in half precision, so that autocast need not cast their weights
    in every call.

    The twin shares everything else with the module, and is made anew where a weight has changed. Its weights take as
    much memory as autocast would take for them during the call.
    """

    def __init__(self, *, whole: bool = False) -> None:
        """whole: what stands between the linear layers is in half precision too, from the embeddings on. The module
        has to be one that runs in it, as those of transformers do."""
        self.whole = whole
        self.forget()

    def forget(self) -> None:
        """To be called where weights change unseen by torch: `state_of` knows the other cases."""
        self.module: nn.Module | None = None
        self.twin: nn.Module | None = None
        self.state: State = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, in this process or another, begins with nothing."""
        return partial(CastWeights, whole=self.whole), ()

    def of(self, module: nn.Module, precision: str) -> nn.Module:
        """What to call in place of `module`, inside autocast: the twin on CPUs in half precision, else the module."""
        on_cpu = next(module.parameters(), torch.zeros(0, device="meta")).device.type == "cpu"
        dtype = precision_on(precision, torch.device("cpu")) if on_cpu else torch.float32
        layers = [] if dtype == torch.float32 else layers_to_cast(module, whole=self.whole)
        if not layers:
            self.forget()
            return module
        state = state_of(w for layer in layers for w in layer.parameters(recurse=False))
        if self.twin is None or module is not self.module or state != self.state:
            self.module, self.state = module, state
            self.twin = make_twin(module, dtype, whole=self.whole)
        if self.twin.training != module.training:  # setting it visits every part
            self.twin.train(module.training)
        return self.twin


def make_twin(module: nn.Module, dtype: torch.dtype, *, whole: bool) -> nn.Module:
    """The same module with linear layers in `dtype`, or all of it; these weights get no gradient. All others are
    shared: also those of embeddings, of which few rows are used."""
    shared: dict[int, Any] = {id(x): x for x in (*module.parameters(), *module.buffers())}
    twin = copy.deepcopy(module, shared)
    for layer in layers_to_cast(twin, whole=whole):
        for name, weight in layer.named_parameters(recurse=False):
            setattr(layer, name, nn.Parameter(weight.detach().to(dtype), requires_grad=False))
    if whole:
        for layer in twin.modules():
            if isinstance(layer, nn.Embedding):
                layer.register_forward_hook(lambda layer, inputs, rows: rows.to(dtype))
    return twin


def layers_to_cast(module: nn.Module, *, whole: bool) -> list[nn.Module]:
    """The linear layers; or all that have weights, except embeddings."""
    left_out = (nn.Embedding, Float32Linear)
    layers = (layer for layer in module.modules() if not isinstance(layer, left_out))
    return [layer for layer in layers if whole or isinstance(layer, nn.Linear)]


def state_of(weights: Iterable[Tensor]) -> State:
    """Something that differs after the weights have changed, in place or not."""
    return tuple((id(w), w.data_ptr(), -1 if w.is_inference() else w._version) for w in weights)
