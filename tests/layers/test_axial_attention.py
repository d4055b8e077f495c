"""Axial attention: a slow twin, what a pair can see, padding, and the order of entities."""

from math import exp, sqrt

import pytest
import torch
from torch import Tensor

from spacy_docre.layers.axial_attention import AxialAttention, LineAttention

WIDTH, N_HEADS, N = 8, 2, 4


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def stack(n_layers: int) -> AxialAttention:
    axial = AxialAttention(width=WIDTH, n_layers=n_layers, n_heads=N_HEADS, hidden_factor=2)
    with torch.no_grad():
        for parameter in axial.parameters():  # larger than at the start, so that attention is far from even
            parameter.add_(0.3 * torch.randn_like(parameter))
    return axial.eval()


def all_there(n_docs: int = 1, n_entities: int = N) -> Tensor:
    return torch.ones((n_docs, n_entities), dtype=torch.bool)


def slow_line(layer: LineAttention, line: Tensor, keep: list[bool]) -> list[list[float]]:
    """Attention within one line (n_entities, width) before the output layer, cell by cell, head by head."""
    size = WIDTH // N_HEADS
    qkv = (line @ layer.query_key_value.weight.T + layer.query_key_value.bias).tolist()
    mixed = []
    for cell in qkv:
        out = []
        for h in range(N_HEADS):
            query = cell[h * size : (h + 1) * size]
            scores = []
            for other in qkv:
                key = other[WIDTH + h * size : WIDTH + (h + 1) * size]
                scores.append(exp(sum(q * k for q, k in zip(query, key)) / sqrt(size)))
            total = sum(s for s, k in zip(scores, keep) if k)
            for j in range(2 * WIDTH + h * size, 2 * WIDTH + (h + 1) * size):
                out.append(sum(s / total * other[j] for s, k, other in zip(scores, keep, qkv) if k))
        mixed.append(out)
    return mixed


@pytest.mark.parametrize("keep", [None, [True, False, True, True]], ids=["all", "masked"])
def test_line_attention_equals_loops_over_cells_and_heads(keep):
    layer = LineAttention(width=WIDTH, n_heads=N_HEADS).double()
    lines = torch.randn((2, 3, N, WIDTH), dtype=torch.float64)
    mask = None if keep is None else torch.tensor([[True] * N, keep])
    fast = layer(lines, mask)
    for doc in range(2):
        for line in range(3):
            kept = keep if keep and doc == 1 else [True] * N
            slow = torch.tensor(slow_line(layer, lines[doc, line], kept), dtype=torch.float64)
            slow = slow @ layer.output.weight.T + layer.output.bias
            assert torch.allclose(fast[doc, line], slow, atol=1e-12)


def test_width_must_be_a_multiple_of_heads():
    with pytest.raises(ValueError, match=r"E044.*hidden_width \(10\) .* n_heads \(4\)"):
        LineAttention(width=10, n_heads=4)


@pytest.mark.parametrize("n_layers", [1, 2])
def test_padded_with_a_mask_equals_unpadded(n_layers):
    axial = stack(n_layers)
    sizes = (2, 4, 6)
    grids = [torch.randn((n, n, WIDTH)) for n in sizes]
    padded = 100 * torch.randn((3, 6, 6, WIDTH))  # whatever stands in the padding
    mask = torch.zeros((3, 6), dtype=torch.bool)
    for i, (n, grid) in enumerate(zip(sizes, grids)):
        padded[i, :n, :n] = grid
        mask[i, :n] = True
    out = axial(padded, mask)
    for i, (n, grid) in enumerate(zip(sizes, grids)):
        assert torch.allclose(out[i, :n, :n], axial(grid[None], all_there(1, n))[0], atol=1e-5)


def test_padding_gets_no_gradient():
    grid = torch.randn((1, N, N, WIDTH), requires_grad=True)
    mask = torch.tensor([[True, True, True, False]])
    stack(2)(grid, mask)[:, :3, :3].pow(2).sum().backward()
    assert (grid.grad[:, :3, :3] != 0).any(-1).all()
    assert not grid.grad[:, 3].any()
    assert not grid.grad[:, :, 3].any()


def seen_by(n_layers: int, head: int, tail: int) -> Tensor:
    """Which cells (N, N) change the output of one pair."""
    grid = torch.randn((1, N, N, WIDTH), requires_grad=True)
    stack(n_layers)(grid, all_there())[0, head, tail].pow(2).sum().backward()
    return (grid.grad[0] != 0).any(-1)


@pytest.mark.parametrize(("head", "tail"), [(0, 1), (3, 2), (2, 2)])
def test_one_layer_sees_pairs_that_share_the_head_or_the_tail(head, tail):
    expected = torch.zeros((N, N), dtype=torch.bool)
    expected[head, :] = True
    expected[:, tail] = True
    assert torch.equal(seen_by(1, head, tail), expected)


def test_two_layers_see_every_pair():
    assert seen_by(2, 0, 1).all()


def test_rows_and_columns_have_weights_of_their_own():
    """Swapping heads and tails is not the same as swapping them in the output."""
    axial, grid = stack(1), torch.randn((1, N, N, WIDTH))
    swapped = axial(grid.transpose(1, 2), all_there()).transpose(1, 2)
    assert not torch.allclose(axial(grid, all_there()), swapped, atol=1e-3)


def test_the_order_of_entities_is_irrelevant():
    axial, grid = stack(2), torch.randn((1, N, N, WIDTH))
    order = torch.tensor([2, 0, 3, 1])
    expected = axial(grid, all_there())[:, order][:, :, order]
    assert torch.allclose(axial(grid[:, order][:, :, order], all_there()), expected, atol=1e-5)


def test_documents_do_not_see_each_other():
    axial, grid = stack(2), torch.randn((2, N, N, WIDTH))
    changed = torch.cat([grid[:1], torch.randn((1, N, N, WIDTH))])
    out, other = axial(grid, all_there(2)), axial(changed, all_there(2))
    assert torch.allclose(out[0], other[0], atol=1e-6)
    assert not torch.allclose(out[1], other[1], atol=1e-3)


def test_a_new_stack_is_the_identity():
    """At the start of training each pair keeps its own features."""
    grid = torch.randn(1, 4, 4, WIDTH)
    new = AxialAttention(width=WIDTH, n_layers=2, n_heads=N_HEADS, hidden_factor=2)
    assert torch.equal(new(grid, torch.ones((1, 4), dtype=torch.bool)), grid)
