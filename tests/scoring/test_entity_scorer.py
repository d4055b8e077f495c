"""The scorer of `docre_entities`: found entities against annotated ones, by hand and in a pipeline."""

import sys

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry
from spacy.vocab import Vocab

from spacy_docre import set_entities
from spacy_docre.scoring.entity_scorer import create_entity_scorer_v1, score_entities

WORDS = "Ada Lovelace met Babbage in London . She liked him .".split()
NAMES = {*(f"{measure}_{k}" for measure in ("muc", "b3", "ceafe") for k in "prf"), "conll_f"}
ADA, SHE, BABBAGE, LONDON, HIM = (0, 2), (7, 8), (3, 4), (5, 6), (9, 10)
GOLD = [[ADA, SHE], [BABBAGE, HIM], [LONDON]]


def document(clusters=None, words=WORDS, spaces=None, label="X") -> Doc:
    """None: nobody has said what the entities are."""
    doc = Doc(Vocab(), words=words, spaces=spaces)
    if clusters is not None:
        set_entities(doc, [[Span(doc, start, end, label=label) for start, end in places] for places in clusters])
    return doc


def score(*pairs) -> dict:
    return score_entities([Example(found, gold) for found, gold in pairs])


def test_perfect_is_one_everywhere():
    scores = score((document(GOLD), document(GOLD)))
    assert set(scores) == NAMES
    assert set(scores.values()) == {1}


def test_a_pronoun_in_the_wrong_entity_by_hand():
    """{Ada}, {B, him, She}, {L} for {Ada, She}, {B, him}, {L}.

    MUC: 1 of 2 links, and 1 of 2; B³: (1 + ⅔ + ⅔ + ⅓ + 1) / 5 and (½ + 1 + 1 + ½ + 1) / 5; CEAF-e: Ada 2 · 1 / 3,
    Babbage 2 · 2 / 5, London 1, of 3 and 3.
    """
    scores = score((document([[ADA], [BABBAGE, HIM, SHE], [LONDON]]), document(GOLD)))
    p, r, c = (11 / 3) / 5, 4 / 5, (2 / 3 + 4 / 5 + 1) / 3
    expected = {
        **{"muc_p": 0.5, "muc_r": 0.5, "muc_f": 0.5},
        **{"b3_p": p, "b3_r": r, "b3_f": 2 * p * r / (p + r)},
        **{"ceafe_p": c, "ceafe_r": c, "ceafe_f": c},
    }
    assert scores == pytest.approx({**expected, "conll_f": (0.5 + expected["b3_f"] + c) / 3})


def test_types_make_no_difference():
    assert score((document(GOLD, label="PER"), document(GOLD, label="")))["conll_f"] == 1


def test_documents_nobody_annotated_are_left_out():
    """And those annotated with no entities are not: what is found there is wrong."""
    right = (document(GOLD), document(GOLD))
    assert score(right, (document(GOLD), document()))["conll_f"] == 1
    scores = score(right, (document(GOLD), document([])))
    assert (scores["b3_p"], scores["b3_r"]) == (0.5, 1)


def test_documents_in_which_nothing_was_looked_for_count():
    """All entities of the second are missed."""
    scores = score((document(GOLD), document(GOLD)), (document(), document(GOLD)))
    assert (scores["b3_p"], scores["b3_r"]) == (1, 0.5)


@pytest.mark.parametrize("pairs", [[], [(document(GOLD), document())]], ids=["no documents", "none annotated"])
def test_where_there_is_nothing_to_score_all_is_none(pairs):
    assert score(*pairs) == dict.fromkeys(NAMES)


def test_without_scipy_nothing_is_scored(monkeypatch):
    """Training goes on."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert score((document(GOLD), document(GOLD))) == dict.fromkeys(NAMES)


def test_other_tokens_on_the_predicted_side():
    words = "Ada Love lace met Babbage in London . She liked him .".split()
    moved = [[(0, 3), (8, 9)], [(4, 5), (10, 11)], [(6, 7)]]
    found = document(moved, words, spaces=[word != "Love" for word in words])
    assert found.text == document().text
    assert score((found, document(GOLD)))["conll_f"] == 1


def test_a_mention_of_two_entities_counts_in_the_first():
    """The measures know one entity for each mention: the same twice is still perfect, and the other way round not.

    {Ada, She}, {B}, {L} for {Ada}, {B, She}, {L}: no link is right.
    """
    first, second = [[ADA, SHE], [BABBAGE, SHE], [LONDON]], [[BABBAGE, SHE], [ADA, SHE], [LONDON]]
    assert score((document(first), document(first)))["conll_f"] == 1
    assert score((document(first), document(second)))["muc_f"] == 0


def test_entities_of_the_same_mentions_are_one():
    twice = [[ADA, SHE], [ADA, SHE], [LONDON]]
    assert score((document(twice), document([[ADA, SHE], [LONDON]])))["conll_f"] == 1


def test_the_component_is_scored_by_it():
    """Ada and Lovelace are one by the alias rule, "She" is not found: {A, L}, {London} for {A, L, She}, {London}.

    MUC 1 of 1 and 1 of 2; B³ 3 of 3, and (2 · ⅔ + 1) of 4; CEAF-e 2 · 2 / 5 + 1 of 2 each.
    """
    nlp = spacy.blank("en")
    patterns = {"Ada Lovelace": "PER", "Lovelace": "PER", "London": "LOC"}
    nlp.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": name} for name, label in patterns.items()])
    nlp.add_pipe("docre_entities")
    reference = nlp.make_doc("Ada Lovelace left London. Lovelace said that she would.")
    spans = [[reference[0:2], reference[5:6], reference[8:9]], [reference[3:4]]]
    set_entities(reference, spans)
    scores = nlp.evaluate([Example(nlp.make_doc(reference.text), reference)])
    assert (scores["muc_p"], scores["muc_r"]) == (1, 0.5)
    assert (scores["b3_p"], scores["b3_r"]) == pytest.approx((1, (4 / 3 + 1) / 4))
    assert (scores["ceafe_p"], scores["ceafe_r"]) == pytest.approx((0.9, 0.9))


def test_scores_are_the_mean_of_three_in_the_pipeline_too():
    scores = score((document([[ADA, SHE, HIM]]), document(GOLD)))
    assert scores["conll_f"] == pytest.approx((scores["muc_f"] + scores["b3_f"] + scores["ceafe_f"]) / 3)


def test_it_is_registered():
    assert registry.scorers.get("spacy-docre.entity_scorer.v1") is create_entity_scorer_v1
    assert create_entity_scorer_v1()([])["conll_f"] is None
