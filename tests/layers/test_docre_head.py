"""The whole head: nothing but a document's own tokens and entities decides what it says of them."""

from functools import partial

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from torch import Tensor

from spacy_docre import set_entities
from spacy_docre.features.pair_batch import PairBatch, off_diagonal
from spacy_docre.layers.docre_head import DocREHead, pad_tokens
from spacy_docre.models.docre import MAX_PADDING, to_torch

from .heads import (
    N_LABELS,
    TOKEN_WIDTH,
    WIDTH,
    make_doc,
    make_head,
    make_tokens,
    mixed_docs,
    run,
    run_one_by_one,
)

close = partial(torch.allclose, atol=1e-5)


@pytest.mark.parametrize("max_padding", [0, MAX_PADDING, 100], ids=["none", "default", "one-grid"])
@pytest.mark.parametrize("max_cells", [1, 60, 4096])
def test_batched_equals_one_by_one(max_cells, max_padding):
    """However documents are grouped: padding of tokens, mentions and entities never matters."""
    head, docs = make_head(), mixed_docs()
    tokens = make_tokens(docs)
    batched = run(head, docs, tokens, max_cells, max_padding)
    assert batched.shape == (20 + 2 + 12 + 20 + 6, 1 + N_LABELS)
    assert batched.dtype == torch.float32
    assert close(batched, run_one_by_one(head, docs, tokens))


def test_documents_of_a_batch_get_no_gradient_from_each_other():
    docs = mixed_docs()
    tokens = make_tokens(docs).requires_grad_()
    run(make_head(), docs, tokens, max_padding=100)[:20].pow(2).sum().backward()
    first, *others = tokens.grad.split([len(doc) for doc in docs])
    assert (first != 0).any(-1).all()
    assert not torch.cat(others).any()


def value_and_gradients(head: DocREHead, docs: list[Doc]) -> list[Tensor]:
    tokens = make_tokens(docs).requires_grad_()
    logits = run(head, docs, tokens)
    logits.pow(2).sum().backward()
    assert all(p.grad is not None for p in head.parameters())
    return [logits.detach(), tokens.grad, *(p.grad for p in head.parameters())]


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("max_pair_batch", [1, 13, 40])
def test_chunked_equals_unchunked(max_pair_batch, mode):
    """Chunks of 1, 2 and more of the 6 rows; in training they are recomputed in the backward pass."""
    docs = [make_doc(6), make_doc(3, seed=1)]
    whole = value_and_gradients(make_head().train(mode == "train"), docs)
    chunked = value_and_gradients(make_head(max_pair_batch=max_pair_batch).train(mode == "train"), docs)
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(whole, chunked))


def test_dropout_in_training_only():
    docs, head = [make_doc(4)], make_head()
    tokens = make_tokens(docs)
    before = run(head, docs, tokens)
    head.set_dropout(0.5)
    assert torch.equal(run(head, docs, tokens), before)
    head.train()
    assert not close(run(head, docs, tokens), run(head, docs, tokens))
    head.set_dropout(0.0)
    assert close(run(head, docs, tokens), before)


@pytest.mark.parametrize("max_pair_batch", [4096, 1], ids=["whole", "recomputed"])
def test_dropout_is_the_same_in_the_backward_pass(max_pair_batch):
    """With the same seed, a small step along the gradient changes the sum by the gradient's length."""
    docs, head = [make_doc(4)], make_head(max_pair_batch=max_pair_batch).train()
    head.set_dropout(0.3)
    tokens = make_tokens(docs).requires_grad_()

    def total(tokens: Tensor) -> Tensor:
        torch.manual_seed(7)
        return run(head, docs, tokens).sum()

    value = total(tokens)
    (gradient,) = torch.autograd.grad(value, tokens)
    step = 0.01 / gradient.norm()
    change = (total(tokens + step * gradient) - total(tokens - step * gradient)) / 2
    assert change.item() == pytest.approx(0.01 * gradient.norm().item(), rel=0.02)


@pytest.mark.parametrize("max_pair_batch", [4096, 8])
def test_the_order_of_entities_is_irrelevant(max_pair_batch):
    doc, head = make_doc(5), make_head(max_pair_batch=max_pair_batch)
    order = [3, 0, 4, 1, 2]
    shuffled = make_doc(5)
    entities = [e.mentions for e in doc._.docre_entities]
    set_entities(shuffled, [list(entities[i]) for i in order])
    tokens = make_tokens([doc])
    row = {pair: i for i, pair in enumerate(zip(*(x.tolist() for x in off_diagonal(5))))}
    moved = [row[order[h], order[t]] for h, t in row]
    assert close(run(head, [shuffled], tokens), run(head, [doc], tokens)[moved])


def test_threshold_column_of_zeros():
    """Everything else as with a learned threshold: the label columns have weights."""
    docs = [make_doc(4)]
    tokens = make_tokens(docs)
    logits = run(make_head(learned_threshold=False), docs, tokens)
    assert logits.shape == (12, 1 + N_LABELS)
    assert not logits[:, 0].any()
    assert logits[:, 1:].all()
    assert run(make_head(), docs, tokens)[:, 0].all()


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("max_pair_batch", [4096, 1])
def test_an_entity_without_usable_mention_is_finite(max_pair_batch, mode):
    doc = make_doc(4)
    tokens = make_tokens([doc])
    for mention in doc._.docre_entities[1].mentions:
        tokens[mention.start : mention.end] = 0
    tokens.requires_grad_()
    logits = run(make_head(max_pair_batch=max_pair_batch).train(mode == "train"), [doc], tokens)
    logits.pow(2).sum().backward()
    assert logits.isfinite().all()
    assert tokens.grad.isfinite().all()


