"""Pairs of names that may be one entity: which there are, what is said of each, and how many they become."""

import random

import numpy as np
import pytest
from spacy.tokens import Doc

from spacy_docre.grouping.candidates import (
    BEFORE,
    KINDS,
    N_FEATURES,
    SHARING,
    Candidates,
    find_candidates,
    pair_names,
    trigrams,
)
from spacy_docre.grouping.names import build_knowledge_base_grouper_v1, build_name_grouper_v1

from .mentions import mentions_of, vocab_of

SURE = [build_knowledge_base_grouper_v1(), build_name_grouper_v1()]


def find(names, types="PER", kb_ids=(), sure=SURE, **settings) -> Candidates:
    mentions = mentions_of(names, types, kb_ids, **settings)
    return find_candidates(mentions[0].doc, mentions, sure)


def pairs(found: Candidates) -> list[tuple[str, str]]:
    """The first mentions of each pair's names."""
    firsts = [found.mentions[group[0]].text for group in found.names]
    return [(firsts[i], firsts[j]) for i, j in found.pairs.tolist()]


def features(found: Candidates, first: str, second: str) -> list[float]:
    return found.features[pairs(found).index((first, second))].tolist()


def test_mentions_become_names_and_names_of_one_kind_pairs():
    """Both Marie Curies are one name for sure; Paris is no person."""
    found = find(["Marie Curie", "Paris", "Curie", "Marie Curie"], ["PER", "LOC", "PER", "PER"])
    assert found.names == [[0, 3], [1], [2]]
    assert found.pairs.tolist() == [[0, 2]]


def test_features_by_hand():
    """Marie Curie at 0 and 3, Curie at 2.

    Words: 1 of 2, and 1 of the shorter's 1. Trigrams: all 5 of " curie " are among the 9 of " marie curie ", which has
    "rie" and "ie " twice. It ends with the other, and does not start with it. The nearest mentions are 1 apart. The
    second has one word. The first has 2 mentions, of 5 that count.
    """
    found = find(["Marie Curie", "Paris", "Curie", "Marie Curie"], ["PER", "LOC", "PERSON", "PER"])
    expected = [1, 1 / 2, 1 / 1, 5 / 9, 0, 1, 0, 0, 1 / 100, 0, 1, 2 / 5]
    assert features(found, "Marie Curie", "Curie") == pytest.approx([*expected, 1, 0, 0, 0, 0])
    assert found.features.dtype == np.float32


def test_names_with_nothing_in_common_by_hand():
    """Types are the same and both are one word, next to each other; each is mentioned once."""
    assert features(find(["Ulm", "Bonn"], "LOC"), "Ulm", "Bonn") == pytest.approx(
        [0, 0, 0, 0, 0, 0, 0, 1, 0.01, 1, 1, 0.2, 0, 0, 1, 0, 0]
    )


def test_one_text_of_two_names_by_hand():
    """Without sure groupers equal names are a pair like others: all in common."""
    assert features(find(["Ulm", "Ulm"], "LOC", sure=[]), "Ulm", "Ulm")[:7] == [0, 1, 1, 1, 1, 1, 1]


def test_texts_are_compared_as_they_are_normalised():
    found = find(["The Royal Society", "Royal Society's"], "ORG", sure=[])
    assert features(found, "The Royal Society", "Royal Society's")[1:7] == [1] * 6


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("PER", 0), ("PERSON", 0), ("ORG", 1), ("GPE", 2), ("FAC", 2), ("DATE", 4), ("NUM", 4), ("MISC", None)],
)
def test_the_kind_of_a_pair(type_, kind):
    """The last features; other types have none."""
    assert len(KINDS) == 5
    row = features(find(["Ulm", "Bonn"], type_), "Ulm", "Bonn")
    assert row[-5:] == [float(i == kind) for i in range(5)]


@pytest.mark.parametrize(("apart", "expected"), [(1, 0.01), (50, 0.5), (100, 1), (300, 1)])
def test_distances_end_at_100_tokens(apart, expected):
    words = ["Ulm", *["x"] * (apart - 1), "Bonn"]
    mentions = mentions_of(words, "LOC")
    found = find_candidates(mentions[0].doc, [mentions[0], mentions[-1]], SURE)
    assert features(found, "Ulm", "Bonn")[8] == pytest.approx(expected)


def test_the_mentions_of_a_name_end_at_five():
    assert features(find(["Ulm", "Ulm", "Ulm", "Bonn"], "LOC"), "Ulm", "Bonn")[11] == pytest.approx(0.6)
    assert features(find(["Ulm"] * 9 + ["Bonn"], "LOC"), "Ulm", "Bonn")[11] == 1


@pytest.mark.parametrize(
    "names",
    [
        ["'s", ".", "Ulm", "the", " "],
        ["北京", "北京大学", "é"],
        ["x " * 200, "x"],
        ["A", "A B", "B A", "A B C D E F G"],
    ],
    ids=["nothing left", "other scripts", "long", "parts"],
)
@pytest.mark.parametrize("type_", ["PER", "ORG", "MISC", "DATE", ""])
def test_features_are_between_0_and_1(names, type_):
    found = find(names, type_, sure=[])
    assert len(found.pairs) == len(names) * (len(names) - 1) / 2
    assert ((found.features >= 0) & (found.features <= 1)).all()


@pytest.mark.parametrize("names", [[], ["Ulm"], ["Ulm", "Ulm", "Ulm"]], ids=len)
def test_no_pairs(names, blank):
    """Arrays have their columns nevertheless."""
    mentions = mentions_of(names, "LOC") if names else []
    found = find_candidates(mentions[0].doc if names else blank("Nobody is here."), mentions, SURE)
    assert found.names == ([list(range(len(names)))] if names else [])
    assert (found.pairs.shape, found.features.shape) == ((0, 2), (0, N_FEATURES))
    assert (found.pairs.dtype, found.features.dtype) == (np.int64, np.float32)


