"""Tokens to mentions to entities, by hand."""

from math import log

import pytest
import torch

from spacy_docre.layers.pooling import entity_weights, logsumexp_pool, span_weights


def pool(values, entity, mask=None, n_entities=1):
    """Log-sum-exp of mentions with one dimension: (n_entities,)"""
    mentions = torch.tensor(values).reshape(1, -1, 1)
    mask = [True] * len(entity) if mask is None else mask
    return logsumexp_pool(mentions, torch.tensor([entity]), torch.tensor([mask]), n_entities).flatten()


def test_span_weights_average_usable_tokens():
    """Tokens 1-3, of which 2 is not usable: half each for 1 and 3. Span 4-5 has none, 0-0 is empty."""
    mask = torch.tensor([[True, True, False, True, False]])
    weights = span_weights(torch.tensor([[1, 4, 0]]), torch.tensor([[4, 5, 0]]), mask)
    assert weights.tolist() == [[[0, 0.5, 0, 0.5, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]]


def test_entity_weights_average_usable_mentions():
    """Entity 0 has mentions 0 and 2; entity 1 only an unusable one; entity 2 has mention 3; -1 is padding."""
    entity = torch.tensor([[0, 1, 0, 2, -1]])
    mask = torch.tensor([[True, False, True, True, False]])
    weights = entity_weights(entity, mask, 3)
    assert weights.tolist() == [[[0.5, 0, 0.5, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0]]]


def test_log_sum_exp_by_hand():
    """log(e^0 + e^log 3) = log 4; a single mention is itself"""
    assert pool([0.0, log(3), 7.0], [0, 0, 1], n_entities=2).tolist() == pytest.approx([log(4), 7])


def test_gradient_by_hand():
    """The softmax of the mentions: 1/4 and 3/4"""
    mentions = torch.tensor([[[0.0], [log(3)]]], requires_grad=True)
    logsumexp_pool(mentions, torch.tensor([[0, 0]]), torch.ones((1, 2), dtype=torch.bool), 1).sum().backward()
    assert mentions.grad.flatten().tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_values_are_exact(size):
    assert pool([size, size], [0, 0]).item() == pytest.approx(size + log(2), abs=1e-2)
    assert pool([size, 0.0], [0, 0]).item() == pytest.approx(max(size, 0))


@pytest.mark.parametrize("width", [1, 3])
def test_no_usable_mention_gives_zeros_and_no_gradient(width):
    mentions = torch.randn((1, 3, width), requires_grad=True)
    mask = torch.tensor([[True, False, False]])
    entities = logsumexp_pool(mentions, torch.tensor([[0, 1, -1]]), mask, 3)
    entities.pow(2).sum().backward()
    assert torch.equal(entities[0, 1:], torch.zeros((2, width)))
    assert torch.allclose(entities[0, 0], mentions[0, 0])
    assert not mentions.grad[0, 1:].any()
    assert mentions.grad.isfinite().all()


def test_equals_torch_logsumexp_of_each_entity():
    mentions = torch.randn((2, 6, 4), dtype=torch.float64)
    entity = torch.tensor([[0, 0, 1, 2, 2, 2], [1, 0, 1, 0, -1, -1]])
    mask = torch.tensor([[True, True, True, False, True, True], [True] * 4 + [False] * 2])
    pooled = logsumexp_pool(mentions, entity, mask, 3)
    for doc in range(2):
        for e in range(3):
            rows = [m for m in range(6) if entity[doc, m] == e and mask[doc, m]]
            slow = mentions[doc, rows].logsumexp(0) if rows else torch.zeros(4, dtype=torch.float64)
            assert torch.allclose(pooled[doc, e], slow, atol=1e-12)


def test_gradient_is_right():
    mentions = torch.randn((1, 4, 2), dtype=torch.float64, requires_grad=True)
    entity, mask = torch.tensor([[0, 1, 0, 1]]), torch.tensor([[True, True, True, False]])
    assert torch.autograd.gradcheck(lambda m: logsumexp_pool(m, entity, mask, 2), mentions)
