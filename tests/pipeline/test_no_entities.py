"""Text without entities: worth a word where nobody has looked for any."""

import warnings

import pytest
import spacy
from spacy.tokens import Doc

from spacy_docre import get_relations, set_entities
from spacy_docre.errors import once

from ..conftest import make_doc
from ..pipelines import hash_pipeline, overfit
from ..test_old_models import TINY

TEXT = "Ada met Charles ."


@pytest.fixture
def nlp():
    nlp = hash_pipeline()
    overfit(nlp, steps=1)
    return nlp


def said(nlp, *docs: Doc) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [get_relations(doc) for doc in nlp.pipe(docs)] == [()] * len(docs)
    return [str(w.message) for w in caught if "docre-W016" in str(w.message)]


def test_text_that_nobody_looked_at_is_said_once_and_counted(nlp):
    (message,) = said(nlp, nlp.make_doc(TEXT), nlp.make_doc(TEXT))
    assert "docre_relations without entities" in message
    assert "a ner, an entity_ruler" in message
    assert said(nlp, nlp.make_doc(TEXT)) == []
    assert nlp.get_pipe("docre_relations").counts["no entities"] == 3


def test_who_looked_and_found_none_hears_nothing(nlp):
    chosen = nlp.make_doc(TEXT)
    set_entities(chosen, [])
    looked = Doc(nlp.vocab, words=TEXT.split(), ents=["O"] * 4)
    assert said(nlp, chosen, looked, nlp.make_doc("")) == []


@pytest.mark.parametrize("name", ["entity_ruler", "span_ruler"])
def test_components_that_find_none_have_looked(nlp, name):
    settings = {"annotate_ents": True} if name == "span_ruler" else {}
    nlp.add_pipe(name, first=True, config=settings).add_patterns([{"label": "PER", "pattern": "Grace"}])
    assert said(nlp, nlp.make_doc(TEXT)) == []


@pytest.mark.parametrize("before", [True, False])
def test_entities_are_grouped_before_anybody_has_looked(nlp, monkeypatch, before):
    """docre_entities before the ner, or without one."""
    monkeypatch.setattr(once, "_given", set())
    if before:
        nlp.add_pipe("entity_ruler", first=True).add_patterns([{"label": "PER", "pattern": "Grace"}])
    nlp.add_pipe("docre_entities", first=True)
    (message,) = said(nlp, nlp.make_doc(TEXT), nlp.make_doc(TEXT))
    assert "docre_entities without entities" in message
    assert "before docre_entities" in message


def test_entities_are_grouped_after_the_relations(monkeypatch):
    """Too late: relations have grouped doc.ents by name."""
    monkeypatch.setattr(once, "_given", set())
    nlp = spacy.load(TINY)
    nlp.add_pipe("docre_entities")
    with pytest.warns(UserWarning, match="docre-W020.*put docre_entities before it"):
        assert get_relations(nlp(make_doc(nlp.vocab)))


@pytest.mark.filterwarnings("error:.*W020")
def test_annotated_relations_are_no_predicted_ones():
    nlp = spacy.blank("en")
    nlp.add_pipe("docre_entities")
    assert len(get_relations(nlp(make_doc(nlp.vocab)))) == 3
