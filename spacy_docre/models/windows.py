"""Windows of different lengths, in groups that an encoder takes at once."""

import torch
from torch import Tensor

MIN_FILL = 0.8  # windows shorter than this share of the longest beside them are encoded apart from it


def group_windows(lengths: Tensor, max_pieces: int, *, padded: bool) -> list[Tensor]:
    """Windows in groups, the longest first, as indices. A group has at most `max_pieces` word pieces, or one window.

    padded: its windows are padded to the longest of them. They are of similar length then, and padding counts.
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    sizes = lengths[order].tolist()
    groups: list[Tensor] = []
    start = total = 0
    for i, size in enumerate(sizes):
        total += size
        if padded:
            is_full = size < MIN_FILL * sizes[start] or (i + 1 - start) * sizes[start] > max_pieces
        else:
            is_full = total > max_pieces
        if i > start and is_full:
            groups.append(order[start:i])
            start, total = i, size
    return [*groups, order[start:]]


def used_columns(mask: Tensor) -> slice:
    """The columns in which any window has word pieces: tokenizers pad on either side."""
    used = mask.any(0).nonzero().flatten()
    return slice(int(used[0]), int(used[-1]) + 1)
