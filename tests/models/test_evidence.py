"""Evidence between thinc and torch: the task of a pass, its gradient, and what pairs look at."""

import math

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities, set_relations
from spacy_docre.features.evidence import sentence_starts
from spacy_docre.features.evidence_targets import EvidenceRows
from spacy_docre.features.pair_batch import PairBatch, off_diagonal
from spacy_docre.layers.evidence import LEAST
from spacy_docre.layers.localised_context import pair_attention
from spacy_docre.models import evidence as focus_module
from spacy_docre.models.docre import to_torch
from spacy_docre.models.evidence import predict_focus
from spacy_docre.models.evidence_task import EvidenceTask

from ..conftest import make_doc
from ..pipeline.test_rdrop import component_of, gradients, head_of, recorded
from ..pipelines import crowd, hash_pipeline, initialised, make_hopper_doc, unlabelled

CPU = torch.device("cpu")
CELLS = [(0, 0, 1, 0, 7), (2, 0, 2, 0, 3), (2, 0, 2, 5, 6), (2, 4, 1, 2, 6), (3, 1, 0, 4, 5)]


def make_rows(cells=CELLS, weights=(1, 0.5, 0.5, 1, 1)) -> EvidenceRows:
    return EvidenceRows(*np.array(cells, dtype=np.int64).reshape(-1, 5).T, np.array(weights, dtype=np.float32))


def make_docs(vocab: Vocab | None = None) -> list[Doc]:
    """3 entities and 13 tokens, none and 1, 6 and 6, 3 and 12: several grids."""
    vocab = vocab or Vocab()
    return [make_doc(vocab), crowd(vocab, 0), crowd(vocab, 6), make_hopper_doc(vocab)]


def tuples(tensors) -> list[tuple]:
    columns = (tensors.doc, tensors.head, tensors.tail, tensors.start, tensors.end)
    return list(zip(*(x.tolist() for x in columns)))


def test_rows_go_to_the_grids_of_their_documents_by_hand():
    """Four pairs, so each weighs 2/4. In the first grid document 3 is at place 0, and 0 at place 1."""
    task = EvidenceTask()
    task.begin(make_rows(), 2.0)
    first, second = task.grids([np.array([3, 0]), np.array([2, 5])], CPU)
    assert sorted(tuples(first)) == [(0, 1, 0, 4, 5), (1, 0, 1, 0, 7)]
    assert tuples(second) == [(0, 0, 2, 0, 3), (0, 0, 2, 5, 6), (0, 4, 1, 2, 6)]
    assert first.weight.tolist() == [0.5, 0.5]
    assert second.weight.tolist() == [0.25, 0.25, 0.5]
    assert first.weight.dtype == torch.float32
    assert first.doc.dtype == torch.long


def test_grids_without_evidence_have_no_rows():
    task = EvidenceTask()
    task.begin(make_rows(), 1.0)
    _, empty, beyond = task.grids([np.array([0, 2, 3]), np.array([1]), np.array([7, 4])], CPU)
    assert [len(x) for x in vars(empty).values()] == [0] * 6
    assert tuples(beyond) == []


def test_nothing_to_learn_gives_no_grids():
    task = EvidenceTask()
    assert task.grids([np.array([0])], CPU) is None
    task.begin(make_rows([], []), 1.0)
    assert task.rows is None
    assert task.grids([np.array([0])], CPU) is None
    assert task.end() == 0


def test_a_task_ends_and_begins_anew():
    task = EvidenceTask()
    task.begin(make_rows(), 1.0)
    task.loss += 0.25
    assert task.end() == 0.25
    assert task.grids([np.array([0])], CPU) is None
    task.begin(make_rows(), 1.0)
    assert task.end() == 0


def begun(n_passes: int = 1, weight: float = 3.0, **settings):
    """A model after begin_update with evidence: the pipeline, documents, logits, backprop, what tok2vec keeps."""
    nlp, _, kept = recorded(**settings)
    docs = make_docs(nlp.vocab)
    model = component_of(nlp).model
    model.attrs["n_passes"] = n_passes
    model.attrs["evidence"].begin(make_rows(), weight / n_passes)
    logits, backprop = model.begin_update(docs)
    return nlp, docs, logits, backprop, kept


