"""Margins to labels: above the threshold, the highest first, not too many for a pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from spacy_docre.pipeline.decoding import decode, make_prediction


def cells(margins, threshold=0.0, max_labels=4) -> list[tuple[int, int]]:
    pairs, labels = decode(
        np.array(margins), thresholds=np.full(np.shape(margins)[-1], threshold), max_labels=max_labels
    )
    return list(zip(pairs.tolist(), labels.tolist()))


def test_by_hand():
    """Pair 0: 2 and 1, the higher first; pair 1: nothing above 0 (0 is not); pair 2: one label."""
    assert cells([[1.0, -1, 2], [0, -3, -2], [-1, 0.5, 0]]) == [(0, 2), (0, 0), (2, 1)]


@pytest.mark.parametrize(("threshold", "expected"), [(-2, [(0, 2), (0, 0), (0, 1)]), (1, [(0, 2)]), (2, [])])
def test_threshold_is_strict(threshold, expected):
    assert cells([[1.0, -1, 2]], threshold=threshold) == expected


@pytest.mark.parametrize("max_labels", [0, 1, 2, 3, 9])
def test_at_most_so_many_labels_for_each_pair(max_labels):
    best_first = [1, 3, 0]
    expected = [(pair, label) for pair in range(2) for label in best_first[:max_labels]]
    assert cells([[1.0, 9, -1, 3], [1, 9, -1, 3]], max_labels=max_labels) == expected


def test_equal_margins_are_in_the_order_of_labels():
    assert cells([[5.0, 5, 5]], max_labels=2) == [(0, 0), (0, 1)]


def test_infinite_margins_and_nan():
    """nan is above nothing"""
    assert cells([[np.inf, -np.inf, np.nan, 1]]) == [(0, 0), (0, 3)]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_decode(shape):
    assert cells(np.zeros(shape) + 1) == []


def slow_decode(margins, threshold, max_labels):
    out = []
    for pair, row in enumerate(margins):
        above = [(-margin, label) for label, margin in enumerate(row) if margin > threshold]
        out.extend((pair, label) for _, label in sorted(above)[:max_labels])
    return out


@settings(deadline=None, derandomize=True)
@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(-4, 4, width=16)),
    st.floats(-2, 2, width=16),
    st.integers(0, 5),
)
def test_equals_loops(margins, threshold, max_labels):
    assert cells(margins, threshold, max_labels) == slow_decode(margins.tolist(), threshold, max_labels)


def test_make_prediction_names_head_and_tail(ada):
    """Rows (0,1) (0,2) (1,0) (1,2) (2,0) (2,1): row 1 is 0 -> 2, row 5 is 2 -> 1."""
    entities = ada._.docre_entities
    prediction = make_prediction(entities, np.array([1, 5]), np.array([7, 3]), np.array([0.5, 0.75]))
    assert prediction.entities == entities
    assert prediction.relations == [(0, 7, 2, 0.5), (2, 3, 1, 0.75)]
    assert {type(value) for row in prediction.relations for value in row} == {int, float}


@pytest.mark.parametrize("n", [0, 1, 3])
def test_make_prediction_without_relations(ada, n):
    nothing = np.zeros(0, dtype=np.int64)
    entities = ada._.docre_entities[:n]
    assert make_prediction(entities, nothing, nothing, np.zeros(0)).relations == []
