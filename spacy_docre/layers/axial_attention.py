"""Attention among the pairs of a document: each looks at those that share its head or its tail."""

import torch
from torch import Tensor, nn

from ..errors import Errors
from .attention import attend
from .dropout import Dropout

MAX_CELLS = 16_384  # of a grid, worked on at once in prediction


class LineAttention(nn.Module):
    """Multi-head self-attention within each line of a grid (axis -2), all lines at once."""

    def __init__(self, *, width: int, n_heads: int) -> None:
        super().__init__()
        if width % n_heads:
            raise ValueError(Errors.E044.format(width=width, name="n_heads", value=n_heads))
        self.n_heads = n_heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, lines: Tensor, mask: Tensor | None) -> Tensor:
        """lines (n_docs, n_lines, n_entities, width), mask (n_docs, n_entities) or None for all
        -> (n_docs, n_lines, n_entities, width)"""
        n_docs, n_lines, n_entities, _ = lines.shape
        qkv = self.query_key_value(lines).view(n_docs * n_lines, n_entities, 3, self.n_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (n_docs · n_lines, n_heads, n_entities, …)
        if mask is not None:
            mask = mask.repeat_interleave(n_lines, 0)[:, None, None, :]
        mixed = attend(query, key, value, mask)
        return self.output(mixed.transpose(1, 2).reshape(lines.shape))


class AxialBlock(nn.Module):
    """Attention along rows and along columns, summed, then a feed-forward layer; both pre-norm.

    KD-DocRE (Tan et al. 2022, §3.2). The two axes have weights of their own.
    """

    def __init__(self, *, width: int, n_heads: int, hidden_factor: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rows = LineAttention(width=width, n_heads=n_heads)
        self.columns = LineAttention(width=width, n_heads=n_heads)
        last = nn.Linear(hidden_factor * width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden_factor * width),
            nn.GELU(),
            last,
        )
        self.dropout = Dropout(0.0)
        # The block starts as the identity: at first each pair keeps its own features.
        for linear in (self.rows.output, self.columns.output, last):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, grid: Tensor, mask: Tensor | None) -> Tensor:
        """grid (n_docs, n_entities, n_entities, width), mask (n_docs, n_entities) -> like grid"""
        large = grid.shape[:3].numel() > MAX_CELLS
        if large and not (self.training or torch.is_grad_enabled()):
            return self.in_chunks(grid, mask)
        normed = self.norm(grid)
        columns = self.columns(normed.transpose(1, 2).contiguous(), mask).transpose(1, 2)
        grid = grid + self.dropout(self.rows(normed, mask) + columns)
        return grid + self.dropout(self.feed_forward(grid))

    def in_chunks(self, grid: Tensor, mask: Tensor | None) -> Tensor:
        """The same for prediction, some lines at a time: two arrays like the grid are in memory, and little else."""
        n_docs, n_entities = grid.shape[:2]
        n_lines = max(1, MAX_CELLS // (n_docs * n_entities))
        chunks = [slice(i, i + n_lines) for i in range(0, n_entities, n_lines)]
        mixed = torch.empty_like(grid)
        for lines in chunks:
            mixed[:, lines] = self.rows(self.norm(grid[:, lines]), mask)
        for lines in chunks:
            columns = self.norm(grid[:, :, lines].transpose(1, 2).contiguous())
            mixed[:, :, lines] += self.columns(columns, mask).transpose(1, 2)
        mixed += grid
        for lines in chunks:
            mixed[:, lines] += self.feed_forward(mixed[:, lines])
        return mixed


class AxialAttention(nn.Module):
    """A stack of axial blocks over the entity × entity grid (row = head, column = tail).

    Two pairs that share an entity are one step apart, so that facts like "located in" can be chained.
    Entities that the mask leaves out change nothing: a padded grid gives what the bare one gives.
    """

    def __init__(self, *, width: int, n_layers: int, n_heads: int, hidden_factor: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            AxialBlock(width=width, n_heads=n_heads, hidden_factor=hidden_factor) for _ in range(n_layers)
        )

    def forward(self, grid: Tensor, entity_mask: Tensor) -> Tensor:
        """grid (n_docs, n_entities, n_entities, width), entity_mask (n_docs, n_entities) -> like grid"""
        mask = None if bool(entity_mask.all()) else entity_mask
        for block in self.blocks:
            grid = block(grid, mask)
        return grid
