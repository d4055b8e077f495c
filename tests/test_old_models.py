"""Pipelines that were trained with an earlier release still load, and still say the same."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

from spacy_docre import get_relations
from spacy_docre.annotations import copy_mentions

from .conftest import make_doc

TINY = Path(__file__).parent / "fixtures" / "tiny_model"


def test_the_tiny_model_finds_what_it_was_trained_on():
    """Ada Lovelace was born in London and worked with Charles Babbage, and he with her; scores as when it was made."""
    nlp = spacy.load(TINY)
    gold = make_doc(nlp.vocab)
    doc = Doc(nlp.vocab, words=[t.text for t in gold])
    copy_mentions(gold, doc)
    found = {(r.head.name, r.label_, r.tail.name): r.score for r in get_relations(nlp(doc))}
    assert found == pytest.approx(
        {
            ("Ada Lovelace", "place of birth", "London"): 0.99,
            ("Ada Lovelace", "colleague", "Charles Babbage"): 0.99,
            ("Charles Babbage", "colleague", "Ada Lovelace"): 0.99,
        },
        abs=0.011,
    )
