"""Weights of the head as safetensors, with the sizes that are needed to build it again."""

import json

import torch
from safetensors.torch import load, save
from torch import nn

from ..errors import Errors, some
from .lazy_head import LazyHead


def serialize_head(model: LazyHead) -> bytes:
    """The head's weights in the safetensors format; its sizes are in the metadata."""
    weights = {name: w.detach().cpu().contiguous() for name, w in model.state_dict().items()}
    return save(weights, metadata={"sizes": json.dumps(model.sizes)})


def deserialize_head(model: LazyHead, data: bytes, device: torch.device) -> nn.Module:
    """Build the head with the saved sizes, load its weights, move it to the device.

    Raises ValueError if the weights do not fit the parts that the config names.
    """
    sizes = read_sizes(data)
    if sizes is not None:
        model.build(new_weights=False, **sizes)
    weights = load(data)
    found, wanted = ({name: list(w.shape) for name, w in x.items()} for x in (weights, model.state_dict()))
    if found != wanted:  # torch would copy what fits, and then complain
        names = (x for x in sorted({**found, **wanted}) if found.get(x) != wanted.get(x))
        differing = [f"{x} {found.get(x)} in place of {wanted.get(x)}" for x in names]
        raise ValueError(Errors.E046.format(problem=some(differing)))
    model.load_state_dict(weights)
    return model.to(device)


def read_sizes(data: bytes) -> dict[str, int] | None:
    """The sizes in a safetensors file's metadata; None for a head that was never built."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return json.loads(header.get("__metadata__", {}).get("sizes", "null"))
