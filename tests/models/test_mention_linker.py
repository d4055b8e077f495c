"""The architecture that scores candidate pairs of names: many documents at once, gradients, saved weights."""

import copy

import numpy as np
import pytest
import torch
from spacy import registry
from spacy.tokens import Doc, Span
from thinc.api import Model, fix_random_seed, set_dropout_rate

from spacy_docre.grouping.candidates import N_FEATURES, Candidates, find_candidates
from spacy_docre.models.mention_linker import build_mention_linker_v1, to_torch
from spacy_docre.models.weights import read_sizes, serialize_head

from ..grouping.mentions import vocab_of
from ..pipelines import HASH_EMBED

WIDTH = 6


def candidates(text: str) -> Candidates:
    """ "[Ulm] is": what is marked are places."""
    words = text.split()
    doc = Doc(vocab_of("en"), words=[word.strip("[]") for word in words])
    starts = [i for i, word in enumerate(words) if word.startswith("[")]
    ends = [i + 1 for i, word in enumerate(words) if word.endswith("]")]
    mentions = [Span(doc, start, end, label="LOC") for start, end in zip(starts, ends)]
    return find_candidates(doc, mentions, [same_text])


def same_text(doc: Doc, mentions) -> list[tuple[int, int]]:
    texts = [m.text for m in mentions]
    return [(texts.index(text), i) for i, text in enumerate(texts)]


TWO = candidates("[New York] is not [Ulm] . [New York] and [Bonn] ?")
NONE = candidates("Nobody was here .")
EMPTY = candidates("")
ONE = candidates("In [Ulm] , [Ulm] .")
FOUR = candidates("[Rome] [Turin] [Pisa] and [Rome] , [Siena]")
BATCH = [TWO, NONE, EMPTY, ONE, FOUR]
N_TOKENS = [11, 4, 0, 5, 7]


class Fixed:
    """Token vectors that are given, one array for each document; keeps the gradients that come back."""

    def __init__(self) -> None:
        self.gradients: list[np.ndarray] = []
        self.n_calls = 0
        self.model = Model("fixed", self.forward, dims={"nO": WIDTH})

    def forward(self, model: Model, docs: list[Doc], is_train: bool):
        self.n_calls += 1
        rngs = [np.random.default_rng(len(doc)) for doc in docs]
        # A transformer's listener gives (0, 0) for a document without tokens.
        vectors = [r.normal(size=(len(d), WIDTH if len(d) else 0)).astype("f") for r, d in zip(rngs, docs)]

        def backprop(gradients: list[np.ndarray]) -> list[Doc]:
            self.gradients = gradients
            return docs

        return vectors, backprop


def linker(tok2vec: Model | None = None) -> Model:
    fix_random_seed(0)
    model = build_mention_linker_v1(tok2vec or Fixed().model, hidden_width=16)
    model.initialize(X=[TWO])
    return model


def hash_linker(hidden_width: int = 16, *, initialise: bool = True) -> Model:
    settings = {"tok2vec": HASH_EMBED, "hidden_width": hidden_width}
    config = {"model": {"@architectures": "spacy-docre.MentionLinker.v1", **settings}}
    fix_random_seed(0)
    model = registry.resolve(config)["model"]
    if initialise:
        model.initialize(X=[TWO])
    return model


def test_names_of_several_documents_by_hand():
    """11 tokens and 3 names come before the second document, 16 and 3 before the third; Ulm is mentioned twice there.

    New York is name 0 and is mentioned at 0 and at 6.
    """
    names = to_torch([TWO, ONE, candidates("[Rome] or [Pisa]")], torch.device("cpu"))
    assert names.start.tolist() == [0, 4, 6, 9, 12, 14, 16, 18]
    assert names.end.tolist() == [2, 5, 8, 10, 13, 15, 17, 19]
    assert names.name.tolist() == [0, 1, 0, 2, 3, 3, 4, 5]
    assert names.n_names == 6
    assert names.pairs.tolist() == [[0, 1], [0, 2], [1, 2], [4, 5]]
    assert names.features.shape == (4, N_FEATURES)
    assert names.features[:3].tolist() == TWO.features.tolist()


@pytest.mark.parametrize("batch", [[NONE], [EMPTY], [ONE, NONE, EMPTY]], ids=["no names", "no tokens", "no pairs"])
def test_documents_without_pairs_are_arrays_without_rows(batch):
    names = to_torch(batch, torch.device("cpu"))
    assert (names.pairs.shape, names.features.shape) == ((0, 2), (0, N_FEATURES))
    assert names.pairs.dtype == names.start.dtype == torch.int64


@pytest.mark.parametrize("make", [linker, hash_linker])
def test_a_batch_is_as_single_documents(make):
    """There are 3 pairs of 3 names, and 6 of 4."""
    model = make()
    together = model.predict(BATCH)
    assert together.shape == (3 + 6,)
    alone = [model.predict([x]) for x in (TWO, FOUR)]
    assert together == pytest.approx(np.concatenate(alone), abs=1e-5)
    assert model.predict(BATCH[::-1]) == pytest.approx(np.concatenate(alone[::-1]), abs=1e-5)
    assert together.std() > 1e-3


