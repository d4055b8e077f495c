"""R-Drop in the component: the head runs twice, the encoder once."""

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example
from thinc.api import Model

from spacy_docre import set_relations
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.losses.distillation import symmetric_kl
from spacy_docre.models.docre import MAX_PADDING, MAX_TOKENS, to_torch
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..pipelines import (
    crowd,
    hash_pipeline,
    initialised,
    make_hopper_doc,
    overfit,
    scored,
    step,
    transformer_pipeline,
    triples,
    two_examples,
    unlabelled,
)

WIDTH = 8


@spacy.registry.architectures("test_docre_recording_tok2vec")
def recording_tok2vec(width: int) -> Model:
    """Token vectors without weights; calls, and the gradients that arrive, are kept in attrs."""

    def forward(model, docs, is_train):
        model.attrs["calls"].append("forward")

        def backprop(d_vectors):
            model.attrs["calls"].append("backprop")
            model.attrs["gradient"].append([np.array(d) for d in d_vectors])
            return []

        rng = np.random.default_rng(0)
        return [rng.normal(size=(len(doc), width)).astype("float32") for doc in docs], backprop

    return Model("recording", forward, dims={"nO": width}, attrs={"calls": [], "gradient": []})


def recorded(**settings) -> tuple[spacy.Language, list[Example], dict]:
    """A pipeline on such vectors, its examples, and what tok2vec keeps."""
    tok2vec = {"@architectures": "test_docre_recording_tok2vec", "width": WIDTH}
    nlp = initialised(hash_pipeline({"tok2vec": tok2vec}, **settings))
    kept = component_of(nlp).model.get_ref("tok2vec").attrs
    kept["calls"].clear()
    return nlp, two_examples(nlp), kept


def component_of(nlp):
    return nlp.get_pipe("docre_relations")


def head_of(nlp) -> torch.nn.Module:
    return component_of(nlp).model.get_ref("head").shims[0]._model


def gradients(nlp) -> dict[str, np.ndarray]:
    """Of all weights, torch's and thinc's."""
    found = {name: w.grad.numpy().copy() for name, w in head_of(nlp).named_parameters() if w.grad is not None}
    for i, node in enumerate(component_of(nlp).model.walk()):
        found.update({f"{i}.{n}": np.array(node.get_grad(n)) for n in node.grad_names if node.has_grad(n)})
    return found


@pytest.mark.parametrize("rdrop_alpha", [0.0, 1.0])
def test_one_forward_and_one_backward_pass_of_the_encoder_per_update(rdrop_alpha):
    """A listener's backprop is one-shot: the gradient of a second call would be lost."""
    nlp, examples, kept = recorded(rdrop_alpha=rdrop_alpha)
    component_of(nlp).update(examples, drop=0.3)
    assert kept["calls"] == ["forward", "backprop"]


def test_without_dropout_it_changes_nothing():
    """Both passes are the same then: same loss, same gradients of the head and of the token vectors."""
    losses, found = [], []
    for rdrop_alpha in (0.0, 3.0):
        nlp = initialised(hash_pipeline(rdrop_alpha=rdrop_alpha))
        losses.append(component_of(nlp).update(two_examples(nlp), drop=0.0)["docre_relations"])
        found.append(gradients(nlp))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert found[0].keys() == found[1].keys()
    assert any(not name.startswith("docre_head.") and g.any() for name, g in found[0].items())
    for name, gradient in found[0].items():
        assert found[1][name] == pytest.approx(gradient, rel=1e-3, abs=1e-6), name


def torch_twin(nlp, examples, vectors, *, alpha: float, drop: float, seed: int):
    """The loss of two passes written in torch alone, and its gradient for the token vectors of all documents."""
    module, batch = head_of(nlp), PairBatch.from_docs([eg.predicted for eg in examples])
    groups = batch.groups(max_cells=4096, max_tokens=MAX_TOKENS, max_padding=MAX_PADDING, never_across=512)
    grids = [to_torch(batch, group, torch.device("cpu")) for group in groups]
    leaf = torch.tensor(np.concatenate(vectors), requires_grad=True)
    torch.manual_seed(seed)
    module.train()
    first, second = (module(leaf, grids, int(batch.n_pairs.sum()), dropout=drop) for _ in range(2))
    component = component_of(nlp)
    index = {label: i for i, label in enumerate(component.labels)}
    docs = [eg.predicted for eg in examples]
    targets = torch.from_numpy(component.targets(docs, [eg.reference for eg in examples], batch, index).values)
    a, b = first[:, 1:] - first[:, :1], second[:, 1:] - second[:, :1]
    value = (component.loss(a, targets) + component.loss(b, targets)) / 2 + alpha * symmetric_kl(a, b).mean() / 2
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.item(), gradient.numpy()