def torch_twin(nlp, docs, vectors, d_logits):
    """Logits and evidence one document at a time, in torch alone: the loss of evidence, the gradient of tokens, and of
    the weights."""
    module, rows = head_of(nlp).docre_head, make_rows()
    leaves, terms, losses, first = [], [], [], 0
    for i, (doc, tokens) in enumerate(zip(docs, vectors)):
        leaf = torch.tensor(tokens, requires_grad=True)
        leaves.append(leaf)
        n_pairs = len(get_entities(doc)) * (len(get_entities(doc)) - 1)
        if not n_pairs:
            continue
        grid = to_torch(PairBatch.from_docs([doc]), np.array([0]), CPU)
        own = torch.tensor(d_logits[first : first + n_pairs])
        terms.append((module(leaf, [grid], n_pairs) * own).sum())
        first += n_pairs
        (attention,) = module.attention_of(leaf, grid)
        for r in np.flatnonzero(rows.doc == i):
            both = (attention[:, rows.head[r]] * attention[:, rows.tail[r]]).sum(0)
            share = both[rows.start[r] : rows.end[r]].sum() / both.sum()
            losses.append(-float(rows.weight[r]) * torch.log(share + LEAST))
    loss = 3.0 * torch.stack(losses).sum() / 4  # four pairs
    names, weights = zip(*head_of(nlp).named_parameters())
    found = torch.autograd.grad(torch.stack(terms).sum() + loss, [*leaves, *weights], allow_unused=True)
    return loss.item(), found[: len(leaves)], dict(zip(names, found[len(leaves) :]))


