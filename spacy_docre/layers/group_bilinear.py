"""Pair features from the outer products of small blocks."""

import torch
from torch import Tensor, nn

from ..errors import Errors

ROWS = 1024  # whose products are in memory at once, in prediction; fewer take longer, as each call packs the weights


class GroupBilinear(nn.Module):
    """Score pairs with a bilinear form that is block-diagonal in `width / block_size` blocks.

    Zhou et al. 2021, "Document-Level Relation Extraction with Adaptive Thresholding and Localized
    Context Pooling", §3.1.
    """

    def __init__(self, *, width: int, n_outputs: int, block_size: int) -> None:
        super().__init__()
        if block_size < 1 or width % block_size:
            raise ValueError(Errors.E044.format(width=width, name="block_size", value=block_size))
        self.block_size = block_size
        self.output = nn.Linear(width * block_size, n_outputs)

    def forward(self, head: Tensor, tail: Tensor) -> Tensor:
        """head, tail (…, width) -> (…, n_outputs)"""
        if torch.is_grad_enabled() or head.device.type != "cpu":
            return self.score(head, tail)
        rows = zip(head.flatten(0, -2).split(ROWS), tail.flatten(0, -2).split(ROWS))
        return torch.cat([self.score(h, t) for h, t in rows]).unflatten(0, head.shape[:-1])

    def score(self, head: Tensor, tail: Tensor) -> Tensor:
        head = head.unflatten(-1, (-1, self.block_size)).unsqueeze(-1)
        tail = tail.unflatten(-1, (-1, self.block_size)).unsqueeze(-2)
        return self.output((head * tail).flatten(-3))
