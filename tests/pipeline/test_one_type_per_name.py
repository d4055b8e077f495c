"""A name has one type in a document, whatever a `ner` says of each of its mentions."""

import pytest
import spacy
from spacy.tokens import Doc, Span

from .test_docre_entities import entities

WORDS = "Metallica played . The Metallica tour was Metallica 's 11 th since 11 years , and Red met Red".split()


def doc_of(nlp, *ents: tuple) -> Doc:
    """ents: first token, token after the last, type, and if wanted a knowledge-base id"""
    doc = Doc(nlp.vocab, words=WORDS)
    doc.ents = [Span(doc, start, end, label, kb_id="".join(kb_id)) for start, end, label, *kb_id in ents]
    return doc


def grouped(*ents: tuple, **settings) -> Doc:
    nlp = spacy.blank("en")
    nlp.add_pipe("docre_entities", config=settings)
    return nlp(doc_of(nlp, *ents))


def found(*ents: tuple, **settings) -> list[tuple[list[str], str]]:
    doc = grouped(*ents, **settings)
    return list(zip(entities(doc), [entity.label for entity in doc._.docre_entities]))


def types(*ents: tuple, **settings) -> list[str]:
    doc = grouped(*ents, **settings)
    return [m.label_ for m in sorted(doc.spans["docre_mentions"])]


BAND = (0, 1, "ORG"), (3, 5, "MISC"), (7, 8, "ORG")


def test_most_mentions_decide():
    assert found(*BAND) == [(["Metallica", "The Metallica", "Metallica"], "ORG")]
    assert types(*BAND) == ["ORG"] * 3


def test_without_it_each_mention_keeps_its_type():
    separate = [(["Metallica", "Metallica"], "ORG"), (["The Metallica"], "MISC")]
    assert found(*BAND, one_type_per_name=False) == separate


@pytest.mark.parametrize("first", ["PER", "MISC"])
def test_of_as_many_the_first_decides(first):
    second = {"PER": "MISC", "MISC": "PER"}[first]
    assert types((16, 17, first), (18, 19, second)) == [first, first]


def test_a_name_of_two_things_has_two_types():
    """Where a knowledge base says so: the band twice, and its first album."""
    ents = (0, 1, "ORG", "Q15920"), (3, 5, "MISC", "Q207525"), (7, 8, "ORG", "Q15920")
    assert types(*ents) == ["ORG", "MISC", "ORG"]
    assert found(*ents) == [(["Metallica", "Metallica"], "ORG"), (["The Metallica"], "MISC")]


def test_quantities_keep_their_own():
    """Eleven of anything, and the eleventh, are not the same."""
    assert types((9, 10, "ORDINAL"), (12, 13, "CARDINAL")) == ["ORDINAL", "CARDINAL"]


def test_ents_keep_their_types():
    nlp = spacy.blank("en")
    nlp.add_pipe("docre_entities")
    doc = nlp(doc_of(nlp, *BAND))
    assert [e.label_ for e in doc.ents] == ["ORG", "MISC", "ORG"]


def test_types_are_counted_after_they_were_mapped():
    """Two kinds of place against one organisation."""
    ents = (0, 1, "ORG"), (3, 5, "FAC"), (7, 8, "GPE")
    assert types(*ents, type_map={"FAC": "LOC", "GPE": "LOC"}) == ["LOC"] * 3
    assert types(*ents) == ["ORG"] * 3
