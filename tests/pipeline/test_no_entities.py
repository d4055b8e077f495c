"""Text without entities: worth a word where nobody has looked for any."""

import warnings

import pytest
from spacy.tokens import Doc

from spacy_docre import get_relations, set_entities

from ..pipelines import hash_pipeline, overfit

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
