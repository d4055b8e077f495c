"""Losses of single pairs equal plain loops, in value and gradient, for hard and for soft targets."""

import json
from math import cos

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_docre.losses import build_loss

from . import slow

RANDOM = settings(max_examples=80, deadline=None, derandomize=True)
ZLPR, POWER, FOCAL, DSC, EMO, EXACT = (
    f"spacy-docre.{name}.v1" for name in ("ZLPR", "PowerBCE", "Focal", "DSC", "EMO", "EXACT")
)
HARD = st.integers(0, 1)
SOFT = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))


@st.composite
def batches(draw, target, *, size=20.0, max_pairs=4, max_labels=5):
    """Margins up to `size` and targets: two tables of up to 4 pairs with up to 5 labels."""
    n_pairs, n_labels = draw(st.integers(1, max_pairs)), draw(st.integers(1, max_labels))

    def table(cell):
        row = st.lists(cell, min_size=n_labels, max_size=n_labels)
        return draw(st.lists(row, min_size=n_pairs, max_size=n_pairs))

    return table(st.floats(-size, size)), table(target)


def assert_equal(loss, d, y, value, gradient, *, exact=1e-8) -> None:
    """That the loss of these margins and targets has this value and gradient."""
    margins = torch.tensor(d, dtype=torch.float64, requires_grad=True)
    fast = loss(margins, torch.tensor(y, dtype=torch.float64))
    fast.backward()
    assert fast.item() == pytest.approx(value, rel=1e-9, abs=min(exact, 1e-9))
    assert torch.allclose(margins.grad, torch.tensor(gradient, dtype=torch.float64), rtol=1e-7, atol=exact)


TWINS = [
    (ZLPR, slow.zlpr_soft, {}),
    (POWER, slow.power_bce, {"power": 1}),
    (POWER, slow.power_bce, {"power": 2}),
    (POWER, slow.power_bce, {"power": 4}),
    (FOCAL, slow.focal, {"gamma": 2.0, "alpha": 0.5}),
    (FOCAL, slow.focal, {"gamma": 0.5, "alpha": 0.75}),
    (FOCAL, slow.focal, {"gamma": 0.0, "alpha": 0.25}),
    (DSC, slow.dsc, {"alpha": 0.01, "smooth": 1.0}),
    (DSC, slow.dsc, {"alpha": 0.1, "smooth": 0.2}),
]
twins = pytest.mark.parametrize(("name", "one_pair", "options"), TWINS, ids=lambda x: getattr(x, "__name__", None))


@twins
@RANDOM
@given(batches(HARD))
def test_hard_targets(name, one_pair, options, batch):
    value, gradient = slow.mean(one_pair)(*batch, **options), slow.gradient_of_pairs(one_pair, *batch, **options)
    assert_equal(build_loss(name, **options), *batch, value, gradient)


@twins
@RANDOM
@given(batches(SOFT))
def test_soft_targets(name, one_pair, options, batch):
    value, gradient = slow.mean(one_pair)(*batch, **options), slow.gradient_of_pairs(one_pair, *batch, **options)
    assert_equal(build_loss(name, **options), *batch, value, gradient)


@RANDOM
@given(batches(HARD))
def test_zlpr_of_hard_targets_is_its_hard_form(batch):
    value, gradient = slow.mean(slow.zlpr_hard)(*batch), slow.gradient_of_pairs(slow.zlpr_hard, *batch)
    assert_equal(build_loss(ZLPR), *batch, value, gradient)


def assert_equals_emo(loss, d, y, costs) -> None:
    """The gradient is that of a sum in which CE / EMO is a number."""
    value, gradient = 0.0, []
    for row, t in zip(d, y):
        cross_entropy, moved = slow.emo_parts(row, t, costs=costs)
        value += cross_entropy / len(d)
        gradient += slow.gradient_of_pairs(slow.emo, [row], [t], costs=costs, ratio=cross_entropy / moved)
    assert_equal(loss, d, y, value, [[x / len(d) for x in row] for row in gradient])


@RANDOM
@given(batches(HARD))
def test_emo_without_costs(batch):
    labels = range(len(batch[0][0]))
    assert_equals_emo(build_loss(EMO), *batch, costs=[[float(i != j) for j in labels] for i in labels])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("labels")


def emo_of_file(path, costs):
    """The loss with these costs, from a file with the labels in another order."""
    labels = [f"P{i}" for i in range(len(costs))]
    turned = [row[::-1] for row in costs[::-1]]
    path.write_text(json.dumps({"labels": labels[::-1], "costs": turned}), encoding="utf8")
    loss = build_loss(EMO, costs=path)
    loss.bind(labels)
    return loss


@RANDOM
@given(batches(HARD, size=8.0), st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_emo_with_costs_of_embeddings(folder, batch, angles):
    """1 - cos between embeddings, as angles in a plane: symmetric, and 0 for labels that are the same."""
    angles = angles[: len(batch[0][0])]
    costs = [[1 - cos(a - b) for b in angles] for a in angles]
    assert_equals_emo(emo_of_file(folder / "costs.json", costs), *batch, costs=costs)


@RANDOM
@given(batches(HARD, size=8.0), st.lists(st.floats(0, 2), min_size=25, max_size=25))
def test_emo_with_costs_that_differ_by_direction(folder, batch, numbers):
    """Σ_ij p_i·τ_j·c_ij: the row is the label that is predicted, the column the right one."""
    n = len(batch[0][0])
    costs = [[0.0 if i == j else numbers[n * i + j] for j in range(n)] for i in range(n)]
    assert_equals_emo(emo_of_file(folder / "directed.json", costs), *batch, costs=costs)


@pytest.mark.parametrize("sigma", [1.0, 0.5])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(batches(HARD, max_pairs=3, max_labels=4))
def test_exact_single_is_an_integral(sigma, batch):
    """By 32 nodes and by 181 trapezoids."""
    value = slow.mean(slow.exact_single)(*batch, sigma=sigma)
    gradient = slow.gradient_of_pairs(slow.exact_single, *batch, sigma=sigma)
    margins = torch.tensor(batch[0], dtype=torch.float64, requires_grad=True)
    fast = build_loss(EXACT, form="single", sigma=sigma)(margins, torch.tensor(batch[1]))
    fast.backward()
    assert fast.item() == pytest.approx(value, abs=1e-7)
    assert torch.allclose(margins.grad, torch.tensor(gradient, dtype=torch.float64), atol=1e-7)
