"""Dropout that draws fewer random numbers."""

import torch
from torch import Tensor, nn
from torch.nn import functional

STEPS = 1 << 16  # rates are multiples of one part of these


class Dropout(nn.Dropout):
    """torch's module, with `dropout` below."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training, self.inplace)


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """torch.nn.functional.dropout. On CPU, where torch draws a number of 64 bits for each element, one after the other,
    the four parts of a number decide on four elements; p is rounded to 1 / 65536 then."""
    n_dropped = round(p * STEPS)
    if not training or inplace or x.device.type != "cpu" or not 0 < n_dropped < STEPS:
        return functional.dropout(x, p, training, inplace)
    n = x.numel()
    drawn = torch.empty((n + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    is_kept = (drawn.view(torch.int16)[:n] >= n_dropped - STEPS // 2).view(x.shape)
    return x * is_kept.to(x.dtype).mul_(STEPS / (STEPS - n_dropped))
