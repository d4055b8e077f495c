"""Token vectors of an encoder that knows no capitals, beside those of the words as they are written."""

from functools import partial

import numpy
import pytest
import spacy
from spacy import registry
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from spacy_docre.models.surface import build_surface_tok2vec_v1

TEXTS = ["An Apple fell", "an apple fell", "he saw Rose", "he saw rose"]
ENTS = [["O", "B-ORG", "O"], ["O", "O", "O"], ["O", "O", "B-PER"], ["O", "O", "O"]]


def embedding(attribute: str, width: int) -> dict:
    embed = {"@architectures": "spacy.MultiHashEmbed.v2", "width": width, "attrs": [attribute], "rows": [200]}
    embed["include_static_vectors"] = False
    encode = {"@architectures": "spacy.MaxoutWindowEncoder.v2", "width": width, "window_size": 1, "maxout_pieces": 2}
    return {"@architectures": "spacy.Tok2Vec.v2", "embed": embed, "encode": encode | {"depth": 1}}


UNCASED = embedding("LOWER", 16)
BOTH = {"@architectures": "spacy-docre.SurfaceTok2Vec.v1", "encoder": UNCASED, "surface": embedding("SHAPE", 8)}


def trained(tok2vec: dict):
    nlp = spacy.blank("en")
    nlp.add_pipe("ner", config={"model": {"tok2vec": tok2vec}})
    docs = [Doc(nlp.vocab, words=text.split(), ents=ents) for text, ents in zip(TEXTS, ENTS)]
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    return nlp


def found(nlp) -> list[list[str]]:
    return [[e.text for e in doc.ents] for doc in nlp.pipe(TEXTS)]


def test_a_ner_learns_capitals_that_its_encoder_does_not_know(tmp_path):
    gold = [["Apple"], [], ["Rose"], []]
    assert found(trained(UNCASED)) != gold
    nlp = trained(BOTH)
    assert found(nlp) == gold
    nlp.to_disk(tmp_path / "saved")
    assert found(spacy.load(tmp_path / "saved")) == gold


@pytest.fixture
def parts():
    nlp = spacy.blank("en")
    docs = [nlp("An Apple fell"), nlp("rose"), nlp("")]
    encoder, surface = (registry.resolve({"layer": layer})["layer"] for layer in (UNCASED, BOTH["surface"]))
    model = build_surface_tok2vec_v1(encoder, surface)
    model.initialize(X=docs)
    return model, encoder, surface, docs


def test_vectors_are_those_of_both(parts):
    model, encoder, surface, docs = parts
    assert model.get_dim("nO") == 24
    for both, first, second in zip(model.predict(docs), encoder.predict(docs), surface.predict(docs)):
        numpy.testing.assert_array_equal(both, numpy.hstack([first, second]))
        assert both.shape[1] == 24


def test_empty_documents_tell_no_width():
    """A listener to a transformer gives them vectors of width 0."""
    nlp = spacy.blank("en")
    widths = {"encoder": 16, "surface": 8}
    model = build_surface_tok2vec_v1(*(Model(name, partial(give_zeros, width=w)) for name, w in widths.items()))
    model.initialize(X=[nlp(""), nlp("An Apple fell"), nlp("")])
    assert model.get_dim("nO") == 24


def give_zeros(model: Model, docs: list[Doc], is_train: bool, *, width: int):
    return [numpy.zeros((len(doc), width if len(doc) else 0), dtype="f") for doc in docs], list


def gradients(model) -> list[numpy.ndarray]:
    return [node.get_grad(name).copy() for node in model.walk() for name in node.param_names if node.has_grad(name)]


def test_each_gets_its_own_part_of_the_gradient(parts):
    model, encoder, surface, docs = parts
    of_both, backprop = model.begin_update(docs)
    given = [numpy.random.default_rng(0).normal(size=vectors.shape).astype("f") for vectors in of_both]
    assert backprop(given) == []
    together = gradients(encoder) + gradients(surface)
    for layer, columns in ((encoder, slice(0, 16)), (surface, slice(16, 24))):
        for node in layer.walk():
            for name in node.param_names:
                if node.has_grad(name):
                    node.set_grad(name, numpy.zeros_like(node.get_grad(name)))
        _, back = layer.begin_update(docs)
        back([numpy.ascontiguousarray(gradient[:, columns]) for gradient in given])
    alone = gradients(encoder) + gradients(surface)
    assert len(alone) == len(together) > 4
    for first, second in zip(together, alone):
        numpy.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


def test_a_listener_inside_is_found():
    """By whatever asks a model whether it listens to a transformer."""
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 0.5}
    listener["pooling"] = {"@layers": "reduce_mean.v1"}
    surface = build_surface_tok2vec_v1(
        registry.resolve({"layer": listener})["layer"], registry.resolve({"layer": BOTH["surface"]})["layer"]
    )
    assert surface.get_ref("listener").name == "transformer-listener"