def test_two_entities_without_usable_mention_see_no_token():
    """Without axial attention, a pair of them has no context: the other tokens change nothing."""
    doc = Doc(Vocab(), words=["word"] * 6)
    set_entities(doc, [[Span(doc, i, i + 1, label="PER")] for i in range(3)])
    head, tokens = make_head(axial=False), make_tokens([doc])
    tokens[:2] = 0
    other = torch.cat([tokens[:2], tokens[2:] + 1])
    before, after = run(head, [doc], tokens), run(head, [doc], other)
    changed = [not close(a, b) for a, b in zip(before, after)]
    assert changed == [False, True, False, True, True, True]  # (0,1), (0,2), (1,0), (1,2), (2,0), (2,1)


def test_tokens_without_vector_change_nothing():
    """Zero vectors at the end of a document, as windows leave them, are as if they were not there."""
    short, long = make_doc(3, 10), Doc(Vocab(), words=["word"] * 14)
    set_entities(
        long,
        [[Span(long, m.start, m.end, label=m.label_) for m in e.mentions] for e in short._.docre_entities],
    )
    tokens = make_tokens([short])
    padded = torch.cat([tokens, torch.zeros((4, TOKEN_WIDTH))])
    assert close(run(make_head(), [long], padded), run(make_head(), [short], tokens))


def test_large_documents_go_without_axial_attention():
    small, large = [make_doc(3)], [make_doc(4)]
    limited, full, bare = make_head(max_entities_for_axial=3), make_head(), make_head(axial=False)
    for docs, same, different in ((small, full, bare), (large, bare, full)):
        tokens = make_tokens(docs)
        assert close(run(limited, docs, tokens), run(same, docs, tokens))
        assert not torch.allclose(run(limited, docs, tokens), run(different, docs, tokens), atol=1e-3)


def test_axial_attention_does_not_depend_on_the_other_documents():
    head, docs = make_head(max_entities_for_axial=10), [make_doc(10), make_doc(11, seed=1)]
    tokens = make_tokens(docs)
    assert close(run(head, docs, tokens), run_one_by_one(head, docs, tokens))


def test_pair_features_equal_loops_over_pairs():
    """z = tanh(W_e e + W_c c) for head and tail, their bilinear features, and the distance"""
    doc, head = make_doc(4), make_head()
    tokens = make_tokens([doc])
    batch = PairBatch.from_docs([doc])
    grid = to_torch(batch, np.array([0]), torch.device("cpu"))
    padded = pad_tokens(tokens, grid)
    fast = head.pair_features(padded, *head.read_entities(padded, grid), grid)[0]

    entities, attention = head.read_entities(tokens[None], grid)
    for h, t in zip(*off_diagonal(4)):
        shared = (attention[0, :, h] * attention[0, :, t]).sum(0)
        context = head.context_part(shared / shared.sum() @ tokens)
        z_head = torch.tanh(head.entity_part(entities[0, h]) + context)[:WIDTH]
        z_tail = torch.tanh(head.entity_part(entities[0, t]) + context)[WIDTH:]
        slow = head.pair_norm(head.pair_scorer(z_head, z_tail) + head.distance.weight[grid.distance_bucket[0, h, t]])
        assert close(fast[h, t], slow)


def test_entities_equal_loops_over_mentions():
    """Log-sum-exp of the mentions' mean tokens, and their type's rows; the mean of their attention"""
    doc, head = make_doc(4), make_head()
    tokens, usable = make_tokens([doc]), torch.ones((1, len(doc)), dtype=torch.bool)
    grid = to_torch(PairBatch.from_docs([doc]), np.array([0]), torch.device("cpu"))
    entities, attention = head.read_entities(tokens[None], grid)
    for i, entity in enumerate(doc._.docre_entities):
        mentions = torch.stack([tokens[m.start : m.end].mean(0) for m in entity.mentions])
        start = torch.tensor([[m.start for m in entity.mentions]])
        own = head.attention(mentions[None], start, tokens[None], usable)
        assert close(entities[0, i, :TOKEN_WIDTH], mentions.logsumexp(0))
        assert close(entities[0, i, TOKEN_WIDTH:], head.types.weight[grid.types[0, i]].sum(0))
        assert close(attention[0, :, i], own[0].mean(1))


@pytest.mark.parametrize("sizes", [[], [0], [1], [0, 1]])
def test_no_pairs_give_no_logits_but_a_gradient(sizes):
    docs = [make_doc(n) for n in sizes]
    tokens = make_tokens(docs).requires_grad_()
    logits = run(make_head(), docs, tokens)
    logits.sum().backward()
    assert logits.shape == (0, 1 + N_LABELS)
    assert torch.equal(tokens.grad, torch.zeros_like(tokens))


@pytest.mark.filterwarnings("ignore:.*W005")
@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_lower_precision_is_near_and_returned_as_float32(precision):
    docs = mixed_docs()
    logits = run(make_head(precision=precision), docs, make_tokens(docs))
    exact = run(make_head(), docs, make_tokens(docs))
    assert logits.dtype == torch.float32
    assert torch.allclose(logits, exact, atol=0.05)
