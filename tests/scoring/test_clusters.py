"""MUC, B³ and CEAF-e by hand, at their ends, and against slow versions."""

import random
from itertools import permutations

import pytest

from spacy_docre.scoring import clusters
from spacy_docre.scoring.clusters import ClusterCounts, b_cubed, ceaf_e, muc

MEASURES = [muc, b_cubed, ceaf_e]
TRUE = [{"a", "b", "c"}]
FOUND = [{"a", "b"}, {"c"}]


def scores(found, true) -> dict[str, float]:
    counts = ClusterCounts()
    counts.add(found, true)
    return counts.scores()


def test_muc_by_hand():
    """Found {a, b}, {c} for {a, b, c}: the only link found is right, 1 of 2 true links is there."""
    assert muc(FOUND, TRUE) == (1, 1, 1, 2)


def test_b_cubed_by_hand():
    """Precision (1 + 1 + 1) / 3, recall (2/3 + 2/3 + 1/3) / 3"""
    assert b_cubed(FOUND, TRUE) == pytest.approx((3, 3, 5 / 3, 3))


def test_ceaf_e_by_hand():
    """{a, b} is aligned: 2 · 2 / (2 + 3) = 0.8, of 2 found clusters and 1 true"""
    assert ceaf_e(FOUND, TRUE) == pytest.approx((0.8, 2, 0.8, 1))


def test_scores_by_hand():
    """MUC 1 and 1/2, B³ 1 and 5/9, CEAF-e 0.4 and 0.8: F1 2/3, 5/7 and 8/15; the CoNLL score is their mean."""
    result = scores(FOUND, TRUE)
    expected = {
        **{"muc_p": 1, "muc_r": 1 / 2, "muc_f": 2 / 3},
        **{"b3_p": 1, "b3_r": 5 / 9, "b3_f": 5 / 7},
        **{"ceafe_p": 0.4, "ceafe_r": 0.8, "ceafe_f": 8 / 15},
        "conll_f": (2 / 3 + 5 / 7 + 8 / 15) / 3,
    }
    assert result == pytest.approx(expected)


def test_luos_example_by_hand():
    """Luo 2005, table 1 (b): {1 … 5}, {6, 7, 8 … c} for {1 … 5}, {6, 7}, {8 … c}.

    MUC 9 of 10 and 9 of 9, B³ precision (5 · 5/5 + 2 · 2/7 + 5 · 5/7) / 12, CEAF-e (1 + 2 · 5 / 12) of 2 and of 3.
    """
    true = [set("12345"), set("67"), set("89ABC")]
    found = [set("12345"), set("6789ABC")]
    assert muc(found, true) == (9, 10, 9, 9)
    assert b_cubed(found, true) == pytest.approx((5 + 4 / 7 + 25 / 7, 12, 12, 12))
    assert ceaf_e(found, true) == pytest.approx((1 + 10 / 12, 2, 1 + 10 / 12, 3))


def test_alignment_is_the_best_one_and_not_the_greedy_one():
    """{a, b, d} is most like {a, b, c}, 4/6, but {c} is like nothing else: better are 2/4 with {d}, and 2/4."""
    assert ceaf_e([{"a", "b", "d"}, {"c"}], [{"a", "b", "c"}, {"d"}])[0] == pytest.approx(1)


@pytest.mark.parametrize("true", [TRUE, [{1, 2}, {3}, {4, 5, 6}]], ids=str)
def test_perfect_is_one(true):
    assert set(scores(true, true).values()) == {1}


def test_perfect_singletons_have_no_links():
    """MUC counts links, of which there are none: 0, and the mean 2/3."""
    single = [{"a"}, {"b"}, {"c"}]
    result = scores(single, single)
    assert result["muc_f"] == 0
    assert result["b3_f"] == result["ceafe_f"] == 1
    assert result["conll_f"] == pytest.approx(2 / 3)


def test_all_apart_by_hand():
    """Found a, b, c alone for {a, b, c}: no link; recall 1/3 each; one aligned, 2 / (1 + 3) = ½, of 3 and of 1."""
    single = [{"a"}, {"b"}, {"c"}]
    assert muc(single, TRUE) == (0, 0, 0, 2)
    assert b_cubed(single, TRUE) == pytest.approx((3, 3, 1, 3))
    assert ceaf_e(single, TRUE) == pytest.approx((0.5, 3, 0.5, 1))


def test_all_together_by_hand():
    """Found {a, b, c} for a, b, c alone is the same the other way round."""
    single = [{"a"}, {"b"}, {"c"}]
    for measure in MEASURES:
        found, true = measure(single, TRUE)[:2], measure(single, TRUE)[2:]
        assert measure(TRUE, single) == (*true, *found)


@pytest.mark.parametrize(("found", "true"), [([], TRUE), (TRUE, []), ([], [])], ids=["found", "true", "either"])
def test_nothing_is_zero(found, true):
    assert set(scores(found, true).values()) == {0}


