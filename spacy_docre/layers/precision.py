"""One word for the precision of a forward pass, the same for encoder and head."""

import warnings
from contextlib import nullcontext
from functools import lru_cache

import torch
from torch import Tensor, nn

from ..errors import Errors, Warnings

PRECISIONS = ("float32", "bfloat16", "float16", "auto")


def check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(Errors.E045.format(precision=precision, expected=", ".join(PRECISIONS)))


def autocast(precision: str, device: torch.device):
    """A context in which matrix products run in `precision` on `device`.

    "auto" is bfloat16 where the processor has it, else float32. What a device can't do falls back to
    bfloat16 or float32 with one warning, so a model predicts on any machine.
    """
    dtype = precision_on(precision, device)
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device_type=device.type, dtype=dtype)


def precision_on(precision: str, device: torch.device) -> torch.dtype:
    """What matrix products run in on `device` where the setting is `precision`."""
    return _resolve(precision, device.type)


class Float32Linear(nn.Linear):
    """A linear layer that is in float32 wherever it stands: outputs in half precision have three decimal digits."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(device_type=x.device.type, enabled=False):
            return super().forward(x.float())


def needs_scaling(precision: str) -> bool:
    """Whether gradients need scaling: only in float16, and where the device really computes in it."""
    return precision == "float16" and torch.cuda.is_available()


@lru_cache
def _resolve(precision: str, device_type: str) -> torch.dtype:
    check_precision(precision)
    bfloat16 = _has_bfloat16(device_type)
    if precision == "float32":
        return torch.float32
    if precision == "auto":
        return torch.bfloat16 if bfloat16 else torch.float32
    supported = {"bfloat16": bfloat16, "float16": device_type == "cuda"}
    if not supported[precision]:
        fallback = "bfloat16" if precision == "float16" and bfloat16 else "float32"
        message = Warnings.W005.format(precision=precision, device=device_type, fallback=fallback)
        warnings.warn(message, stacklevel=2)
        return getattr(torch, fallback)
    return getattr(torch, precision)


def _has_bfloat16(device_type: str) -> bool:
    if device_type == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8  # older ones emulate it
    if device_type == "cpu":
        checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, lambda: False)() for name in checks)
    return device_type == "mps"
