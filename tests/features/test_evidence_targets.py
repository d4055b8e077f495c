"""Evidence of a reference, as token ranges for the pairs of a predicted document's entities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities, set_relations
from spacy_docre.annotations import copy_mentions
from spacy_docre.features.evidence import BEYOND_RULE, WITHIN_RULE, Evidence
from spacy_docre.features.evidence_targets import EvidenceRows, evidence_by_pair, token_map

from ..conftest import make_doc
from ..pipelines import make_hopper_doc, unlabelled

VOCAB = Vocab()


def make(words: list[str], spaces: list[bool] | None = None) -> Doc:
    return Doc(VOCAB, words=words, spaces=spaces)


def reference_of(words: list[str], relations: list, *, ids: list[str] | None = None, order=(0, 1, 2)) -> Doc:
    """The first three words are entities, in any order. relations: (head, label, tail, evidence)"""
    doc = make(words)
    set_entities(doc, [[Span(doc, i, i + 1, label="PER")] for i in order], ids=ids)
    set_relations(doc, [(h, label, t, 1.0, evidence) for h, label, t, evidence in relations])
    return doc


def by_pair(relations: list) -> dict:
    doc = reference_of(list("abcdef"), relations)
    return evidence_by_pair(unlabelled(doc), doc)


PENCIL = {
    "one relation": ([("0", "x", "1", [(2, 4)])], {(0, 1): [(2, 4)]}),
    "ranges are sorted": ([("0", "x", "1", [(4, 6), (0, 2)])], {(0, 1): [(0, 2), (4, 6)]}),
    "two relations of a pair, what they share counts once": (
        [("0", "x", "1", [(0, 2), (2, 4)]), ("0", "y", "1", [(2, 4), (5, 6)])],
        {(0, 1): [(0, 2), (2, 4), (5, 6)]},
    ),
    "two directions are two pairs": (
        [("0", "x", "1", [(0, 2)]), ("1", "x", "0", [(3, 4)])],
        {(0, 1): [(0, 2)], (1, 0): [(3, 4)]},
    ),
    "without evidence nothing": ([("0", "x", "1", []), ("2", "x", "0", [(0, 1)])], {(2, 0): [(0, 1)]}),
    "another relation of the pair has some": (
        [("0", "x", "1", []), ("0", "y", "1", [(0, 1)])],
        {(0, 1): [(0, 1)]},
    ),
    "ranges that overlap stay two": ([("0", "x", "1", [(0, 4), (2, 6)])], {(0, 1): [(0, 4), (2, 6)]}),
    "nothing at all": ([], {}),
    "relations, no evidence": ([("0", "x", "1", [])], {}),
}


@pytest.mark.parametrize(("relations", "expected"), PENCIL.values(), ids=PENCIL)
def test_evidence_by_hand(relations, expected):
    assert by_pair(relations) == expected


def test_entities_go_by_their_place_in_the_predicted_document():
    """There they come as c, a, b, and with other ids: "A" and "B" are its numbers 1 and 2."""
    words = list("abcdef")
    reference = reference_of(words, [("A", "x", "B", [(3, 4)])], ids=["A", "B", "C"])
    doc = reference_of(words, [], ids=["7", "8", "9"], order=(2, 0, 1))
    assert evidence_by_pair(doc, reference) == {(1, 2): [(3, 4)]}


def test_entities_that_were_not_found_have_no_evidence():
    reference = reference_of(list("abcdef"), [("0", "x", "1", [(3, 4)]), ("1", "x", "2", [(4, 5)])])
    doc = reference_of(list("abcdef"), [], order=(1, 2))
    assert evidence_by_pair(doc, reference) == {(0, 1): [(4, 5)]}


def test_predicted_entities_that_are_spacys_own():
    """Nobody has set mentions: they are `doc.ents`, by name and type."""
    reference = reference_of(list("abcdef"), [("0", "x", "2", [(3, 4)])])
    doc = make(list("abcdef"))
    doc.ents = [Span(doc, 0, 1, label="PER"), Span(doc, 2, 3, label="PER")]
    assert evidence_by_pair(doc, reference) == {(0, 1): [(3, 4)]}


MAPS = {
    "the same": ("a b c", "a b c", [0, 1, 2, 3]),
    "split": ("ab c", "a b c", [0, 2, 3]),
    "joined: what begins within begins after": ("a b c", "ab c", [0, 1, 1, 2]),
    "joined at the end": ("a b c", "a bc", [0, 1, 2, 2]),
    "both": ("ab c d", "a bc d", [0, 2, 2, 3]),
    "nothing in common": ("abc d", "ab cd", [0, 2, 2]),
    "one token": ("abc", "a b c", [0, 3]),
    "no token": ("", "", [0]),
}


@pytest.mark.parametrize(("source", "target", "expected"), MAPS.values(), ids=MAPS)
def test_token_maps_by_hand(source, target, expected):
    assert token_map(make(source.split()), make(target.split())).tolist() == expected


def test_tokens_of_white_space_belong_to_what_follows():
    target = make(["a", "\n", "b"], [False, False, False])
    assert token_map(make(["a", "b"]), target).tolist() == [0, 1, 3]
    assert token_map(target, make(["a", "b"])).tolist() == [0, 1, 1, 2]


def cut(text: str, ends: set[int]) -> Doc:
    bounds = [0, *sorted(ends), len(text)]
    return make([text[a:b] for a, b in pairwise(bounds)])


ENDS = st.sets(st.integers(1, 11))


@given(ENDS, ENDS)
def test_token_maps_equal_loops_over_characters(first, second):
    """Whatever the tokens: those that begin within the characters of a range."""
    text = "abcdefghijkl"
    source, target = cut(text, first), cut(text, second)
    found = token_map(source, target)
    assert len(found) == len(source) + 1
    for start in range(len(source)):
        for end in range(start + 1, len(source) + 1):
            left = sum(map(len, source[:start]))
            right = left + sum(map(len, source[start:end]))
            begins = [sum(map(len, target[:i])) for i in range(len(target))]
            expected = [i for i, begin in enumerate(begins) if left <= begin < right]
            assert list(range(found[start], found[end])) == expected


def retokenised(reference: Doc, words: list[str]) -> Doc:
    doc = make(words)
    assert copy_mentions(reference, doc) == 0
    return doc


def test_evidence_of_a_document_that_is_tokenised_differently(ada):
    """Its first sentence is tokens 0 to 7, here 0 to 9."""
    words = "Ada Love lace was bo rn in London . She worked with Charles Babbage .".split()
    doc = Doc(ada.vocab, words=words)
    spans = [[(0, 3), (9, 10)], [(7, 8)], [(12, 14)]]
    set_entities(doc, [[Span(doc, a, b, label="PER") for a, b in mentions] for mentions in spans])
    assert evidence_by_pair(doc, ada) == {(0, 1): [(0, 9)]}


def test_evidence_within_one_token_is_lost():
    """In "bcd", "c" is not the beginning: of evidence "c" nothing is left, of "b" and "c" the whole token."""
    reference = reference_of(list("xyzabcd"), [("0", "r", "1", [(5, 6)]), ("1", "r", "0", [(4, 6)])])
    doc = retokenised(reference, ["x", "y", "z", "a", "bcd"])
    assert evidence_by_pair(doc, reference) == {(1, 0): [(4, 5)]}


def test_evidence_names_part_of_a_document():
    """The last tokens, and single ones: what is not named is in no range."""
    assert by_pair([("0", "x", "1", [(5, 6), (1, 2)])]) == {(0, 1): [(1, 2), (5, 6)]}
    assert by_pair([("0", "x", "1", [(0, 6)])]) == {(0, 1): [(0, 6)]}


def columns(rows: EvidenceRows) -> list[tuple]:
    return list(zip(*(x.tolist() for x in (rows.doc, rows.head, rows.tail, rows.start, rows.end))))


def test_rows_by_hand(ada):
    """A pair's rows weigh 1 together: two ranges have a half each."""
    hopper = make_hopper_doc()
    hopper_relations = [("0", "founder of", "2", 1.0, [(0, 7), (7, 12)]), ("2", "founded by", "0", 1.0, [(7, 12)])]
    set_relations(hopper, hopper_relations)
    references = [ada, make_hopper_doc(), hopper]
    rows = EvidenceRows.from_docs([unlabelled(doc) for doc in references], references)
    assert columns(rows) == [(0, 0, 1, 0, 7), (2, 0, 2, 0, 7), (2, 0, 2, 7, 12), (2, 2, 0, 7, 12)]
    assert rows.weight.tolist() == [1, 0.5, 0.5, 1]
    assert len(rows) == 4


