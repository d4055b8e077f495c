"""`attend` gives what torch's own attention gives, by whichever way."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from spacy_docre.layers import attention
from spacy_docre.layers.attention import FasterLayers, attend


def make_inputs(dtype=torch.float32, n_queries=7, n_keys=9):
    torch.manual_seed(0)
    query = torch.randn(3, 2, n_queries, 8, dtype=dtype)
    key, value = torch.randn(2, 3, 2, n_keys, 8, dtype=dtype)
    return query, key, value


def make_mask(kind):
    keep = torch.arange(9)[None, :] < torch.tensor([[9], [4], [1]])
    keep = keep[:, None, None, :]
    return {"none": None, "bool": keep, "bias": torch.zeros(keep.shape).masked_fill(~keep, torch.finfo().min)}[kind]


@pytest.mark.parametrize("kind", ["none", "bool", "bias"])
def test_both_ways_are_the_same(kind, monkeypatch):
    inputs = [x.requires_grad_() for x in make_inputs()]
    mask = make_mask(kind)
    found = {}
    for plain in (False, True):
        monkeypatch.setattr(attention, "_plain_is_faster", lambda query, key, plain=plain: plain)
        output = attend(*inputs, mask)
        found[plain] = (output, *torch.autograd.grad(output.square().sum(), inputs))
    for expected, got in zip(found[False], found[True]):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["none", "bool"])
def test_in_bfloat16_it_is_near_to_float32(kind):
    exact = scaled_dot_product_attention(*make_inputs(), attn_mask=make_mask(kind))
    found = attend(*make_inputs(torch.bfloat16), make_mask(kind))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.05)


def test_a_line_without_any_key_is_finite():
    keep = torch.zeros(3, 1, 1, 9, dtype=torch.bool)
    assert torch.isfinite(attend(*make_inputs(torch.bfloat16), keep)).all()


def test_when_it_goes_torchs_way(monkeypatch):
    """In float32 with many keys, and with too many scores."""
    query, key, _ = make_inputs(torch.bfloat16)
    assert attention._plain_is_faster(query, key)
    assert attention._plain_is_faster(query.float(), key.float())
    many = torch.zeros(3, 2, attention.FEW + 1, 8)
    assert not attention._plain_is_faster(query.float(), many)
    assert attention._plain_is_faster(query, many.bfloat16())
    with torch.no_grad():
        assert attention._plain_is_faster(query, key)
    monkeypatch.setattr(attention, "MAX_SCORES", 3 * 2 * 7 * 9 - 1)
    assert not attention._plain_is_faster(query, key)


@pytest.mark.parametrize(
    ("settings", "ours"),
    [({}, True), ({"attn_mask": None}, True), ({"dropout_p": 0.1}, False), ({"is_causal": True}, False)],
)
def test_the_context_replaces_torchs_attention_where_it_is_the_same(settings, ours, monkeypatch):
    seen = []
    monkeypatch.setattr(attention, "attend", lambda *args: seen.append(args) or args[0])
    inputs = make_inputs()
    with FasterLayers():
        scaled_dot_product_attention(*inputs, **settings)
    assert len(seen) == ours
    scaled_dot_product_attention(*inputs)
    assert len(seen) == ours