def test_training_and_prediction_are_the_same_without_dropout():
    model = hash_linker()
    assert model.begin_update(BATCH)[0] == pytest.approx(model.predict(BATCH), abs=1e-6)


def test_dropout_is_of_training_only():
    model = hash_linker()
    expected = model.predict(BATCH)
    set_dropout_rate(model, 0.5)
    assert model.predict(BATCH) == pytest.approx(expected, abs=1e-6)
    assert model.begin_update(BATCH)[0] != pytest.approx(expected, abs=1e-3)
    set_dropout_rate(model, 0.0)
    assert model.begin_update(BATCH)[0] == pytest.approx(expected, abs=1e-6)


def test_gradients_come_back_for_each_document():
    """As torch has them for all tokens at once; zero without names, and of the shape that the encoder gave."""
    tok2vec = Fixed()
    model = linker(tok2vec.model)
    logits, backprop = model.begin_update(BATCH)
    d_logits = np.linspace(-1, 1, len(logits)).astype("f")
    backprop(d_logits)
    vectors, _ = tok2vec.forward(tok2vec.model, [x.doc for x in BATCH], False)
    tokens = torch.tensor(np.concatenate([v for v in vectors if len(v)]), requires_grad=True)
    head = model.get_ref("head").shims[0]._model.docre_head
    head(tokens, to_torch(BATCH, torch.device("cpu"))).backward(torch.tensor(d_logits))
    assert [d.shape for d in tok2vec.gradients] == [v.shape for v in vectors]
    assert [len(d) for d in tok2vec.gradients] == N_TOKENS
    flat = np.concatenate([d for d in tok2vec.gradients if len(d)])
    assert flat == pytest.approx(tokens.grad.numpy(), abs=1e-6)
    assert np.abs(tok2vec.gradients[0]).sum() > 1e-3
    assert np.abs(tok2vec.gradients[1]).sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("batch", [[NONE], [ONE], [EMPTY, ONE, NONE]], ids=["no names", "one name", "several"])
def test_the_encoder_gets_a_gradient_without_pairs_too(batch):
    tok2vec = Fixed()
    logits, backprop = linker(tok2vec.model).begin_update(batch)
    assert logits.shape == (0,)
    backprop(np.zeros(0, dtype="f"))
    assert [d.shape for d in tok2vec.gradients] == [(len(x.doc), WIDTH if len(x.doc) else 0) for x in batch]
    assert not any(d.any() for d in tok2vec.gradients)


def test_the_encoder_is_called_once_for_all_documents():
    tok2vec = Fixed()
    model = linker(tok2vec.model)
    model.predict(BATCH)
    assert tok2vec.n_calls == 1


def test_one_seed_one_model_and_new_weights_when_initialised_again():
    first, second = hash_linker(), hash_linker()
    assert (first.predict([FOUR]) == second.predict([FOUR])).all()
    second.initialize(X=[TWO])
    assert first.predict([FOUR]) != pytest.approx(second.predict([FOUR]), abs=1e-4)


def test_a_copy_predicts_the_same_and_has_weights_of_its_own():
    """(thinc's own Model.copy loses the references of every model.)"""
    model = hash_linker()
    expected = model.predict(BATCH)
    other = copy.deepcopy(model)
    assert (other.predict(BATCH) == expected).all()
    with torch.no_grad():
        other.get_ref("head").shims[0]._model.docre_head.output.bias.add_(1.0)
    assert other.predict(BATCH) == pytest.approx(expected + 1, abs=1e-5)
    assert (model.predict(BATCH) == expected).all()


@pytest.mark.parametrize("initialise", [False, True], ids=["new", "initialised"])
def test_weights_load_into_another_model(initialise, tmp_path):
    """Never initialised: the saved sizes are built. Initialised with other weights: they are replaced."""
    model = hash_linker()
    model.to_disk(tmp_path / "model")
    for load in (lambda m: m.from_bytes(model.to_bytes()), lambda m: m.from_disk(tmp_path / "model")):
        other = hash_linker(initialise=initialise)
        if initialise:
            other.initialize(X=[TWO])
        assert (load(other).predict(BATCH) == model.predict(BATCH)).all()


def test_weights_are_safetensors_with_their_sizes():
    head = hash_linker().get_ref("head").shims[0]._model
    assert read_sizes(serialize_head(head)) == {"token_width": 32, "n_features": N_FEATURES}
    assert all(name.startswith("docre_head.") for name, _ in head.named_parameters())  # the optimizer's head rate


def test_weights_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"(?s)docre-E046.*config changed after training"):
        hash_linker(hidden_width=8).from_bytes(hash_linker(hidden_width=16).to_bytes())


def listening() -> Model:
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0}
    listener["pooling"] = {"@layers": "reduce_mean.v1"}
    return registry.resolve({"model": listener})["model"]


@pytest.mark.parametrize("batch", [None, []], ids=["nothing", "no documents"])
def test_a_listener_that_nobody_has_told_its_width_is_refused(batch):
    with pytest.raises(ValueError, match="docre-E042"):
        build_mention_linker_v1(listening()).initialize(X=batch)


def test_a_listener_that_nobody_has_told_its_width_is_refused_with_documents_too():
    with pytest.raises(ValueError, match="docre-E042"):
        build_mention_linker_v1(listening()).initialize(X=[TWO])
