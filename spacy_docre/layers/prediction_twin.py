"""A module as prediction wants it: weights already in the precision of the products, and in their layout."""

import copy
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .packed_linear import can_pack, pack_linear_layers
from .precision import Float32Linear, precision_on

State = tuple[tuple[int, int, int], ...]


class PredictionTwin:
    """Keeps a twin of a module for prediction on CPU. Its linear layers are in half precision where products are, so
    that autocast need not cast their weights in every call, and packed where torch can do that.

    The twin shares everything else with the module, and is made anew where a weight has changed. Its weights take as
    much memory as those of the linear layers.
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
        return partial(PredictionTwin, whole=self.whole), ()

    def of(self, module: nn.Module, precision: str) -> nn.Module:
        """What to call in place of `module`, inside autocast and without gradients: the twin on CPUs, else the
        module; so too if it is compiled, or somebody has put hooks on it."""
        on_cpu = next(module.parameters(), torch.zeros(0, device="meta")).device.type == "cpu"
        dtype = precision_on(precision, torch.device("cpu")) if on_cpu else torch.float32
        pays = on_cpu and (dtype != torch.float32 or can_pack())
        layers = layers_to_cast(module, whole=self.whole) if pays and not is_special(module) else []
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
    if dtype != torch.float32:
        cast(twin, dtype, whole=whole)
    if can_pack():
        pack_linear_layers(twin)
    return twin


def cast(twin: nn.Module, dtype: torch.dtype, *, whole: bool) -> None:
    for layer in layers_to_cast(twin, whole=whole):
        for name, weight in layer.named_parameters(recurse=False):
            setattr(layer, name, nn.Parameter(weight.detach().to(dtype), requires_grad=False))
    if whole:
        for layer in twin.modules():
            if isinstance(layer, nn.Embedding):
                layer.register_forward_hook(lambda layer, inputs, rows: rows.to(dtype))


def layers_to_cast(module: nn.Module, *, whole: bool) -> list[nn.Module]:
    """The linear layers; or all that have weights, except embeddings."""
    left_out = (nn.Embedding, Float32Linear)
    layers = (layer for layer in module.modules() if not isinstance(layer, left_out))
    return [layer for layer in layers if whole or isinstance(layer, nn.Linear)]


def is_special(module: nn.Module) -> bool:
    """Whether a twin would lack something: what torch.compile has made, or hooks."""
    hooked = any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    return hooked or hasattr(module, "_orig_mod")


def state_of(weights: Iterable[Tensor]) -> State:
    """Something that differs after the weights have changed, in place or not."""
    return tuple((id(w), w.data_ptr(), -1 if w.is_inference() else w._version) for w in weights)