def test_no_tokens():
    assert find_candidates(Doc(vocab_of("en")), [], SURE).names == []


def test_links_of_sure_groupers_are_followed_and_lead_on():
    """a - c of the first, c - b of the second: one name."""
    found = find("abcd", sure=[lambda doc, mentions: [(0, 2)], lambda doc, mentions: [(2, 1)]])
    assert found.names == [[0, 1, 2], [3]]
    assert found.pairs.tolist() == [[0, 1]]


def test_knowledge_base_ids_make_names():
    found = find(["Turin", "Torino", "Rome"], "LOC", ["Q495", "Q495", ""])
    assert found.names == [[0, 1], [2]]


NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split()


def test_a_name_is_paired_with_the_last_of_its_kind_before():
    """The 14th with the 8 before; a place in between does not count."""
    types = ["PER"] * 10 + ["LOC"] + ["PER"] * 3
    found = pairs(find(NUMBERS, types))
    assert BEFORE == 8
    assert [first for first, second in found if second == "fourteen"] == [*NUMBERS[4:10], *NUMBERS[11:13]]
    assert not any("eleven" in pair for pair in found)


def test_a_word_in_common_makes_a_pair_at_any_distance():
    """The last 8 that have it, however far before."""
    family = [f"{number} Lee" for number in NUMBERS[:10]]
    others = [f"x{i}" for i in range(100)]
    found = pairs(find([*family, *others, "Ada Lee"]))
    assert SHARING == 8
    assert [first for first, second in found if second == "Ada Lee"] == [*family[2:], *others[-8:]]


def test_a_word_of_another_kind_is_not_in_common():
    names = ["Ada Lovelace", *[f"x{i}" for i in range(10)], "Lovelace Street"]
    assert ("Ada Lovelace", "Lovelace Street") not in pairs(find(names, ["PER"] * 11 + ["LOC"]))


def test_what_the_alias_grouper_would_join_is_a_pair_at_any_distance_and_of_any_types():
    """The BBC, 50 organisations later, as a place: no word in common, but the first feature is 1."""
    names = ["British Broadcasting Corporation", *[f"x{i}" for i in range(50)], "BBC"]
    found = find(names, ["ORG"] * 51 + ["LOC"])
    assert [pair for pair in pairs(found) if pair[1] == "BBC"] == [(names[0], "BBC")]
    row = features(found, names[0], "BBC")
    assert (row[0], row[1]) == (1, 0)
    assert [row[0] for row in found.features.tolist()].count(1) == 1


def test_aliases_are_those_of_the_language():
    """ "President" is a title in English."""
    names = ["Barack Obama", "President Obama"]
    assert features(find(names, lang="en"), *names)[0] == 1
    assert features(find(names, lang="de"), *names)[0] == 0


def test_pairs_are_of_different_names_the_earlier_first_and_none_twice():
    names = [f"{a} {b}" for a in "abcd" for b in "defg"] * 2
    found = find(names, sure=[])
    assert (found.pairs[:, 0] < found.pairs[:, 1]).all()
    assert len({tuple(pair) for pair in found.pairs.tolist()}) == len(found.pairs) == len(found.features)
    assert found.pairs.tolist() == sorted(found.pairs.tolist())


@pytest.mark.parametrize("seed", range(10))
def test_pairs_equal_a_search_backwards(seed):
    rng = random.Random(seed)
    n = 60
    kinds = [rng.choice(("person", "place")) for _ in range(n)]
    words = [frozenset(rng.choices("abcdefgh", k=rng.randint(0, 3))) for _ in range(n)]
    assert pair_names(kinds, words) == slow_pairs(kinds, words)


def slow_pairs(kinds: list[str], words: list[frozenset[str]]) -> set[tuple[int, int]]:
    found = set()
    for j in range(len(kinds)):
        alike = [i for i in range(j) if kinds[i] == kinds[j]]
        found |= {(i, j) for i in alike[-8:]}
        for word in words[j]:
            found |= {(i, j) for i in [i for i in alike if word in words[i]][-8:]}
    return found


def strangers(n: int) -> list[str]:
    return [f"x{i}" for i in range(n)]


def one_family(n: int) -> list[str]:
    return [f"x{i} Lee" for i in range(n)]


def one_family_of_long_names(n: int) -> list[str]:
    return [f"x{i} van der Lee" for i in range(n)]


def surnames(n: int) -> list[str]:
    return [f"x{i // 2} Lee{i // 2}" if i % 2 else f"Lee{i // 2}" for i in range(n)]


@pytest.mark.parametrize("names", [strangers, one_family, one_family_of_long_names, surnames])
@pytest.mark.parametrize("type_", ["PER", "ORG", "MISC"])
def test_pairs_grow_with_the_mentions(names, type_):
    """Twice the mentions, twice the pairs: at most 8 for each name, 8 for each of its words, and some aliases."""
    counts = [len(find(names(n), type_).pairs) for n in (150, 300, 600)]
    assert counts[0] <= 150 * (BEFORE + 3 * SHARING)
    assert counts[2] - counts[1] == pytest.approx(2 * (counts[1] - counts[0]), rel=0.02)
    assert counts[2] < 600 * 599 / 2 / 10


@pytest.mark.parametrize(("text", "expected"), [("ab", {" ab", "ab "}), ("a", {" a "}), ("", set())])
def test_trigrams_by_hand(text, expected):
    assert trigrams(text) == expected
