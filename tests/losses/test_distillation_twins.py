"""Objectives of distillation, and adaptive focal loss with soft targets, equal plain loops in value and gradient."""

from functools import partial
from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_docre.losses import build_loss
from spacy_docre.losses.distillation import symmetric_kl

from . import slow
from .test_distillation import BERNOULLI, MSE, SOFTMAX, SYMMETRIC, ZLPR, softmax, value_and_gradient

FOCAL = "spacy-docre.AdaptiveFocal.v1"
RANDOM = settings(max_examples=60, deadline=None, derandomize=True)


def margins(logits) -> list[float]:
    return [x - logits[0] for x in logits[1:]]


def slow_mse(student, teacher) -> float:
    return sum((s - t) ** 2 for s, t in zip(student, teacher)) / len(student)


def slow_softmax(student, teacher, *, temperature) -> float:
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    return temperature**2 * sum(a * log(a / b) for a, b in zip(p, q))


def bernoulli(p: float, q: float) -> float:
    """KL(p ‖ q) of two coins, in margins, so that 1 - p keeps its digits."""
    a, b, c, d = slow.sigmoid(p), slow.sigmoid(-p), slow.softplus(-p), slow.softplus(p)
    return a * (slow.softplus(-q) - c) + b * (slow.softplus(q) - d)


def slow_bernoulli(student, teacher, *, temperature) -> float:
    pairs = zip(margins(student), margins(teacher))
    return temperature**2 * sum(bernoulli(t / temperature, s / temperature) for s, t in pairs)


def slow_symmetric(student, teacher, *, temperature) -> float:
    return slow_bernoulli(student, teacher, temperature=temperature) + slow_bernoulli(
        teacher, student, temperature=temperature
    )


def slow_zlpr(student, teacher, *, temperature) -> float:
    return slow.zlpr_soft(margins(student), [slow.sigmoid(2 * t / temperature) for t in margins(teacher)])


@st.composite
def logits(draw):
    """Student and teacher of 1 to 3 pairs, with 1 to 4 labels and a threshold."""
    n_pairs, width = draw(st.integers(1, 3)), draw(st.integers(2, 5))
    row = st.lists(st.floats(-10, 10), min_size=width, max_size=width)
    table = st.lists(row, min_size=n_pairs, max_size=n_pairs)
    return draw(table), draw(table)


@pytest.mark.parametrize(
    ("name", "one_pair", "options"),
    [
        (MSE, slow_mse, {}),
        *((SOFTMAX, slow_softmax, {"temperature": t}) for t in (1.0, 3.0)),
        *((BERNOULLI, slow_bernoulli, {"temperature": t}) for t in (1.0, 3.0)),
        *((SYMMETRIC, slow_symmetric, {"temperature": t}) for t in (1.0, 0.5)),
        *((ZLPR, slow_zlpr, {"temperature": t}) for t in (1.0, 4.0)),
    ],
)
@RANDOM
@given(logits())
def test_value_and_gradient_equal_plain_loops(name, one_pair, options, pair):
    student, teacher = pair
    value, gradient = value_and_gradient(name, student, teacher, weight=0.7, **options)
    expected = sum(one_pair(s, t, **options) for s, t in zip(student, teacher)) / len(student)
    assert value.item() == pytest.approx(0.7 * expected, rel=1e-8, abs=1e-8)
    slopes = [slow.differences(partial(one_pair, teacher=t, **options), s) for s, t in zip(student, teacher)]
    assert torch.allclose(gradient, 0.7 * torch.tensor(slopes, dtype=torch.float64) / len(student), atol=1e-6)


def test_symmetric_kl_is_both_directions_and_symmetric():
    a, b = torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, 4.0]])
    expected = sum(bernoulli(x, y) + bernoulli(y, x) for x, y in ((0.3, 1.0), (-2.0, 4.0)))
    assert symmetric_kl(a, b).tolist() == pytest.approx([expected])
    assert torch.equal(symmetric_kl(a, b), symmetric_kl(b, a))


# Adaptive focal loss with soft targets


def slow_focal(d, y, *, gamma, plus_one) -> float:
    """`log(1 + Σ (1-t)·e^d) + Σ t·w·softplus(-d)`"""
    value = log(1 + sum((1 - t) * exp(x) for x, t in zip(d, y)))
    weights = [(slow.sigmoid(-x) ** gamma + plus_one) for x in d]
    return value + sum(t * w * slow.softplus(-x) for x, t, w in zip(d, y, weights))


@pytest.mark.parametrize("options", [{"gamma": 1.0, "plus_one": True}, {"gamma": 0.5, "plus_one": False}])
@RANDOM
@given(logits(), st.integers(0, 1))
def test_adaptive_focal_with_soft_targets_equals_loops(options, pair, hard):
    """And with targets of 0 and 1 the hard formula, in which negatives and positives are sets."""
    d, other = pair
    y = [[float(slow.sigmoid(x) > 0.5) if hard else slow.sigmoid(x) for x in row] for row in other]
    leaf = torch.tensor(d, dtype=torch.float64, requires_grad=True)
    value = build_loss(FOCAL, **options)(leaf, torch.tensor(y, dtype=torch.float64))
    value.backward()
    assert value.item() == pytest.approx(slow.mean(slow_focal)(d, y, **options), rel=1e-9, abs=1e-9)
    expected = torch.tensor(slow.gradient_of_pairs(slow_focal, d, y, **options), dtype=torch.float64)
    assert torch.allclose(leaf.grad, expected, atol=1e-7)
    if hard:
        rows = [([x for x, t in zip(*row) if not t], [x for x, t in zip(*row) if t]) for row in zip(d, y)]
        by_sets = [
            log(1 + sum(map(exp, negative)))
            + sum((slow.sigmoid(-x) ** options["gamma"] + options["plus_one"]) * slow.softplus(-x) for x in positive)
            for negative, positive in rows
        ]
        assert value.item() == pytest.approx(sum(by_sets) / len(d), rel=1e-9, abs=1e-9)


def test_adaptive_focal_soft_by_hand():
    """t = ½ at d = 0: log(1 + ½) + ½ · 1½ · log 2"""
    loss = build_loss(FOCAL)
    assert loss(torch.zeros((1, 1)), torch.full((1, 1), 0.5)).item() == pytest.approx(log(1.5) + 0.75 * log(2))
