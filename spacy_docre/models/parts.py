"""The parts of the head as registered functions: each returns a builder, called when widths are known."""

from collections.abc import Callable
from functools import partial

from torch import nn

from ..errors import Errors
from ..layers.axial_attention import AxialAttention
from ..layers.group_bilinear import GroupBilinear
from ..layers.localised_context import EntityAttention

PartBuilder = Callable[..., nn.Module]


def build_entity_attention_v1(
    n_heads: int = 8, head_width: int = 48, n_distances: int = 24, locality: float = 1.5
) -> PartBuilder:
    """Attention from entities to tokens, from which the context of a pair is made.

    n_heads, head_width: as in any multi-head attention; n_distances: buckets of signed distance.
    locality: at the start of training attention falls off as distance ** (-1.44 · slope), with slopes from 0 for the
        first head to `locality` for the last. It is learned from there; 0 starts with all tokens alike.
    """
    if locality < 0:
        raise ValueError(Errors.E081.format(name="locality", expected=">= 0", value=locality))
    return partial(EntityAttention, n_heads=n_heads, head_width=head_width, n_distances=n_distances, locality=locality)


def build_group_bilinear_v1(block_size: int = 16) -> PartBuilder:
    """Pair features by a block-diagonal bilinear form; hidden_width must be a multiple of block_size."""
    return partial(GroupBilinear, block_size=block_size)


def build_axial_attention_v1(n_layers: int = 2, n_heads: int = 8, hidden_factor: int = 2) -> PartBuilder:
    """Attention among pairs that share an entity; hidden_width must be a multiple of n_heads.

    hidden_factor: width of the feed-forward layers, as a multiple of hidden_width.
    """
    return partial(AxialAttention, n_layers=n_layers, n_heads=n_heads, hidden_factor=hidden_factor)
