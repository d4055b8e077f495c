"""Attention that is taught by evidence: against loops, by hand, and in the head."""

import math
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from spacy_docre.features.evidence_targets import EvidenceRows
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.layers import docre_head
from spacy_docre.layers.docre_head import GridTensors
from spacy_docre.layers.evidence import LEAST, EvidenceTensors, evidence_loss, focus_of_pairs, share_of_parts
from spacy_docre.layers.localised_context import pair_attention
from spacy_docre.models.docre import to_torch
from spacy_docre.models.evidence_task import EvidenceTask

from .heads import make_doc, make_head, make_tokens, mixed_docs, run

close = partial(torch.allclose, atol=1e-6)
CPU = torch.device("cpu")


def make_attention(n_docs: int = 3, n_heads: int = 2, n_entities: int = 4, n_tokens: int = 9) -> Tensor:
    """Rows of each head sum to 1, as those of `EntityAttention` do."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand((n_docs, n_heads, n_entities, n_tokens), generator=generator).softmax(-1)


def make_rows(*rows: tuple[int, int, int, int, int, float]) -> EvidenceTensors:
    """(doc, head, tail, start, end, weight) each"""
    *indices, weight = zip(*rows)
    return EvidenceTensors(*(torch.tensor(x) for x in indices), torch.tensor(weight))


ROWS = make_rows((0, 0, 1, 0, 3, 1.0), (0, 3, 2, 2, 9, 0.5), (0, 3, 2, 0, 1, 0.5), (2, 1, 0, 4, 5, 1.0))


def test_focus_equals_rows_of_the_attention_of_all_pairs():
    attention = make_attention()
    every = pair_attention(attention, attention).unflatten(1, (4, 4))  # (n_docs, n_entities, n_entities, n_tokens)
    doc, head, tail = (x.flatten() for x in torch.meshgrid(*map(torch.arange, (3, 4, 4)), indexing="ij"))
    assert close(focus_of_pairs(attention, doc, head, tail), every.flatten(0, 2))
    assert close(focus_of_pairs(attention, ROWS.doc, ROWS.head, ROWS.tail), every[ROWS.doc, ROWS.head, ROWS.tail])


def test_focus_by_hand():
    """Two heads, three tokens: (.5·.2 + 0, .5·.8 + 1·.5, 0 + 0) = (.1, .9, 0)"""
    attention = torch.tensor([[[[0.5, 0.5, 0], [0.2, 0.8, 0]], [[0, 1, 0], [0.5, 0.5, 0]]]])
    zero, one = torch.tensor([0]), torch.tensor([1])
    assert close(focus_of_pairs(attention, zero, zero, one), torch.tensor([[0.1, 0.9, 0]]))
    assert close(focus_of_pairs(attention, zero, one, zero), torch.tensor([[0.1, 0.9, 0]]))


def test_entities_that_look_at_different_tokens_have_no_focus():
    attention = torch.eye(2)[None, None].clone().requires_grad_()
    rows = make_rows((0, 0, 1, 0, 1, 1.0))
    assert not focus_of_pairs(attention, rows.doc, rows.head, rows.tail).any()
    loss = evidence_loss(attention, rows)
    assert loss.item() == pytest.approx(-math.log(LEAST), rel=1e-5)
    loss.backward()
    assert attention.grad.isfinite().all()


def test_the_loss_by_hand():
    """The focus is (.1, .9, 0). Evidence is the first token for a half, the last two for the other: -½ln .1 - ½ln .9"""
    attention = torch.tensor([[[[0.5, 0.5, 0], [0.2, 0.8, 0]], [[0, 1, 0], [0.5, 0.5, 0]]]])
    loss = evidence_loss(attention, make_rows((0, 0, 1, 0, 1, 0.5), (0, 0, 1, 1, 3, 0.5)))
    assert loss.item() == pytest.approx(-0.5 * math.log(0.1) - 0.5 * math.log(0.9), abs=1e-4)
    assert evidence_loss(attention, make_rows((0, 0, 1, 0, 3, 1.0))).item() == pytest.approx(0, abs=1e-5)


def slow_loss(attention: Tensor, rows: EvidenceTensors) -> float:
    total = 0.0
    attention = attention.detach()
    columns = (rows.doc, rows.head, rows.tail, rows.start, rows.end, rows.weight)
    for doc, head, tail, start, end, weight in zip(*(x.tolist() for x in columns)):
        both = [sum(float(a[head, t] * a[tail, t]) for a in attention[doc]) for t in range(attention.shape[-1])]
        share = sum(both[start:end]) / max(sum(both), 1e-10)
        total -= weight * math.log(share + LEAST)
    return total


def test_the_loss_equals_loops():
    attention = make_attention()
    assert evidence_loss(attention, ROWS).item() == pytest.approx(slow_loss(attention, ROWS), rel=1e-5)
    assert evidence_loss(attention, ROWS).shape == ()


def test_no_rows_cost_nothing():
    attention = make_attention().requires_grad_()
    empty = EvidenceTensors(*(torch.zeros(0, dtype=torch.long) for _ in range(5)), torch.zeros(0))
    loss = evidence_loss(attention, empty)
    loss.backward()
    assert loss.item() == 0
    assert not attention.grad.any()


def test_better_attention_costs_less():
    """More of it within the evidence, wherever the rest is."""
    losses = []
    for share in (0.0, 0.1, 0.5, 0.99):
        row = torch.tensor([share / 2, share / 2, (1 - share) / 2, (1 - share) / 2]).sqrt()
        losses.append(evidence_loss(row.expand(1, 1, 2, 4), make_rows((0, 0, 1, 0, 2, 1.0))).item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(-math.log(0.99), abs=1e-3)


@pytest.fixture
def doubles(monkeypatch):
    """The layer computes in float32 whatever comes in, but for gradcheck."""
    monkeypatch.setattr(Tensor, "float", lambda x: x.double())


@pytest.mark.usefixtures("doubles")
def test_gradients_in_float64():
    logits = torch.randn((2, 2, 4, 5), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = make_rows((0, 0, 1, 0, 3, 1.0), (0, 3, 2, 2, 5, 0.5), (0, 3, 2, 0, 1, 0.5), (1, 1, 0, 4, 5, 1.0))
    loss = partial(evidence_loss, rows=rows)
    assert torch.autograd.gradcheck(lambda x: loss(x.softmax(-1)), (logits.requires_grad_(),))
    assert torch.autograd.gradcheck(loss, (logits.detach().softmax(-1).requires_grad_(),))


def test_inputs_stay_as_they_are():
    attention = make_attention()
    before = attention.clone()
    evidence_loss(attention, ROWS)
    share_of_parts(attention[:1], ROWS.head, ROWS.tail, torch.tensor([4, 9]))
    assert torch.equal(attention, before)


def test_shares_of_parts_by_hand():
    """The focus is (.1, .9, 0): one token, then two; or all; or each on its own."""
    attention = torch.tensor([[[[0.5, 0.5, 0], [0.2, 0.8, 0]], [[0, 1, 0], [0.5, 0.5, 0]]]])
    head, tail = torch.tensor([0, 1]), torch.tensor([1, 0])
    for ends, expected in (([1, 3], [0.1, 0.9]), ([3], [1.0]), ([1, 2, 3], [0.1, 0.9, 0.0]), ([2, 3], [1.0, 0.0])):
        found = share_of_parts(attention, head, tail, torch.tensor(ends))
        assert close(found, torch.tensor([expected] * 2))


@pytest.mark.parametrize("ends", [[9], [1, 9], [3, 4, 9], list(range(1, 10))])
def test_shares_of_parts_equal_loops(ends):
    attention = make_attention(n_docs=1)
    head, tail = torch.tensor([0, 1, 3, 2]), torch.tensor([1, 0, 2, 0])
    found = share_of_parts(attention, head, tail, torch.tensor(ends))
    assert found.shape == (4, len(ends))
    assert close(found.sum(1), torch.ones(4))
    for h, t, row in zip(head, tail, found):
        both = [sum(float(a[h, i] * a[t, i]) for a in attention[0]) for i in range(9)]
        for start, end, share in zip([0, *ends], ends, row):
            assert share.item() == pytest.approx(sum(both[start:end]) / sum(both), abs=1e-6)


def test_the_loss_is_minus_the_log_of_the_share():
    attention = make_attention(n_docs=1)
    (share,) = share_of_parts(attention, torch.tensor([1]), torch.tensor([2]), torch.tensor([2, 6, 9]))
    loss = evidence_loss(attention, make_rows((0, 1, 2, 2, 6, 1.0)))
    assert loss.item() == pytest.approx(-math.log(share[1].item() + LEAST), rel=1e-5)


def grid_of(docs) -> GridTensors:
    return to_torch(PairBatch.from_docs(docs), np.arange(len(docs)), CPU)


def test_attention_of_equals_what_the_head_reads():
    head, docs = make_head(), [make_doc(4), make_doc(3, 11, seed=1)]
    tokens = make_tokens(docs)
    attention = head.attention_of(tokens, grid_of(docs))
    assert attention.shape == (2, 2, 4, 20)
    assert close(attention[:, :, :3].sum(-1), torch.ones((2, 2, 3)))
    assert not attention[1, :, 3].any()  # padding of entities
    assert not attention[1, :, :, 11:].any()  # and of tokens
    (alone,) = head.attention_of(tokens[20:], grid_of(docs[1:]))
    assert close(alone, attention[1, :, :3, :11])


def random_rows(docs) -> EvidenceRows:
    """One or two ranges for some pairs of each document, in the order of documents."""
    rng = np.random.default_rng(0)
    rows = []
    for i, doc in enumerate(docs):
        n = len(doc._.docre_entities)
        for head, tail in sorted({tuple(rng.choice(n, 2, replace=False).tolist()) for _ in range(n)} if n > 1 else ()):
            n_ranges = int(rng.integers(1, 3))
            for start in sorted(rng.choice(len(doc) - 1, n_ranges, replace=False).tolist()):
                rows.append((i, head, tail, start, int(rng.integers(start + 1, len(doc) + 1)), 1 / n_ranges))
    *indices, weight = zip(*rows)
    return EvidenceRows(*(np.array(x) for x in indices), np.array(weight, dtype=np.float32))


def rows_of(rows: EvidenceRows, doc: int) -> EvidenceRows:
    chosen = {f.name: getattr(rows, f.name)[rows.doc == doc] for f in fields(rows)}
    return EvidenceRows(**{**chosen, "doc": np.zeros_like(chosen["doc"])})


def run_with_evidence(head, docs, tokens: Tensor, rows: EvidenceRows, weight: float, **limits):
    """Logits and loss, however the documents are grouped."""
    batch = PairBatch.from_docs(docs)
    limits = {"max_cells": 4096, "max_tokens": 10**9, "max_padding": 0.25, **limits}
    groups = list(batch.groups(**limits))
    task = EvidenceTask()
    task.begin(rows, weight)
    grids = [to_torch(batch, group, CPU) for group in groups]
    logits, loss = head(tokens, grids, int(batch.n_pairs.sum()), evidence=task.grids(groups, CPU))
    return logits, loss, len(grids)


GROUPINGS = {"one by one": {"max_cells": 1}, "several": {"max_padding": 0.25}, "all": {"max_padding": 100}}


@pytest.mark.parametrize("limits", GROUPINGS.values(), ids=GROUPINGS)
def test_the_loss_of_a_batch_is_the_mean_over_pairs_one_document_at_a_time(limits):
    """The small documents are computed first: the rows go with their documents."""
    head, docs = make_head(), mixed_docs()
    tokens, rows = make_tokens(docs), random_rows(docs)
    _, loss, n_grids = run_with_evidence(head, docs, tokens, rows, 0.7, **limits)
    assert (n_grids > 1) == (limits != GROUPINGS["all"])
    total = n_pairs = 0.0
    for i, part in enumerate(tokens.split([len(doc) for doc in docs])):
        own = rows_of(rows, i)
        if len(own):
            tensors = EvidenceTensors(**{name: torch.from_numpy(x) for name, x in vars(own).items()})
            total += slow_loss(head.attention_of(part, grid_of([docs[i]])), tensors)
            n_pairs += own.weight.sum()
    assert n_pairs == len({(d, h, t) for d, h, t in zip(rows.doc, rows.head, rows.tail)})
    assert loss.item() == pytest.approx(0.7 * total / n_pairs, rel=1e-4)


def test_logits_are_the_same_with_evidence():
    head, docs = make_head(), mixed_docs()
    tokens = make_tokens(docs)
    logits, _, _ = run_with_evidence(head, docs, tokens, random_rows(docs), 1.0)
    assert torch.equal(logits, run(head, docs, tokens))


@pytest.mark.parametrize("max_pair_batch", [4096, 7])
def test_a_step_along_the_gradient_changes_logits_and_evidence_by_its_length(max_pair_batch):
    """Recomputed features or not."""
    docs, head = [make_doc(4), make_doc(3, 11, seed=1)], make_head(max_pair_batch=max_pair_batch).train()
    tokens, rows = make_tokens(docs).requires_grad_(), random_rows(docs)

    def total(tokens: Tensor) -> Tensor:
        logits, loss, _ = run_with_evidence(head, docs, tokens, rows, 10.0)
        return logits.sum() + loss

    (gradient,) = torch.autograd.grad(total(tokens), tokens)
    step = 0.01 / gradient.norm()
    change = (total(tokens + step * gradient) - total(tokens - step * gradient)) / 2
    assert change.item() == pytest.approx(0.01 * gradient.norm().item(), rel=0.02)


def test_evidence_teaches_attention_and_nothing_behind_it():
    head, docs = make_head(), mixed_docs()
    _, loss, _ = run_with_evidence(head, docs, make_tokens(docs), random_rows(docs), 1.0)
    loss.backward()
    learned = {name for name, w in head.named_parameters() if w.grad is not None and w.grad.any()}
    assert {"attention.query.weight", "attention.key.weight", "attention.distance.weight"} <= learned
    assert all(name.startswith("attention.") for name in learned)


def test_padding_gets_no_evidence():
    """In one grid with longer documents, the loss and its gradient are those of the document alone."""
    head, docs = make_head(), mixed_docs()
    parts = make_tokens(docs).split([len(doc) for doc in docs])
    rows = rows_of(random_rows(docs), 3)
    alone = parts[3].clone().requires_grad_()
    _, loss, _ = run_with_evidence(head, [docs[3]], alone, rows, 1.0)
    loss.backward()
    together = torch.cat(parts).requires_grad_()
    moved = EvidenceRows(**{**vars(rows), "doc": np.full(len(rows), 3)})
    _, other, _ = run_with_evidence(head, docs, together, moved, 1.0, max_padding=100)
    other.backward()
    gradients = together.grad.split([len(doc) for doc in docs])
    assert other.item() == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(gradients[3], alone.grad, atol=1e-5)
    assert not any(g.any() for i, g in enumerate(gradients) if i != 3)


@pytest.mark.filterwarnings("ignore:.*W005")
@pytest.mark.parametrize("precision", ["bfloat16", "float16", "auto"])
def test_lower_precision_is_near(precision):
    docs = mixed_docs()
    tokens, rows = make_tokens(docs), random_rows(docs)
    _, loss, _ = run_with_evidence(make_head(precision=precision), docs, tokens.requires_grad_(), rows, 1.0)
    _, exact, _ = run_with_evidence(make_head(), docs, tokens, rows, 1.0)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.03)
    loss.backward()
    assert tokens.grad.isfinite().all()


def test_gradients_of_peaked_attention_are_finite_in_float16(monkeypatch):
    """As on a GPU, where the loss is scaled up: entities that look at few tokens have little in common."""
    monkeypatch.setattr(docre_head, "autocast", lambda *_: torch.autocast("cpu", dtype=torch.float16))
    docs, head = mixed_docs(), make_head()
    with torch.no_grad():
        for linear in (head.attention.query, head.attention.key):
            linear.weight.mul_(4)
    tokens = make_tokens(docs).requires_grad_()
    _, loss, _ = run_with_evidence(head, docs, tokens, random_rows(docs), 0.1)
    (2**8 * loss).backward()
    assert tokens.grad.isfinite().all()
