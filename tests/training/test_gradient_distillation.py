"""The loss of a batch with teachers and with R-Drop: by hand, and against plain loops."""

from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from thinc.api import registry

from spacy_docre.features.targets import PairTargets
from spacy_docre.losses import build_loss
from spacy_docre.training.gradient import loss_and_gradient

from ..losses import slow
from ..losses.test_distillation_twins import margins, slow_bernoulli, slow_mse

BCE = build_loss("spacy-docre.BCE.v1")
NAN = float("nan")


def objective(name: str = "LogitMSE", **options):
    return registry.losses.get(f"spacy-docre.{name}.v1")(**options)


def floats(rows) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def targets(values, *, known=None, teacher=None) -> PairTargets:
    known = None if known is None else np.array(known, dtype=bool)
    return PairTargets(floats(values), known, None if teacher is None else floats(teacher))


ZEROS = floats([[0, 0], [0, 0]])  # two pairs, one label: BCE costs log 2 whatever the target, its slope is ½ - t
HARD = [[1], [0]]
HALF_TAUGHT = targets(HARD, teacher=[[1, 3], [NAN, NAN]])


def test_the_objective_is_of_taught_pairs_only():
    """MSE of the first pair: (1 + 9)/2 = 5, with slopes -1 and -3; the second has the slopes of its label alone."""
    alone, slopes = loss_and_gradient(BCE, ZEROS, targets(HARD))
    value, gradient = loss_and_gradient(BCE, ZEROS, HALF_TAUGHT, objective=objective())
    assert alone == pytest.approx(log(2))
    assert slopes == pytest.approx(floats([[0.25, -0.25], [-0.25, 0.25]]))
    assert value == pytest.approx(log(2) + 5)
    assert gradient == pytest.approx(slopes + floats([[-1, -3], [0, 0]]))
    assert gradient.dtype == np.float32


def test_loss_and_objective_have_weights():
    value, gradient = loss_and_gradient(BCE, ZEROS, HALF_TAUGHT, loss_weight=4.0, objective=objective(weight=0.5))
    assert value == pytest.approx(4 * log(2) + 2.5)
    assert gradient == pytest.approx(floats([[1 - 0.5, -1 - 1.5], [-1, 1]]))


def test_with_a_weight_of_0_only_the_teacher_is_learned_from():
    value, gradient = loss_and_gradient(BCE, ZEROS, HALF_TAUGHT, loss_weight=0.0, objective=objective())
    assert value == pytest.approx(5)
    assert gradient == pytest.approx(floats([[-1, -3], [0, 0]]))


def test_without_a_teacher_the_objective_is_nothing():
    assert loss_and_gradient(BCE, ZEROS, targets(HARD), objective=objective())[0] == pytest.approx(log(2))


def test_without_an_objective_the_teacher_is_in_the_targets_only():
    assert loss_and_gradient(BCE, ZEROS, HALF_TAUGHT)[0] == pytest.approx(log(2))


def test_unknown_cells_of_taught_pairs_are_learned_from_the_teacher():
    """The loss knows nothing of the first pair: half of log 2 is left of it, and the objective is whole."""
    given_targets = targets([[0], [0]], known=[[0], [1]], teacher=[[1, 3], [NAN, NAN]])
    value, gradient = loss_and_gradient(BCE, ZEROS, given_targets, objective=objective())
    assert value == pytest.approx(log(2) / 2 + 5)
    assert gradient == pytest.approx(floats([[-1, -3], [-0.25, 0.25]]))


HARD_ONLY = ["ATL", "EMO", "SSRPU"]


@pytest.mark.parametrize("name", HARD_ONLY)
def test_soft_targets_with_a_loss_for_hard_ones_are_refused(name):
    loss = build_loss(f"spacy-docre.{name}.v1", **({"ratio": 1.0} if name == "SSRPU" else {}))
    said = rf"docre-E118.*{type(loss).__name__}, takes targets of 0 and 1.*teacher_union"
    with pytest.raises(ValueError, match=said):
        loss_and_gradient(loss, ZEROS, targets([[0.3], [0]], teacher=[[0, 0], [0, 0]]))
    value, _ = loss_and_gradient(loss, ZEROS, targets(HARD, teacher=[[0, 0], [0, 0]]))
    assert np.isfinite(value)


