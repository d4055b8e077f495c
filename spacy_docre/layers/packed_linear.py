"""Linear layers with weights in oneDNN's own layout, and GELU in the same pass: for prediction on CPU."""

from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

NOTHING, GELU = ("none", ""), ("gelu", "none")  # oneDNN's names of what follows the product


class PackedLinear(nn.Linear):
    """A linear layer that shares its weights with another, and has a copy of them as products want them.

    torch's own layer has the weights laid out anew in each call, and the bias copied to all rows first. Without
    gradients, which it neither takes nor gives.
    """

    def __init__(self, layer: nn.Linear, after: tuple[str, str] = NOTHING) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.after = after
        self.packed = _ops()._reorder_linear_weight(layer.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in_features) -> (…, out_features)"""
        name, kind = self.after
        return _ops()._linear_pointwise(x.to(self.weight.dtype), self.packed, self.bias, name, [], kind)


def pack_linear_layers(module: nn.Module) -> None:
    """Put packed layers in the place of all linear ones. Those of subclasses, which may do something else, stay."""
    for parent in list(module.modules()):
        for name, next_name in _pairs(parent):
            layer, activation = getattr(parent, name), getattr(parent, next_name, None)
            if _is_plain(layer) and _is_gelu(activation):
                setattr(parent, name, PackedLinear(layer, GELU))
                setattr(parent, next_name, nn.Identity())
        for name, layer in list(parent._modules.items()):
            if isinstance(layer, nn.Linear) and _is_plain(layer):
                setattr(parent, name, PackedLinear(layer))


@lru_cache
def can_pack() -> bool:
    """Whether torch has the operations here, which are not part of its public interface, and they are right."""
    numbers = torch.linspace(-1, 1, 32, dtype=torch.float32, device="cpu")  # none of torch's random ones
    layer = nn.Linear(8, 4, device="meta")
    layer.weight, layer.bias = nn.Parameter(numbers.view(4, 8)), nn.Parameter(numbers[:4])
    x = numbers[:24].view(3, 8)
    try:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            found, expected = PackedLinear(layer, GELU)(x), nn.functional.gelu(layer(x))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return torch.allclose(found, expected, atol=1e-5)


def _pairs(parent: nn.Module) -> list[tuple[str, str]]:
    """The names of parts of which the second takes what the first gives."""
    if isinstance(parent, nn.Sequential):
        return list(pairwise(parent._modules))
    # half a feed-forward layer of BERT, RoBERTa, ELECTRA, DeBERTa, … in transformers
    return [("dense", "intermediate_act_fn")] if hasattr(parent, "dense") else []


def _is_plain(layer: Any) -> bool:
    return type(layer) is nn.Linear and layer.weight.dtype in (torch.float32, torch.bfloat16)


def _is_gelu(activation: Any) -> bool:
    """Exact GELU: torch's, or the module of transformers that calls torch's function."""
    if isinstance(activation, nn.GELU):
        return activation.approximate == "none"
    return getattr(activation, "act", None) is nn.functional.gelu


def _ops() -> Any:
    return torch.ops.mkldnn
