"""What is worked on in pieces, to bound memory, gives what it gives at once."""

import pytest
import torch

from spacy_docre.layers import axial_attention, docre_head
from spacy_docre.layers.axial_attention import AxialAttention

from .heads import make_head, make_tokens, mixed_docs, run


@pytest.mark.parametrize("max_cells", [1, 14, 30, 10**6])
@pytest.mark.parametrize("masked", [False, True])
def test_axial_attention_in_chunks_of_lines(max_cells, masked, monkeypatch):
    """Two documents of seven entities, 14 cells a line, with and without entities that are left out."""
    torch.manual_seed(0)
    axial = AxialAttention(width=8, n_layers=2, n_heads=2, hidden_factor=2).eval()
    with torch.no_grad():
        for parameter in axial.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    grid = torch.randn(2, 7, 7, 8)
    mask = torch.ones(2, 7, dtype=torch.bool)
    if masked:
        mask[0, 5:] = False
    expected = axial(grid, mask).detach()
    monkeypatch.setattr(axial_attention, "MAX_CELLS", max_cells)
    before = grid.clone()
    with torch.no_grad():
        found = axial(grid, mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(grid, before)


@pytest.mark.parametrize("max_pair_batch", [1, 13, 4096])
@pytest.mark.parametrize("max_focus", [1, 500, 10**7])
@pytest.mark.parametrize("max_attention", [1, 200, 10**7])
def test_prediction_in_chunks_equals_training_at_once(max_pair_batch, max_focus, max_attention, monkeypatch):
    docs = mixed_docs()
    tokens = make_tokens(docs)
    expected = run(make_head().train(), docs, tokens).detach()
    monkeypatch.setattr(docre_head, "MAX_FOCUS", max_focus)
    monkeypatch.setattr(docre_head, "MAX_ATTENTION", max_attention)
    monkeypatch.setattr(axial_attention, "MAX_CELLS", max_focus)
    with torch.no_grad():
        found = run(make_head(max_pair_batch=max_pair_batch).eval(), docs, tokens)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("max_focus", "rate"), [(1, 0.0), (500, 0.0), (10**7, 0.0), (10**7, 0.5)])
@pytest.mark.parametrize("max_attention", [1, 200])
def test_training_in_chunks_equals_training_at_once(max_focus, max_attention, rate, monkeypatch):
    """What is computed again has the same gradient, also with dropout (other rows would draw other numbers)."""
    docs = mixed_docs()

    def train() -> tuple[torch.Tensor, list[torch.Tensor]]:
        tokens = make_tokens(docs).requires_grad_()
        head = make_head().train()
        head.set_dropout(rate)
        torch.manual_seed(0)
        logits = run(head, docs, tokens)
        return logits.detach(), list(torch.autograd.grad(logits.square().sum(), [tokens, *head.parameters()]))

    expected, gradients = train()
    monkeypatch.setattr(docre_head, "MAX_ATTENTION", max_attention)
    monkeypatch.setattr(docre_head, "MAX_FOCUS", max_focus)
    found, others = train()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(others, gradients, atol=1e-3, rtol=1e-3)
