"""ATL, adaptive focal and BCE equal three-loop versions with gradients derived by hand, in plain Python."""

from math import exp, log, log1p

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_docre.losses import build_loss


def sigmoid(d: float) -> float:
    return 1 / (1 + exp(-d))


def softplus(d: float) -> float:
    return max(d, 0) + log1p(exp(-abs(d)))


def add_negatives(d, y, gradient) -> float:
    """log(1 + Σ_neg e^d); its slope is e^d over what is in the logarithm."""
    total = 1 + sum(exp(x) for x, t in zip(d, y) if t == 0)
    for r in range(len(d)):
        if y[r] == 0:
            gradient[r] += exp(d[r]) / total
    return log(total)


def slow_atl(d, y, gradient) -> float:
    value = add_negatives(d, y, gradient)
    positive = [r for r in range(len(d)) if y[r] > 0]
    total = 1 + sum(exp(d[r]) for r in positive)
    for r in positive:
        value += log(total) - d[r]
        gradient[r] -= 1
        for other in positive:
            gradient[other] += exp(d[other]) / total
    return value


def slow_adaptive_focal(d, y, gradient, *, gamma, plus_one) -> float:
    value = add_negatives(d, y, gradient)
    for r in range(len(d)):
        if y[r] > 0:
            p = sigmoid(d[r])
            weight = (1 - p) ** gamma + (1 if plus_one else 0)
            value += weight * softplus(-d[r])
            gradient[r] += -gamma * p * (1 - p) ** gamma * softplus(-d[r]) - weight * (1 - p)
    return value


def slow_bce(d, y, gradient, *, pos_weight, label_smoothing) -> float:
    value = 0.0
    for r in range(len(d)):
        t = y[r] * (1 - label_smoothing) + label_smoothing / 2
        value += pos_weight * t * softplus(-d[r]) + (1 - t) * softplus(d[r])
        gradient[r] += (1 - t) * sigmoid(d[r]) - pos_weight * t * (1 - sigmoid(d[r]))
    return value


TWINS = [
    ("spacy-docre.ATL.v1", slow_atl, {}),
    ("spacy-docre.AdaptiveFocal.v1", slow_adaptive_focal, {"gamma": 1.0, "plus_one": True}),
    ("spacy-docre.AdaptiveFocal.v1", slow_adaptive_focal, {"gamma": 1.0, "plus_one": False}),
    ("spacy-docre.AdaptiveFocal.v1", slow_adaptive_focal, {"gamma": 0.5, "plus_one": True}),
    ("spacy-docre.AdaptiveFocal.v1", slow_adaptive_focal, {"gamma": 2.0, "plus_one": False}),
    ("spacy-docre.BCE.v1", slow_bce, {"pos_weight": 1.0, "label_smoothing": 0.0}),
    ("spacy-docre.BCE.v1", slow_bce, {"pos_weight": 4.0, "label_smoothing": 0.1}),
]


@st.composite
def rows_of_pairs(draw):
    """Margins in [-20, 20] and targets of 1 to 6 pairs with 1 to 5 labels."""
    n_pairs, n_labels = draw(st.integers(1, 6)), draw(st.integers(1, 5))

    def table(cell):
        row = st.lists(cell, min_size=n_labels, max_size=n_labels)
        return draw(st.lists(row, min_size=n_pairs, max_size=n_pairs))

    return table(st.floats(-20, 20)), table(st.integers(0, 1))


@pytest.mark.parametrize(("name", "slow", "options"), TWINS, ids=lambda x: getattr(x, "__name__", None))
@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows_of_pairs())
def test_value_and_gradient_equal_the_loops(name, slow, options, rows):
    d, y = rows
    gradient = [[0.0] * len(row) for row in d]
    value = sum(slow(*row, **options) for row in zip(d, y, gradient)) / len(d)

    margins = torch.tensor(d, dtype=torch.float64, requires_grad=True)
    fast = build_loss(name, **options)(margins, torch.tensor(y))
    fast.backward()
    assert fast.item() == pytest.approx(value, rel=1e-9, abs=1e-9)
    expected = torch.tensor(gradient, dtype=torch.float64) / len(d)
    assert torch.allclose(margins.grad, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows_of_pairs(), st.floats(0, 1))
def test_bce_with_soft_targets_equals_the_loops(rows, softness):
    d, y = rows
    y = [[softness * t for t in row] for row in y]
    gradient = [[0.0] * len(row) for row in d]
    loops = [slow_bce(*row, pos_weight=2.0, label_smoothing=0.0) for row in zip(d, y, gradient)]

    margins = torch.tensor(d, dtype=torch.float64, requires_grad=True)
    fast = build_loss("spacy-docre.BCE.v1", pos_weight=2.0)(margins, torch.tensor(y, dtype=torch.float64))
    fast.backward()
    assert fast.item() == pytest.approx(sum(loops) / len(d), rel=1e-9, abs=1e-9)
    expected = torch.tensor(gradient, dtype=torch.float64) / len(d)
    assert torch.allclose(margins.grad, expected, rtol=1e-9, atol=1e-9)