@pytest.mark.parametrize(
    "name", ["AdaptiveFocal", "ZLPR", "BCE", "PowerBCE", "Focal", "Dice", "DSC", "Tversky", "EXACT"]
)
def test_losses_for_soft_targets_take_them(name):
    """And the value is that of the loss itself."""
    loss = build_loss(f"spacy-docre.{name}.v1")
    value, _ = loss_and_gradient(loss, ZEROS + floats([0, 1]), targets([[0.3], [0.9]]))
    assert value == pytest.approx(loss(torch.ones((2, 1)), torch.tensor([[0.3], [0.9]])).item())


def test_a_sum_takes_soft_targets_if_all_of_its_losses_do():
    parts = {"@losses": "spacy-docre.BCE.v1"}, {"@losses": "spacy-docre.ATL.v1"}
    for losses, fits in (({"a": parts[0], "b": parts[0]}, True), ({"a": parts[0], "b": parts[1]}, False)):
        loss = registry.resolve({"x": {"@losses": "spacy-docre.Sum.v1", "losses": losses}})["x"]
        if fits:
            loss_and_gradient(loss, ZEROS, targets([[0.3], [0]]))
        else:
            with pytest.raises(ValueError, match="docre-E118"):
                loss_and_gradient(loss, ZEROS, targets([[0.3], [0]]))


def test_r_drop_by_hand():
    """Margins 0 and log 3 in two passes over one positive pair: BCE log 2 and log 4/3; D = (¾ - ½)·log 3."""
    logits = floats([[0, 0], [-log(3), 0]])
    value, gradient = loss_and_gradient(BCE, logits, targets([[1]]), rdrop_alpha=3.0)
    both = (log(2) + log(4 / 3)) / 2
    assert value == pytest.approx(both + 3.0 * 0.25 * log(3) / 2)
    # dD/da = σ'(a)(a - b) + σ(a) - σ(b), with σ' of ¼ and 3/16
    first = -0.25 + 1.5 * (-0.25 * log(3) - 0.25)
    second = -0.125 + 1.5 * (3 / 16 * log(3) + 0.25)
    assert gradient == pytest.approx(floats([[-first, first], [-second, second]]), abs=1e-6)


def test_r_drop_is_the_mean_over_pairs():
    """A second pair on which both passes agree halves it."""
    logits = floats([[0, 0], [0, 5], [-log(3), 0], [0, 5]])
    with_it, without = (loss_and_gradient(BCE, logits, targets(HARD), rdrop_alpha=a)[0] for a in (1.0, 0.0))
    assert with_it - without == pytest.approx(0.25 * log(3) / 2 / 2, abs=1e-6)


def test_passes_that_agree_learn_as_one():
    once = loss_and_gradient(BCE, ZEROS + floats([0, 1]), HALF_TAUGHT, objective=objective())
    logits = np.concatenate([ZEROS + floats([0, 1])] * 2)
    twice = loss_and_gradient(BCE, logits, HALF_TAUGHT, objective=objective(), rdrop_alpha=7.0)
    assert twice[0] == pytest.approx(once[0])
    assert twice[1][:2] + twice[1][2:] == pytest.approx(once[1])


def test_one_pass_has_no_r_drop():
    values = {loss_and_gradient(BCE, ZEROS, targets(HARD), rdrop_alpha=a)[0] for a in (0.0, 5.0)}
    assert len(values) == 1


@pytest.mark.parametrize("rdrop_alpha", [0.0, 1.0])
@pytest.mark.parametrize("teacher", [None, np.zeros((0, 3))])
def test_no_pairs(rdrop_alpha, teacher):
    empty = targets(np.zeros((0, 2)), teacher=teacher)
    value, gradient = loss_and_gradient(
        BCE, floats(np.zeros((0, 3))), empty, objective=objective(), rdrop_alpha=rdrop_alpha
    )
    assert value == 0
    assert gradient.shape == (0, 3)


def test_inputs_stay_as_they_are():
    logits, given_targets = floats([[1, 2], [3, 4]]), targets(HARD, known=[[0], [1]], teacher=[[1, 3], [NAN, NAN]])
    loss_and_gradient(BCE, logits, given_targets, objective=objective("BernoulliKL"))
    assert logits.tolist() == [[1, 2], [3, 4]]
    assert given_targets.values.tolist() == HARD
    assert given_targets.teacher[0].tolist() == [1, 3]