@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_value_and_gradient_equal_two_passes_in_torch(alpha):
    """What arrives at the token vectors is the sum of both passes'."""
    nlp, examples, kept = recorded(rdrop_alpha=alpha)
    docs = [eg.predicted for eg in examples]
    vectors = component_of(nlp).model.get_ref("tok2vec").predict(docs)
    torch.manual_seed(7)
    loss = component_of(nlp).update(examples, drop=0.4)["docre_relations"]
    expected, gradient = torch_twin(nlp, examples, vectors, alpha=alpha, drop=0.4, seed=7)
    assert loss == pytest.approx(expected, rel=1e-4)
    assert np.concatenate(kept["gradient"][-1]) == pytest.approx(gradient, rel=1e-3, abs=1e-6)


def test_both_passes_have_a_dropout_of_their_own():
    nlp, examples, _ = recorded(rdrop_alpha=1.0)
    component = component_of(nlp)
    component.update(examples, drop=0.5)
    logits, _ = component.model.begin_update([eg.predicted for eg in examples])
    first, second = np.split(logits, 2)
    assert first.shape == (12, 6)
    assert np.abs(first - second).max() > 0.01


def test_it_costs_more_the_larger_alpha_is():
    losses = []
    for alpha in (0.0, 1.0, 10.0):
        nlp, examples, _ = recorded(rdrop_alpha=alpha)
        torch.manual_seed(0)
        losses.append(component_of(nlp).update(examples, drop=0.5)["docre_relations"])
    assert losses[0] != losses[1]
    assert losses[2] > losses[1] + 1e-3


def test_gradients_stay_with_their_documents():
    """Documents of different lengths, one without pairs: each gets an array of its own size."""
    nlp, examples, kept = recorded(rdrop_alpha=1.0)
    lonely = crowd(nlp.vocab, 1, status="complete")
    examples.insert(1, Example(unlabelled(lonely), lonely))
    component_of(nlp).update(examples, drop=0.2)
    gradient = kept["gradient"][-1]
    assert [g.shape for g in gradient] == [(len(eg.predicted), WIDTH) for eg in examples]
    assert [bool(g.any()) for g in gradient] == [True, False, True]


@pytest.mark.parametrize("texts", [[""], ["", "Ada"], ["Ada", "Bob"]])
def test_batches_without_pairs(texts):
    nlp = initialised(hash_pipeline(rdrop_alpha=1.0))
    docs = [nlp.make_doc(text) for text in texts]
    for doc in docs:
        set_relations(doc, [], status="complete")
    losses = step(nlp, [Example(unlabelled(doc), doc) for doc in docs], create_adamw_v1(), drop=0.1)
    assert losses["docre_relations"] == 0


def predictions(nlp) -> list[dict]:
    return [scored(doc) for doc in nlp.pipe(unlabelled(d, nlp.vocab) for d in (make_doc(), make_hopper_doc()))]


def test_predictions_are_those_of_one_pass(tmp_path):
    """Right after an update with two passes, saved and loaded, and with the same weights without R-Drop."""
    nlp = hash_pipeline(rdrop_alpha=2.0)
    overfit(nlp, steps=10, drop=0.1)
    found = predictions(nlp)
    component = component_of(nlp)
    docs = [unlabelled(d, nlp.vocab) for d in (make_doc(), make_hopper_doc())]
    assert [rows.shape for rows in component.predict_logits(docs)] == [(6, 6), (6, 6)]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert component_of(loaded).rdrop_alpha == 2.0
    plain = spacy.load(tmp_path, config={"components": {"docre_relations": {"rdrop_alpha": 0.0}}})
    for other in (loaded, plain):
        assert [p.keys() for p in predictions(other)] == [p.keys() for p in found]
        for one, two in zip(predictions(other), found):
            assert one == pytest.approx(two, abs=1e-6)
    losses = component_of(plain).update(two_examples(plain), drop=0.0)
    assert np.isfinite(losses["docre_relations"])


def test_two_documents_are_learned():
    nlp = hash_pipeline(rdrop_alpha=1.0)
    for example in overfit(nlp, drop=0.1):
        assert triples(nlp(unlabelled(example.reference))) == triples(example.reference)


def test_two_documents_are_learned_through_an_encoder(encoder):
    nlp = transformer_pipeline(encoder, rdrop_alpha=1.0)
    for example in overfit(nlp, drop=0.1):
        assert triples(nlp(unlabelled(example.reference))) == triples(example.reference)


@pytest.mark.parametrize("setting", ["rdrop_alpha", "loss_weight"])
def test_weights_are_not_negative(setting):
    with pytest.raises(ValueError, match=rf"docre-E081.*{setting} must be >= 0, got -0.5"):
        hash_pipeline(**{setting: -0.5})
