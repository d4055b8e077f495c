"""Precision, recall and F1 by hand, and as the DocRED evaluation writes them."""

import random

import pytest

from spacy_docre.scoring.counts import Counts, harmonic_mean


def test_by_hand():
    """10 predicted, 6 of them right, 8 in gold: P = 6/10, R = 6/8, F1 = 2 · 6 / (10 + 8) = 2/3"""
    counts = Counts(gold=8, predicted=10, correct=6)
    assert counts.precision == pytest.approx(0.6)
    assert counts.recall == pytest.approx(0.75)
    assert counts.f1 == pytest.approx(2 / 3)


def test_ign_by_hand():
    """2 of the 6 right ones are known: P = 4/8, R stays 6/8, Ign F1 = 2 · ½ · ¾ / (½ + ¾) = 0.6"""
    counts = Counts(gold=8, predicted=10, correct=6, known=2)
    assert counts.ign_precision == pytest.approx(0.5)
    assert counts.recall == pytest.approx(0.75)
    assert counts.ign_f1 == pytest.approx(0.6)
    assert counts.f1 == pytest.approx(2 / 3)


def test_nothing_known_changes_nothing():
    counts = Counts(gold=8, predicted=10, correct=6)
    assert counts.ign_precision == counts.precision
    assert counts.ign_f1 == counts.f1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(), (0, 0, 0)),
        (Counts(gold=3), (0, 0, 0)),
        (Counts(predicted=3), (0, 0, 0)),
        (Counts(gold=3, predicted=3), (0, 0, 0)),
        (Counts(gold=3, predicted=3, correct=3), (1, 1, 1)),
    ],
    ids=str,
)
def test_nothing_to_divide_by_is_zero(counts, expected):
    assert (counts.precision, counts.recall, counts.f1) == expected
    assert (counts.ign_precision, counts.recall, counts.ign_f1) == expected


def test_all_predictions_known():
    """Nothing is left of the precision"""
    counts = Counts(gold=4, predicted=2, correct=2, known=2)
    assert (counts.ign_precision, counts.ign_f1) == (0, 0)
    assert counts.recall == 0.5


@pytest.mark.parametrize("known", [False, True])
def test_add_counts_hits_misses_and_false_alarms(known):
    """Only a right prediction of a known fact counts as known."""
    counts = Counts()
    counts.add(gold=True, predicted=True, known=known)
    counts.add(gold=True, predicted=False, known=known)
    counts.add(gold=True, predicted=False, known=known)
    counts.add(gold=False, predicted=True, known=known)
    assert counts == Counts(gold=3, predicted=2, correct=1, known=int(known))


def test_harmonic_mean():
    """2 · 1 · ½ / 1½ = 2/3; of two zeros, 0"""
    assert harmonic_mean(1.0, 0.5) == pytest.approx(2 / 3)
    assert harmonic_mean(0.5, 0.5) == pytest.approx(0.5)
    assert harmonic_mean(0.0, 1.0) == harmonic_mean(0.0, 0.0) == 0


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_evaluation_over_sets(seed):
    """P, R and Ign P over sets of facts, as the shared task counts them."""
    rng = random.Random(seed)
    gold, predicted, train = (set(rng.sample(range(60), rng.randint(1, 40))) for _ in range(3))
    counts = Counts()
    for fact in gold | predicted:
        counts.add(gold=fact in gold, predicted=fact in predicted, known=fact in train)
    right = gold & predicted
    assert counts.precision == pytest.approx(len(right) / len(predicted))
    assert counts.recall == pytest.approx(len(right) / len(gold))
    assert counts.ign_precision == pytest.approx(len(right - train) / (len(predicted) - len(right & train)))
