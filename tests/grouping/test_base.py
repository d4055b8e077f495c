"""Links of several groupers to entities."""

import random

import pytest

from spacy_docre.grouping import group_mentions
from spacy_docre.grouping.base import Clusters

from .mentions import grouped, mentions_of


def linking(*links):
    """A grouper that always says the same."""
    return lambda doc, mentions: links


def test_links_lead_on():
    """a - c and c - d: a, c and d are one, b is alone."""
    assert grouped(mentions_of("abcd"), linking((0, 2), (2, 3))) == [["a", "c", "d"], ["b"]]


def test_links_of_several_groupers_lead_on():
    assert grouped(mentions_of("abc"), linking((0, 1)), linking((2, 1))) == [["a", "b", "c"]]


def test_entities_are_in_the_order_of_their_first_mention():
    assert grouped(mentions_of("abcde"), linking((4, 3), (3, 1), (2, 0))) == [["a", "c"], ["b", "d", "e"]]


def test_the_order_and_direction_of_links_are_irrelevant():
    links = [(0, 5), (1, 3), (5, 2), (4, 3)]
    expected = grouped(mentions_of("abcdef"), linking(*links))
    rng = random.Random(0)
    for _ in range(10):
        shuffled = [link[:: rng.choice((1, -1))] for link in rng.sample(links, len(links))]
        assert grouped(mentions_of("abcdef"), linking(*shuffled)) == expected


@pytest.mark.parametrize("links", [[], [(0, 0), (1, 1)]], ids=["none", "with themselves"])
def test_without_links_every_mention_is_an_entity(links):
    assert grouped(mentions_of("abc"), linking(*links)) == [["a"], ["b"], ["c"]]
    assert grouped(mentions_of("abc")) == [["a"], ["b"], ["c"]]


def test_no_mentions(blank):
    assert group_mentions(blank("Nobody is here ."), [], [linking()]) == []


def test_entities_hold_the_very_mentions():
    mentions = mentions_of("ab", ["PER", "LOC"], ["Q1", ""])
    assert group_mentions(mentions[0].doc, mentions, [linking((1, 0))]) == [mentions]


def test_two_knowledge_base_ids_are_never_in_one_entity():
    mentions = mentions_of("ab", kb_ids=["Q1", "Q2"])
    assert grouped(mentions, linking((0, 1))) == [["a"], ["b"]]


def test_two_knowledge_base_ids_do_not_meet_through_a_third_mention():
    """a is Q1, c is Q2; b has no id and goes to the one that it is linked to first."""
    mentions = mentions_of("abc", kb_ids=["Q1", "", "Q2"])
    assert grouped(mentions, linking((0, 1), (1, 2))) == [["a", "b"], ["c"]]
    assert grouped(mentions, linking((1, 2), (0, 1))) == [["a"], ["b", "c"]]


def test_the_first_grouper_is_believed_first():
    mentions = mentions_of("abc", kb_ids=["Q1", "", "Q2"])
    first, second = linking((0, 1)), linking((2, 1))
    assert grouped(mentions, first, second) == [["a", "b"], ["c"]]
    assert grouped(mentions, second, first) == [["a"], ["b", "c"]]


def test_one_knowledge_base_id_may_stand_several_times():
    mentions = mentions_of("abc", kb_ids=["Q1", "", "Q1"])
    assert grouped(mentions, linking((0, 1), (1, 2))) == [["a", "b", "c"]]


@pytest.mark.parametrize("not_found", ["NIL", ""])
def test_ids_that_say_not_found_do_not_keep_mentions_apart(not_found):
    mentions = mentions_of("abc", kb_ids=["Q1", not_found, not_found])
    assert grouped(mentions, linking((1, 2), (0, 1))) == [["a", "b", "c"]]


def test_joining_says_whether_the_two_are_together():
    clusters = Clusters(["Q1", "", "Q2"])
    assert clusters.join(0, 1)
    assert clusters.join(1, 0)
    assert not clusters.join(1, 2)


@pytest.mark.parametrize("seed", range(20))
def test_entities_equal_a_search_through_the_links(seed):
    rng = random.Random(seed)
    n = rng.randint(1, 25)
    links = [(rng.randrange(n), rng.randrange(n)) for _ in range(rng.randint(0, 30))]
    mentions = mentions_of([str(i) for i in range(n)])
    assert grouped(mentions, linking(*links)) == components(n, links)


def components(n: int, links: list[tuple[int, int]]) -> list[list[str]]:
    """Everything that can be reached from each mention, step by step."""
    left, found = list(range(n)), []
    while left:
        reached = {left[0]}
        while more := {j for link in links for i, j in (link, link[::-1]) if i in reached} - reached:
            reached |= more
        found.append([str(i) for i in sorted(reached)])
        left = [i for i in left if i not in reached]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_ids_hold_whatever_the_links(seed):
    """Random links and ids: no entity has two ids, every mention is in one entity, entities are links' components."""
    rng = random.Random(seed)
    n = 20
    kb_ids = [rng.choice(["", "", "NIL", "Q1", "Q2"]) for _ in range(n)]
    links = [(rng.randrange(n), rng.randrange(n)) for _ in range(25)]
    mentions = mentions_of([str(i) for i in range(n)], kb_ids=kb_ids)
    entities = [[int(name) for name in entity] for entity in grouped(mentions, linking(*links))]
    assert sorted(i for entity in entities for i in entity) == list(range(n))
    for entity in entities:
        assert len({kb_ids[i] for i in entity} - {"", "NIL"}) <= 1
    together = {i: reached for reached in components(n, links) for i in map(int, reached)}
    assert all(str(i) in together[entity[0]] for entity in entities for i in entity)
