"""Dropout that draws fewer random numbers is dropout all the same."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from spacy_docre.layers.attention import FasterLayers
from spacy_docre.layers.dropout import Dropout, dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_so_many_are_0_and_the_mean_stays(rate, dtype):
    torch.manual_seed(0)
    x = torch.full((400, 1001), 2.0, dtype=dtype)  # not a multiple of 4
    y = dropout(x, rate)
    assert y.dtype == dtype
    assert (y == 0).float().mean().item() == pytest.approx(rate, abs=0.004)
    kept = y[y != 0].float()
    assert kept.min() == kept.max() == pytest.approx(2 / (1 - rate), rel=0.01)


def test_each_number_and_each_time_is_drawn_anew():
    """Neighbours come from one random number, and know nothing of each other."""
    torch.manual_seed(0)
    y, other = (dropout(torch.ones(1_000_000), 0.3) == 0 for _ in range(2))
    for lag in (1, 2, 3, 4, 8):
        both = (y[lag:] & y[:-lag]).float().mean().item()
        assert both == pytest.approx(0.09, abs=0.002)
    assert (y & other).float().mean().item() == pytest.approx(0.09, abs=0.002)
    assert [part.float().mean().item() for part in y.view(-1, 4).T] == pytest.approx([0.3] * 4, abs=0.004)


def test_a_seed_repeats_it():
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        found.append(dropout(torch.ones(50, 3), 0.5))
    assert torch.equal(*found)


def test_gradients_are_those_of_what_was_kept():
    x = torch.randn(30, 7, requires_grad=True)
    y = dropout(x, 0.4)
    y.sum().backward()
    torch.testing.assert_close(x.grad * x, y)


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 1.0), (1e-6, 1.0), (1.0, 0.0)])
def test_nothing_and_everything(rate, kept):
    assert dropout(torch.ones(100), rate).unique().tolist() == pytest.approx([kept], abs=1e-5)


def test_not_in_prediction():
    x = torch.randn(20, 5)
    assert dropout(x, 0.5, training=False) is x
    layer = Dropout(0.5)
    assert (layer(x) == 0).any()
    assert torch.equal(layer.eval()(x), x)


def test_the_context_replaces_torchs(monkeypatch):
    """In modules that are not ours: torch's own sees nothing of it."""
    x, layer = torch.ones(1000), nn.Dropout(0.5)
    drawn = []
    monkeypatch.setattr("spacy_docre.layers.attention.dropout", lambda *args, **kw: drawn.append(args) or x)
    with FasterLayers():
        assert layer(x) is x
        assert functional.dropout(x, 0.5) is x
    assert len(drawn) == 2
    layer(x)
    assert len(drawn) == 2


def test_a_rate_that_is_none_is_torchs_error():
    with pytest.raises(ValueError, match="dropout probability"):
        dropout(torch.ones(3), 1.5)
