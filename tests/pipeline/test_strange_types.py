"""Entity types that the training data did not have: said once, and counted."""

import warnings

import pytest
import spacy
from spacy.tokens import Span

from spacy_docre import set_entities

from ..pipelines import hash_pipeline, overfit


@pytest.fixture(scope="module")
def nlp():
    nlp = hash_pipeline()
    overfit(nlp, steps=1)
    return nlp


def predict(nlp, *types: str) -> list[str]:
    """Two entities of these types -> the warnings about types."""
    doc = nlp.make_doc("Ada met Charles .")
    set_entities(doc, [[Span(doc, i, i + 1, label=x)] for i, x in zip((0, 2), types)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp(doc)
    return [str(w.message) for w in caught if "docre-W013" in str(w.message)]


def test_a_new_type_is_said_once_and_counted(nlp):
    known = nlp.get_pipe("docre_relations").cfg["types"]
    (message,) = predict(nlp, "GPE", known[0])
    assert "GPE; it had " + ", ".join(known) in message
    assert predict(nlp, "GPE", "GPE") == []
    assert nlp.get_pipe("docre_relations").counts["type GPE"] == 3
    assert len(predict(nlp, "FAC", "GPE")) == 1


def test_known_types_are_not_worth_a_word(nlp):
    known = nlp.get_pipe("docre_relations").cfg["types"]
    assert predict(nlp, known[0], known[-1]) == []


def test_types_are_saved_with_the_pipeline(nlp, tmp_path):
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert again.get_pipe("docre_relations").cfg["types"] == nlp.get_pipe("docre_relations").cfg["types"]
    assert len(predict(again, "GPE", "GPE")) == 1


def test_pipelines_of_older_versions_say_nothing(nlp):
    component = nlp.get_pipe("docre_relations")
    types = component.cfg.pop("types")
    try:
        assert predict(nlp, "NEW", "NEW") == []
    finally:
        component.cfg["types"] = types
