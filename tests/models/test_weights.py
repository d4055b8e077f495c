"""The head's weights as safetensors."""

import json

import pytest
import spacy
import torch
from safetensors.torch import load

from spacy_docre.models.weights import read_sizes, serialize_head

from ..conftest import make_doc
from ..pipelines import hash_pipeline, initialised, unlabelled


def lazy_head(nlp):
    return nlp.get_pipe("docre_relations").model.get_ref("head").shims[0]._model


def head_bytes(nlp) -> bytes:
    return serialize_head(lazy_head(nlp))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    nlp = initialised(hash_pipeline())
    nlp.to_disk(folder)
    return nlp, folder


def test_the_format_is_safetensors_with_names_and_shapes(saved):
    """8 bytes of length, then a JSON header: no pickle, so loading runs no code."""
    nlp, _ = saved
    data = head_bytes(nlp)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    classifier = header["docre_head.classifier.weight"]
    assert classifier["dtype"] == "F32"
    assert classifier["shape"] == [1 + 5, 32]  # (threshold and n_labels, hidden_width)
    assert all(name.startswith("docre_head.") for name in header if name != "__metadata__")


def test_the_weights_read_back_are_the_heads(saved):
    nlp, _ = saved
    state = lazy_head(nlp).state_dict()
    read = load(head_bytes(nlp))
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_the_sizes_are_in_the_metadata(saved):
    nlp, _ = saved
    assert read_sizes(head_bytes(nlp)) == {"token_width": 32, "n_labels": 5}
    assert read_sizes(head_bytes(hash_pipeline())) is None


def test_safetensors_lie_in_the_saved_pipeline(saved):
    nlp, folder = saved
    assert head_bytes(nlp) in (folder / "docre_relations" / "model").read_bytes()


def test_a_pipeline_that_was_never_initialised_is_saved_and_trained_later(tmp_path):
    hash_pipeline().to_disk(tmp_path)
    nlp = initialised(spacy.load(tmp_path))
    assert len(nlp.get_pipe("docre_relations").predict([make_doc(nlp.vocab)])) == 1


def test_weights_load_into_a_fresh_pipeline(saved):
    """Never initialised: the saved sizes are built. Initialised with other weights: they are replaced."""
    nlp, folder = saved
    doc = unlabelled(make_doc(nlp.vocab))
    expected = nlp.get_pipe("docre_relations").model.predict([doc])
    for fresh in (hash_pipeline(), initialised(hash_pipeline())):
        component = fresh.get_pipe("docre_relations")
        component.from_disk(folder / "docre_relations", exclude=["vocab"])
        assert component.labels == nlp.get_pipe("docre_relations").labels
        assert component.model.predict([unlabelled(doc, fresh.vocab)]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"hidden_width": 48}, {"threshold_column": "zero"}, {"axial": None}, {"attention": {"n_heads": 3}}],
    ids=lambda change: next(iter(change)),
)
def test_a_config_that_does_not_fit_the_weights_is_refused(saved, change):
    _, folder = saved
    config = spacy.util.load_config(folder / "config.cfg")
    model = config["components"]["docre_relations"]["model"]
    for key, value in change.items():
        model[key] = {**model[key], **value} if isinstance(value, dict) else value
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    with pytest.raises(ValueError, match=r"(?s)docre-E046.*config changed after training"):
        nlp.get_pipe("docre_relations").from_disk(folder / "docre_relations", exclude=["vocab"])


def test_the_problem_is_named(saved):
    _, folder = saved
    changed = {"components": {"docre_relations": {"model": {"hidden_width": 48}}}}
    with pytest.raises(ValueError, match=r"docre-E046.*bias \[32\] in place of \[48\].* in all"):
        spacy.load(folder, config=changed)
