"""One word for the precision of a forward pass, the same for encoder and head."""

import time
import warnings
from contextlib import nullcontext
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..errors import Errors, Warnings

PRECISIONS = ("float32", "bfloat16", "float16", "auto")
WORTH_IT = 1.1  # times as fast as float32: what "auto" wants of bfloat16 on CPU
N_TRIALS = 8


def check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(Errors.E045.format(precision=precision, expected=", ".join(PRECISIONS)))


def autocast(precision: str, device: torch.device):
    """A context in which matrix products run in `precision` on `device`.

    "auto" is bfloat16 where the processor has it and is faster in it, else float32. What a device can't do falls back
    to bfloat16 or float32 with one warning, so a model predicts on any machine.
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


def needs_scaling(precision: str, device: torch.device) -> bool:
    """Whether gradients need scaling: only in float16, and where the device really computes in it."""
    return precision == "float16" and device.type == "cuda"


@lru_cache
def _resolve(precision: str, device_type: str) -> torch.dtype:
    check_precision(precision)
    bfloat16 = _has_bfloat16(device_type)
    if precision == "float32":
        return torch.float32
    if precision == "auto":
        return torch.bfloat16 if bfloat16 and (device_type != "cpu" or _bfloat16_pays()) else torch.float32
    supported = {"bfloat16": bfloat16, "float16": device_type == "cuda"}
    if not supported[precision]:
        fallback = "bfloat16" if precision == "float16" and bfloat16 else "float32"
        message = Warnings.W005.format(precision=precision, device=device_type, fallback=fallback)
        warnings.warn(message, stacklevel=2)
        return getattr(torch, fallback)
    return getattr(torch, precision)


def _bfloat16_pays() -> bool:
    """Whether this processor multiplies faster in bfloat16, by a trial of some milliseconds: of those that have the
    instructions some take half the time of float32, others twice."""
    float32, bfloat16 = _fastest_products(torch.float32, torch.bfloat16)
    return float32 > WORTH_IT * bfloat16


def _fastest_products(*dtypes: torch.dtype) -> list[float]:
    """Seconds of a product of a short document's size, in each type: the fastest of some, taken in turns."""
    pairs = [(torch.ones(256, 384, dtype=dtype), torch.ones(1536, 384, dtype=dtype)) for dtype in dtypes]
    rounds = []
    with torch.inference_mode():
        for _ in range(N_TRIALS):
            times = [time.perf_counter()]
            for x, weights in pairs:
                nn.functional.linear(x, weights)
                times.append(time.perf_counter())
            rounds.append([end - start for start, end in pairwise(times)])
    return [min(seconds) for seconds in zip(*rounds)]


def _has_bfloat16(device_type: str) -> bool:
    if device_type == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8  # older ones emulate it
    if device_type == "cpu":
        checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, lambda: False)() for name in checks)
    return device_type == "mps"