def test_weights_of_pairs_add_up_to_one():
    doc = reference_of(list("abcdef"), [("0", "x", "1", [(0, 1), (2, 3), (4, 5)]), ("0", "x", "2", [(0, 6)])])
    rows = EvidenceRows.from_docs([unlabelled(doc)] * 3, [doc] * 3)
    assert rows.weight.sum() == pytest.approx(6)
    assert rows.weight.dtype == np.float32


@pytest.mark.parametrize("docs", [[], [make_hopper_doc()], [Doc(VOCAB)], [make_hopper_doc(), Doc(VOCAB)]])
def test_no_evidence_gives_no_rows(docs):
    rows = EvidenceRows.from_docs([unlabelled(doc) for doc in docs], docs)
    assert len(rows) == 0
    assert {x.shape for x in vars(rows).values()} == {(0,)}
    assert rows.head.dtype == np.int64


def test_documents_stay_as_they_are(ada):
    doc = unlabelled(ada)
    before = [doc.to_bytes(), ada.to_bytes()]
    EvidenceRows.from_docs([doc], [ada])
    assert [doc.to_bytes(), ada.to_bytes()] == before


def sentences(n: int, head: int, tail: int) -> Evidence:
    """Sentences of two tokens; the head is in one, the tail in another."""
    doc = Doc(VOCAB, words=["w"] * 2 * n, sent_starts=[True, False] * n)
    set_entities(doc, [[Span(doc, 2 * i, 2 * i + 1)] for i in (head, tail)])
    return Evidence(doc, get_entities(doc))