@st.composite
def problems(draw):
    """Two passes, a teacher, targets, which cells are known and which pairs are taught: of 1 to 3 pairs."""
    n_pairs, n_labels = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def table(cell, n_rows, n_columns):
        row = st.lists(cell, min_size=n_columns, max_size=n_columns)
        return draw(st.lists(row, min_size=n_rows, max_size=n_rows))

    numbers = st.floats(-5, 5, width=32)
    return (
        table(numbers, 2 * n_pairs, 1 + n_labels),
        table(numbers, n_pairs, 1 + n_labels),
        table(st.floats(0, 1, width=32), n_pairs, n_labels),
        table(st.booleans(), n_pairs, n_labels),
        draw(st.lists(st.booleans(), min_size=n_pairs, max_size=n_pairs)),
    )


def slow_loss(logits, teacher, values, known, taught, *, alpha, one_pair) -> float:
    """Per pass: BCE of known cells over all pairs, and the objective over taught ones; and how far both are apart."""
    n_pairs, value = len(values), 0.0
    for rows in (logits[:n_pairs], logits[n_pairs:]):
        for row, target, says in zip(rows, values, known):
            for d, t, k in zip(margins(row), target, says):
                value += k * (t * slow.softplus(-d) + (1 - t) * slow.softplus(d)) / n_pairs / 2
        pairs = [(row, t) for row, t, is_taught in zip(rows, teacher, taught) if is_taught]
        value += sum(one_pair(*pair) for pair in pairs) / max(1, len(pairs)) / 2
    for first, second in zip(logits[:n_pairs], logits[n_pairs:]):
        for a, b in zip(margins(first), margins(second)):
            value += alpha / 2 * (1 / (1 + exp(-a)) - 1 / (1 + exp(-b))) * (a - b) / n_pairs
    return value


@pytest.mark.parametrize(
    ("name", "one_pair"),
    [("LogitMSE", slow_mse), ("BernoulliKL", lambda s, t: slow_bernoulli(s, t, temperature=1.0))],
    ids=["LogitMSE", "BernoulliKL"],
)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_all_together_equals_plain_loops(name, one_pair, problem):
    """Values of unknown cells are 0, as the targets have them."""
    logits, teacher, values, known, taught = problem
    values = [[v * k for v, k in zip(*rows)] for rows in zip(values, known)]
    seen = [row if is_taught else [NAN] * len(row) for row, is_taught in zip(teacher, taught)]
    value, gradient = loss_and_gradient(
        BCE, floats(logits), targets(values, known=known, teacher=seen), objective=objective(name), rdrop_alpha=0.7
    )

    def loops(flat) -> float:
        width = len(logits[0])
        rows = [flat[i : i + width] for i in range(0, len(flat), width)]
        return slow_loss(rows, teacher, values, known, taught, alpha=0.7, one_pair=one_pair)

    flat = [float(x) for row in logits for x in row]
    assert value == pytest.approx(loops(flat), rel=1e-4, abs=1e-4)
    assert gradient.ravel() == pytest.approx(slow.differences(loops, flat), rel=1e-3, abs=1e-4)


def test_without_a_threshold_logit_the_teachers_margins_are_learned():
    """Student [0, 1], teacher [1, 4], whose margin is 3: (3 - 1)² / 2; its slope is that of the label alone."""
    value, gradient = loss_and_gradient(
        BCE,
        np.array([[0, 1]], dtype="f"),
        targets([[0]], known=[[0]], teacher=[[1, 4]]),
        objective=objective(),
        learned_threshold=False,
    )
    assert value == pytest.approx(2)
    assert gradient.tolist() == [[0, -2]]


def test_a_loss_without_weight_has_no_say():
    """Pure distillation, with a loss that takes no soft targets."""
    loss = build_loss("spacy-docre.ATL.v1")
    given = targets([[0.5]], teacher=[[1, 4]])
    value, gradient = loss_and_gradient(
        loss, np.array([[0, 1]], dtype="f"), given, loss_weight=0, objective=objective()
    )
    assert value == pytest.approx((1 + 9) / 2)
    assert gradient.tolist() == [[-1, -3]]
    value, gradient = loss_and_gradient(loss, np.array([[0, 1]], dtype="f"), given, loss_weight=0)
    assert value == 0
    assert gradient.tolist() == [[0, 0]]
