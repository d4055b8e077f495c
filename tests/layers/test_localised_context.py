"""Attention from mentions to tokens, and the tokens that two entities share."""

import pytest
import torch

from spacy_docre.layers.localised_context import EntityAttention, pair_attention
from spacy_docre.masking import masked_softmax

WIDTH, N_HEADS = 6, 3


@pytest.fixture
def attention() -> EntityAttention:
    torch.manual_seed(0)
    layer = EntityAttention(token_width=WIDTH, n_heads=N_HEADS, head_width=4)
    torch.nn.init.normal_(layer.distance.weight)
    return layer


@pytest.fixture
def inputs():
    """2 documents, 3 mentions, 5 tokens, of which the second document has 3."""
    torch.manual_seed(1)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]])
    return torch.randn((2, 3, WIDTH)), torch.tensor([[0, 2, 4], [0, 1, 3]]), torch.randn((2, 5, WIDTH)), mask


def test_masked_softmax_by_hand():
    """e^0 : e^log 3 = 1 : 3; a masked entry gets 0, and a row of masked ones is zero, not nan."""
    scores = torch.tensor([[0.0, 3.0, 100.0], [1.0, 2.0, 3.0]])
    scores[0, 1] = torch.tensor(3.0).log()
    weights = masked_softmax(scores, torch.tensor([[True, True, False], [False, False, False]]))
    assert weights.tolist() == [pytest.approx([0.25, 0.75, 0]), [0, 0, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_masked_softmax_of_nothing_has_a_finite_gradient(dtype):
    scores = torch.randn((2, 3)).to(dtype).requires_grad_()
    weights = masked_softmax(scores, torch.tensor([[False] * 3, [True, False, True]]))
    weights[:, 0].sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[0].any()
    assert scores.grad[1, 0] > 0
    assert scores.grad[1, 1] == 0


def test_attention_of_a_mention_sums_to_one_over_usable_tokens(attention, inputs):
    weights = attention(*inputs)
    assert weights.shape == (2, N_HEADS, 3, 5)
    assert torch.allclose(weights.sum(-1), torch.ones((2, N_HEADS, 3)))
    assert not weights[1, :, :, [1, 4]].any()
    assert (weights[1, :, :, [0, 2, 3]] > 0).all()


def test_a_document_without_usable_token_gets_no_attention(attention, inputs):
    mentions, start, tokens, mask = inputs
    assert not attention(mentions, start, tokens, torch.zeros_like(mask)).any()


def test_attention_equals_loops(attention, inputs):
    mentions, start, tokens, mask = inputs
    fast = attention(*inputs)
    for doc in range(2):
        for m in range(3):
            query = attention.query(mentions[doc, m]).reshape(N_HEADS, 4)
            scores = torch.full((N_HEADS, 5), float("-inf"))
            for t in range(5):
                if mask[doc, t]:
                    key = attention.key(tokens[doc, t]).reshape(N_HEADS, 4)
                    bias = attention.distance.weight[slow_bucket(t - start[doc, m].item(), half=12)]
                    scores[:, t] = (query * key).sum(-1) / 2 + bias  # 2 = √head_width
            assert torch.allclose(fast[doc, :, m], scores.softmax(-1), atol=1e-6)


def slow_bucket(offset: int, half: int) -> int:
    """How often |offset| + 1 can be halved, at most half - 1; the other half of the buckets before 0."""
    doublings = min((abs(offset) + 1).bit_length() - 1, half - 1)
    return doublings + (half if offset < 0 else 0)


@pytest.mark.parametrize("start", [0, 1, 300, 699])
def test_distance_is_counted_in_doublings(start):
    """With the bias alone, the logarithm of the attention tells the bucket of each token."""
    layer = EntityAttention(token_width=2, n_heads=1, head_width=1, n_distances=16)
    with torch.no_grad():
        layer.query.weight.zero_()
        layer.query.bias.zero_()
        layer.distance.weight.copy_(0.1 * torch.arange(16.0)[:, None])
    weights = layer(torch.zeros((1, 1, 2)), torch.tensor([[start]]), torch.ones((1, 700, 2)), torch.ones(1, 700) > 0)
    buckets = 10 * (weights / weights[0, 0, 0, start]).log().flatten()
    assert buckets.round().tolist() == [slow_bucket(t - start, half=8) for t in range(700)]


def test_pair_attention_by_hand():
    """Products ½·¼ = ⅛, ½·¼ = ⅛, 0·½ = 0: divided by their sum ½, ½, 0"""
    head, tail = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert pair_attention(head.reshape(1, 1, 1, 3), tail.reshape(1, 1, 1, 3)).flatten().tolist() == [
        0.5,
        0.5,
        0,
    ]


def test_pair_attention_equals_loops():
    torch.manual_seed(0)
    head, tail = torch.rand((2, N_HEADS, 2, 5)).softmax(-1), torch.rand((2, N_HEADS, 4, 5)).softmax(-1)
    fast = pair_attention(head, tail)
    for doc in range(2):
        for i in range(2):
            for j in range(4):
                q = [sum(head[doc, h, i, t] * tail[doc, h, j, t] for h in range(N_HEADS)) for t in range(5)]
                expected = torch.stack(q) / sum(q)
                assert torch.allclose(fast[doc, i * 4 + j], expected, atol=1e-6)


def test_pair_attention_is_symmetric_and_sums_to_one():
    torch.manual_seed(0)
    entities = (3 * torch.randn((1, N_HEADS, 4, 9))).softmax(-1)
    square = pair_attention(entities, entities).reshape(4, 4, 9)
    assert torch.allclose(square, square.transpose(0, 1), atol=1e-6)
    assert torch.allclose(square.sum(-1), torch.ones((4, 4)))


def test_entities_with_nothing_in_common_share_no_token():
    """Not by token, and not by attention head: head 0 of one and head 1 of the other look at token 0."""
    head = torch.tensor([[1.0, 0], [0, 0]]).reshape(1, 2, 1, 2).requires_grad_()
    tail = torch.tensor([[0.0, 0], [1, 0]]).reshape(1, 2, 1, 2)
    shared = pair_attention(head, tail)
    shared.sum().backward()
    assert not shared.any()
    assert head.grad.isfinite().all()


def test_locality_by_hand():
    """Slope 2 for the last head: a token at distance 3 (two doublings) gets e^(-2·2) of the nearest one's weight, on
    both sides; the first head sees all tokens alike."""
    layer = EntityAttention(token_width=WIDTH, n_heads=2, head_width=4, locality=2.0)
    torch.nn.init.zeros_(layer.query.weight)
    torch.nn.init.zeros_(layer.query.bias)
    tokens = torch.randn((1, 7, WIDTH))
    found = layer(tokens[:, 3:4], torch.tensor([[3]]), tokens, torch.ones((1, 7), dtype=torch.bool))[0, :, 0]
    assert found[0].tolist() == pytest.approx([1 / 7] * 7)
    assert (found[1] / found[1, 3]).tolist() == pytest.approx(
        [torch.e**-s for s in (4.0, 2.0, 2.0, 0.0, 2.0, 2.0, 4.0)], rel=1e-5
    )