@pytest.mark.parametrize("n_passes", [1, 2])
def test_logits_and_evidence_are_learned_together_as_in_torch(n_passes):
    """What arrives at the token vectors, and at the weights; two passes have half of the weight each."""
    nlp, docs, logits, backprop, kept = begun(n_passes)
    d_logits = np.random.default_rng(1).normal(size=(len(logits) // n_passes, logits.shape[1])).astype("f")
    backprop(np.concatenate([d_logits / n_passes] * n_passes))
    found = component_of(nlp).model.attrs["evidence"].end()
    vectors = component_of(nlp).model.get_ref("tok2vec").predict(docs)
    expected, d_tokens, d_weights = torch_twin(nlp, docs, vectors, d_logits)
    assert found == pytest.approx(expected, rel=1e-4)
    for ours, twin, tokens in zip(kept["gradient"][-1], d_tokens, vectors):
        twin = np.zeros_like(tokens) if twin is None else twin.numpy()
        assert ours == pytest.approx(twin, rel=1e-3, abs=1e-5)
    ours = gradients(nlp)
    assert ours.keys() == {name for name, twin in d_weights.items() if twin is not None}
    for name, gradient in ours.items():
        assert np.allclose(gradient, d_weights[name].numpy(), rtol=1e-3, atol=1e-4), name


def test_the_gradient_of_evidence_alone_is_its_slope():
    """With no gradient of logits: a step along it changes the loss by its length."""
    nlp, docs, logits, backprop, kept = begun()
    model = component_of(nlp).model
    tok2vec, task = model.get_ref("tok2vec"), model.attrs["evidence"]
    backprop(np.zeros_like(logits))
    gradient, vectors = kept["gradient"][-1], tok2vec.predict(docs)
    length = math.sqrt(sum(float((g**2).sum()) for g in gradient))
    values = []
    for sign in (1, -1):
        moved = [v + sign * 0.01 / length * g for v, g in zip(vectors, gradient)]
        task.begin(make_rows(), 3.0)
        model.get_ref("head").begin_update((moved, PairBatch.from_docs(docs), task))
        values.append(task.end())
    assert (values[0] - values[1]) / 2 == pytest.approx(0.01 * length, rel=0.02)


def test_logits_are_those_without_evidence():
    nlp, docs, logits, _, _ = begun()
    assert logits == pytest.approx(component_of(nlp).model.predict(docs), abs=1e-6)


def test_predicting_learns_nothing():
    nlp, docs, _, _, _ = begun()
    model = component_of(nlp).model
    task = model.attrs["evidence"]
    task.begin(make_rows(), 1.0)
    model.predict(docs)
    assert task.end() == 0


def test_the_task_is_not_saved_with_the_model():
    nlp, docs, logits, _, _ = begun()
    other, _, _ = recorded()
    for model in (component_of(nlp).model, component_of(other).model):
        model.set_dim("nO", logits.shape[1], force=True)
    loaded = component_of(other).model.from_bytes(component_of(nlp).model.to_bytes())
    task = loaded.attrs["evidence"]
    assert isinstance(task, EvidenceTask)
    assert task.rows is None
    assert loaded.predict(docs) == pytest.approx(logits, abs=1e-6)


@pytest.fixture(scope="module")
def model():
    return component_of(initialised(hash_pipeline())).model


def all_pairs(doc: Doc) -> np.ndarray:
    return np.stack(off_diagonal(len(get_entities(doc))), axis=1)


def slow_focus(model, doc: Doc, starts: list[int]) -> np.ndarray:
    """From the attention of all pairs, part after part."""
    (tokens,) = model.get_ref("tok2vec").predict([doc])
    head = model.get_ref("head").shims[0]._model.docre_head
    with torch.no_grad():
        grid = to_torch(PairBatch.from_docs([doc]), np.array([0]), CPU)
        attention = head.attention_of(torch.from_numpy(tokens), grid)
        n = attention.shape[2]
        every = pair_attention(attention, attention).unflatten(1, (n, n))[0].numpy()
    ends = [*starts[1:], len(doc)]
    return np.array([[every[h, t, a:b].sum() for a, b in zip(starts, ends)] for h, t in all_pairs(doc)])


def long_doc(n_tokens: int = 700, n_entities: int = 5) -> Doc:
    """Without sentences; the entities are far from each other."""
    doc = Doc(Vocab(), words=[f"w{i % 97}" for i in range(n_tokens)])
    step = n_tokens // n_entities
    set_entities(doc, [[Span(doc, i * step, i * step + 1, label="PER")] for i in range(n_entities)])
    return doc


def focus_of(model, docs) -> list[np.ndarray]:
    return predict_focus(model, docs, [all_pairs(doc) for doc in docs], [sentence_starts(doc) for doc in docs])


@pytest.mark.filterwarnings("ignore:.*W009")
def test_focus_equals_the_attention_of_all_pairs_by_sentence(model):
    """Documents with sentences, and a long one by windows, together."""
    docs = [make_doc(), long_doc(), make_hopper_doc()]
    found = focus_of(model, docs)
    assert [x.shape for x in found] == [(6, 2), (20, 22), (6, 2)]
    for doc, shares in zip(docs, found):
        assert shares.dtype == np.float32
        assert shares == pytest.approx(slow_focus(model, doc, sentence_starts(doc)), abs=1e-5)
        assert shares.sum(1) == pytest.approx(1, abs=1e-5)


@pytest.mark.filterwarnings("ignore:.*W009")
@pytest.mark.parametrize("n_rows", [0, 1, 3, 20])
def test_chunks_of_pairs_give_the_same(model, monkeypatch, n_rows):
    """At once: none (which is one), one, three, or all of the 20 pairs."""
    docs = [long_doc()]
    whole, sizes = focus_of(model, docs), []

    def counting(attention, head, *args):
        sizes.append(len(head))
        return share_of_parts(attention, head, *args)

    share_of_parts = focus_module.share_of_parts
    monkeypatch.setattr(focus_module, "share_of_parts", counting)
    monkeypatch.setattr(focus_module, "MAX_FOCUS", n_rows * 2 * 700)  # heads and tokens
    chunked = focus_of(model, docs)
    assert max(sizes) == max(1, n_rows)
    assert sum(sizes) == 20
    assert chunked[0] == pytest.approx(whole[0], abs=1e-6)


def test_focus_of_some_pairs_in_any_order(model):
    """Twice the same, as where a pair has two labels."""
    doc = make_doc()
    (every,) = focus_of(model, [doc])
    pairs = np.array([[2, 1], [0, 1], [2, 1]])
    (some,) = predict_focus(model, [doc], [pairs], [[0, 7]])
    rows = [all_pairs(doc).tolist().index(pair) for pair in pairs.tolist()]
    assert some == pytest.approx(every[rows], abs=1e-6)


def test_documents_do_not_matter_to_each_other(model):
    docs = [make_doc(), make_hopper_doc()]
    alone = [shares for doc in docs for shares in focus_of(model, [doc])]
    for one, other in zip(alone, focus_of(model, docs)):
        assert one == pytest.approx(other, abs=1e-6)


def test_focus_leaves_the_model_and_the_documents_as_they_are(model):
    doc = make_doc()
    before, weights = doc.to_bytes(), model.to_bytes()
    focus_of(model, [doc])
    assert doc.to_bytes() == before
    assert model.to_bytes() == weights


def test_rows_from_references_fit_the_model():
    """From documents to the loss: Ada's first sentence for one pair."""
    nlp, examples, _ = recorded()
    docs = [eg.predicted for eg in examples]
    rows = EvidenceRows.from_docs(docs, [eg.reference for eg in examples])
    model = component_of(nlp).model
    task = model.attrs["evidence"]
    task.begin(rows, 1.0)
    model.begin_update(docs)
    (shares,) = predict_focus(model, docs[:1], [np.array([[0, 1]])], [[0, 7]])
    assert task.end() == pytest.approx(-math.log(shares[0, 0] + LEAST), rel=1e-4)


def test_entities_without_vectors_look_nowhere():
    """Nothing is shared out, nothing is learned, all is finite."""
    nlp, _, kept = recorded()
    doc = unlabelled(make_doc(nlp.vocab))
    set_relations(doc, [])
    model = component_of(nlp).model
    vectors = model.get_ref("tok2vec").predict([doc])
    vectors[0][[0, 1, 7, 5]] = 0
    task = model.attrs["evidence"]
    task.begin(make_rows([(0, 0, 1, 0, 7)], [1]), 1.0)
    logits, backprop = model.get_ref("head").begin_update((vectors, PairBatch.from_docs([doc]), task))
    (gradient,) = backprop(np.zeros_like(logits))
    assert task.end() == pytest.approx(-math.log(LEAST), rel=1e-5)
    assert not gradient.any()
    assert kept["gradient"] == []