def test_no_documents_are_zero():
    assert set(ClusterCounts().scores().values()) == {0}


def test_nothing_in_common_is_zero():
    assert set(scores([{"a", "b"}], [{"c", "d"}]).values()) == {0}


def test_mentions_that_are_not_true_cost_precision():
    """{a, b, x} for {a, b}: 1 of 2 links; (⅔ + ⅔ + 0) of 3 mentions; 2 · 2 / (3 + 2) of 1 cluster"""
    found, true = [{"a", "b", "x"}], [{"a", "b"}]
    assert muc(found, true) == (1, 2, 1, 1)
    assert b_cubed(found, true) == pytest.approx((4 / 3, 3, 2, 2))
    assert ceaf_e(found, true) == pytest.approx((0.8, 1, 0.8, 1))


def test_mentions_that_are_not_found_cost_recall():
    found, true = [{"a", "b"}], [{"a", "b", "x"}]
    assert muc(found, true) == (1, 1, 1, 2)
    assert b_cubed(found, true) == pytest.approx((2, 2, 4 / 3, 3))
    assert ceaf_e(found, true) == pytest.approx((0.8, 1, 0.8, 1))


def test_two_wrong_mentions_are_no_link():
    """x and y stand together in no true cluster, though in no other either."""
    assert muc([{"x", "y"}], TRUE)[:2] == (0, 1)


def test_counts_add_over_documents():
    """Links are summed before they are divided: (1 + 0) of (1 + 2), not the mean of 1 and 0."""
    counts = ClusterCounts()
    counts.add([{"a", "b"}], [{"a", "b"}])
    counts.add([{"a", "b", "c"}], [{"a"}, {"b"}, {"c"}])
    assert counts.scores()["muc_p"] == pytest.approx(1 / 3)
    assert counts.scores()["muc_r"] == 1


def test_documents_are_as_one_document_with_other_mentions():
    rng = random.Random(0)
    documents = [(random_clusters(rng), random_clusters(rng)) for _ in range(5)]
    counts = ClusterCounts()
    for found, true in documents:
        counts.add(found, true)
    in_one = [
        [{(i, m) for m in cluster} for i, document in enumerate(documents) for cluster in document[side]]
        for side in (0, 1)
    ]
    assert counts.scores() == pytest.approx(scores(*in_one))


def test_counts_do_not_share_their_sums():
    ClusterCounts().add(TRUE, TRUE)
    assert ClusterCounts().sums["muc"] == [0, 0, 0, 0]


def random_clusters(rng: random.Random) -> list[set[int]]:
    """Of ten mentions, each in one of four clusters or in none."""
    places = [rng.randrange(5) for _ in range(10)]
    clusters = [{m for m, place in enumerate(places) if place == i} for i in range(4)]
    return [cluster for cluster in clusters if cluster]


def slow_muc(found, true):
    """Links of a tree through each cluster that lie in one cluster of the other side: a mention that has an earlier
    companion there needs no link of its own."""
    return *slow_links(found, true), *slow_links(true, found)


def slow_links(clusters, others):
    right = total = 0
    for cluster in clusters:
        order = sorted(cluster)
        for i, mention in enumerate(order):
            total += i > 0
            right += any({mention, earlier} <= other for earlier in order[:i] for other in others) if i else 0
    return right, total


def slow_b_cubed(found, true):
    return *slow_shares(found, true), *slow_shares(true, found)


def slow_shares(clusters, others):
    pairs = [(m, cluster) for cluster in clusters for m in cluster]
    return sum(len(c & other) / len(c) for m, c in pairs for other in others if m in other), len(pairs)


def slow_ceaf_e(found, true):
    """All one-to-one alignments, one by one."""
    few, many = sorted((found, true), key=len)
    best = max(sum(2 * len(a & b) / (len(a) + len(b)) for a, b in zip(few, x)) for x in permutations(many))
    return best, len(found), best, len(true)


@pytest.mark.parametrize(
    ("measure", "slow"), [(muc, slow_muc), (b_cubed, slow_b_cubed), (ceaf_e, slow_ceaf_e)], ids=lambda x: x.__name__
)
def test_measures_equal_slow_versions(measure, slow):
    rng = random.Random(1)
    for _ in range(50):
        found, true = random_clusters(rng), random_clusters(rng)
        assert measure(found, true) == pytest.approx(slow(found, true)), (found, true)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_order_of_clusters_is_irrelevant(measure):
    rng = random.Random(2)
    for _ in range(10):
        found, true = random_clusters(rng), random_clusters(rng)
        assert measure(found[::-1], rng.sample(true, len(true))) == pytest.approx(measure(found, true))


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    assert muc(TRUE, TRUE)
    with pytest.raises(ImportError, match=r"E130.*pip install scipy"):
        ceaf_e(TRUE, TRUE)
