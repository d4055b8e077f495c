"""Group bilinear features: outer products of blocks, then a linear map."""

import pytest
import torch

from spacy_docre.layers.group_bilinear import GroupBilinear


def test_by_hand():
    """Blocks of 1: the products 2·5 and 3·7, weighted 1 and 10, plus the bias 4: 10 + 210 + 4"""
    layer = GroupBilinear(width=2, n_outputs=1, block_size=1)
    with torch.no_grad():
        layer.output.weight.copy_(torch.tensor([[1.0, 10.0]]))
        layer.output.bias.fill_(4.0)
    assert layer(torch.tensor([[2.0, 3.0]]), torch.tensor([[5.0, 7.0]])).item() == pytest.approx(224)


@pytest.mark.parametrize("block_size", [1, 2, 3, 6])
def test_equals_loops_over_blocks(block_size):
    width, n_outputs = 6, 4
    layer = GroupBilinear(width=width, n_outputs=n_outputs, block_size=block_size).double()
    head, tail = torch.randn((2, 5, width), dtype=torch.float64)
    weight = layer.output.weight.tolist()
    fast = layer(head, tail).tolist()
    for pair in range(5):
        for k in range(n_outputs):
            value = layer.output.bias[k].item()
            for block in range(width // block_size):
                for i in range(block_size):
                    for j in range(block_size):
                        product = head[pair, block * block_size + i] * tail[pair, block * block_size + j]
                        value += weight[k][(block * block_size + i) * block_size + j] * product.item()
            assert fast[pair][k] == pytest.approx(value, abs=1e-12)


def test_dimensions_of_different_blocks_are_not_multiplied():
    layer = GroupBilinear(width=4, n_outputs=3, block_size=2)
    first, second = torch.tensor([[1.0, 1, 0, 0]]), torch.tensor([[0.0, 0, 1, 1]])
    assert torch.allclose(layer(first, second)[0], layer.output.bias)
    assert not torch.allclose(layer(first, first)[0], layer.output.bias)


def test_head_and_tail_are_not_interchangeable():
    layer = GroupBilinear(width=4, n_outputs=3, block_size=4)
    head, tail = torch.randn((2, 1, 4))
    assert not torch.allclose(layer(head, tail), layer(tail, head))


def test_any_leading_axes():
    layer = GroupBilinear(width=4, n_outputs=3, block_size=2)
    head, tail = torch.randn((2, 2, 5, 7, 4))
    grid = layer(head, tail)
    assert grid.shape == (2, 5, 7, 3)
    assert torch.allclose(grid[1, 4, 6], layer(head[1, 4, 6], tail[1, 4, 6]), atol=1e-6)


def test_width_must_be_a_multiple_of_the_block():
    with pytest.raises(ValueError, match=r"E044.*hidden_width \(10\) .* block_size \(4\)"):
        GroupBilinear(width=10, n_outputs=3, block_size=4)