SHARES = {
    "all on a sentence beyond the rule": ([0, 0, 0, 1], [3]),
    "nowhere enough: the rule": ([0.1, 0.1, 0.25, 0.25], [0, 1]),
    "no attention at all: the rule": ([0, 0, 0, 0], [0, 1]),
    "the rule needs less than others": ([0.2, 0.05, 0.2, 0.2], [0]),
    "both of the rule": ([0.2, 0.2, 0.2, 0.2], [0, 1]),
    "the rule and another": ([0.15, 0.05, 0.05, 0.75], [0, 3]),
    "in the order of the text": ([0.15, 0, 0.4, 0.4], [0, 2, 3]),
}


@pytest.mark.parametrize(("shares", "expected"), SHARES.values(), ids=SHARES)
def test_sentences_by_attention_by_hand(shares, expected):
    """Head and tail are in sentences 0 and 1, which the rule names: 0.1 is enough for them, others need 0.3."""
    assert (WITHIN_RULE, BEYOND_RULE) == (0.1, 0.3)
    for evidence in (sentences(4, 0, 1), sentences(4, 1, 0)):
        found = evidence.by_attention(0, 1, np.array(shares, dtype=np.float32))
        assert found == [(2 * i, 2 * i + 2) for i in expected]
        assert all(type(i) is int for span in found for i in span)


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
def test_sentences_by_attention_equal_a_loop(shares):
    rule = [1, 3]
    expected = [i for i, share in enumerate(shares) if share > (WITHIN_RULE if i in rule else BEYOND_RULE)] or rule
    evidence = sentences(4, 3, 1)
    found = evidence.by_attention(0, 1, np.array(shares, dtype=np.float32))
    assert found == [(2 * i, 2 * i + 2) for i in expected]


def test_a_document_of_one_sentence_is_its_own_evidence():
    doc = make_doc()
    whole = Doc(doc.vocab, words=[t.text for t in doc], sent_starts=[i == 0 for i in range(len(doc))])
    copy_mentions(doc, whole)
    evidence = Evidence(whole, get_entities(whole))
    for share in (0.0, 1.0):
        assert evidence.by_attention(0, 1, np.array([share], dtype=np.float32)) == [(0, 13)]
