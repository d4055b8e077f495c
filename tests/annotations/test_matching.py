"""Which entity of one annotation is which of another, by hand."""

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities
from spacy_docre.annotations import match_entities

WORDS = ["a", "b", "c", "d", "e", "f", "g", "h"]
Entities = dict[str, tuple[str, list[int]]]  # id -> type and one-token mentions


def doc_with(entities: Entities, words: list[str] = WORDS) -> Doc:
    doc = Doc(Vocab(), words=words)
    spans = [[Span(doc, i, i + 1, label=label) for i in mentions] for label, mentions in entities.values()]
    set_entities(doc, spans, ids=list(entities))
    return doc


def match(a: Doc, b: Doc, *, strict: bool) -> dict[str, str]:
    return match_entities(a, get_entities(a), b, get_entities(b), strict=strict)


CASES = {
    "equal": ({"0": ("X", [0, 1])}, {"0": ("X", [0, 1])}, {"0": "0"}, {"0": "0"}),
    "other id": ({"0": ("X", [0, 1])}, {"9": ("X", [1, 0])}, {"0": "9"}, {"0": "9"}),
    "other type": ({"0": ("X", [0])}, {"9": ("Y", [0])}, {}, {"0": "9"}),
    "one mention more": ({"0": ("X", [0, 1])}, {"9": ("X", [0])}, {}, {"0": "9"}),
    "nothing shared": ({"0": ("X", [0])}, {"9": ("X", [1])}, {}, {}),
    "nothing there": ({"0": ("X", [0])}, {}, {}, {}),
    "nothing here": ({}, {"9": ("X", [0])}, {}, {}),
    # 0 shares 2 mentions with 8 and 1 with 9; 1 shares 1 with 8, which is taken
    "most in common first": (
        {"1": ("X", [3]), "0": ("X", [0, 1, 2])},
        {"9": ("X", [2, 7]), "8": ("X", [0, 1, 3])},
        {},
        {"0": "8"},
    ),
    # 0 and 1 have ids of each other, but their mentions say who they are
    "ids crossed": (
        {"0": ("X", [0]), "1": ("X", [1])},
        {"0": ("X", [1]), "1": ("X", [0])},
        {"0": "1", "1": "0"},
        {"0": "1", "1": "0"},
    ),
    # one span is two entities on both sides: each finds its own partner
    "one span in two entities": (
        {"0": ("X", [0]), "1": ("Y", [0])},
        {"8": ("Y", [0]), "9": ("X", [0])},
        {"0": "9", "1": "8"},
        {"0": "9", "1": "8"},
    ),
    "same twice": ({"0": ("X", [0]), "1": ("X", [0])}, {"9": ("X", [0])}, {"0": "9"}, {"0": "9"}),
}


@pytest.mark.parametrize(("ours", "theirs", "strict", "loose"), CASES.values(), ids=CASES)
def test_matches_by_hand(ours: Entities, theirs: Entities, strict: dict[str, str], loose: dict[str, str]):
    a, b = doc_with(ours), doc_with(theirs)
    assert match(a, b, strict=True) == strict
    assert match(a, b, strict=False) == loose


@pytest.mark.parametrize("strict", [True, False])
def test_other_tokens_match_by_characters(strict):
    a, b = doc_with({"0": ("X", [1])}, ["x", "bc", "d"]), Doc(Vocab(), words=["x", "b", "c", "d"])
    set_entities(b, [[Span(b, 1, 3, label="X")]], ids=["9"])
    assert match(a, b, strict=strict) == {"0": "9"}


@pytest.mark.parametrize("strict", [True, False])
def test_a_document_matches_itself(ada, strict):
    assert match(ada, ada, strict=strict) == {"0": "0", "1": "1", "2": "2"}


@pytest.mark.parametrize("strict", [True, False])
def test_matches_are_one_to_one(strict):
    ours = {str(i): ("X", [i, (i + 1) % 5, 5]) for i in range(5)}
    theirs = {f"p{i}": ("X", [i, 5]) for i in range(3)}
    matches = match(doc_with(ours), doc_with(theirs), strict=strict)
    assert len(set(matches.values())) == len(matches) == (0 if strict else 3)


def test_overlap_is_counted_in_mentions_not_in_tokens():
    """ "a b" and "a" share a token but no mention."""
    a, b = Doc(Vocab(), words=WORDS), doc_with({"9": ("X", [0])})
    set_entities(a, [[Span(a, 0, 2, label="X")]])
    assert match(a, b, strict=False) == {}
