"""The sum of losses: weights, first and last steps, who decides, and what its parts are told."""

import warnings
from math import log

import pytest
import torch
from thinc.api import Config, registry

from spacy_docre.losses import MarginLoss, build_loss

SUM, ATL, BCE, ZLPR, POWER = (f"spacy-docre.{name}.v1" for name in ("Sum", "ATL", "BCE", "ZLPR", "PowerBCE"))
ZEROS, POSITIVE = torch.zeros((1, 1)), torch.ones((1, 1))  # where BCE costs log 2 and PowerBCE 2 · log 2


def build_sum(*names: str, **settings) -> MarginLoss:
    """A sum of losses that are called a, b and so on."""
    return build_loss(SUM, losses={key: build_loss(name) for key, name in zip("abc", names)}, **settings)


def cost(loss: MarginLoss) -> float:
    """In units of log 2, of a positive at 0."""
    return loss(ZEROS, POSITIVE).item() / log(2)


def test_weights_are_1_where_not_given():
    """BCE and PowerBCE cost 1 and 2 · log 2: 1 + 2 and 1 + ½ · 2"""
    assert cost(build_sum(BCE, POWER, decides="a")) == pytest.approx(3)
    assert cost(build_sum(BCE, POWER, weights={"b": 0.5}, decides="a")) == pytest.approx(2)


def test_two_losses_of_log_2_by_hand():
    """Weights 1 and ½: 1.5 · log 2"""
    assert cost(build_sum(BCE, BCE, weights={"a": 1.0, "b": 0.5})) == pytest.approx(1.5)


def test_a_weight_of_0_is_off():
    assert cost(build_sum(BCE, POWER, weights={"a": 0.0}, decides="b")) == pytest.approx(2)


@pytest.mark.parametrize(("step", "expected"), [(0, 1), (3, 1), (4, 3), (6, 3), (7, 2), (1000, 2)])
def test_losses_count_from_their_start_to_before_their_end(step, expected):
    """BCE until step 7, PowerBCE from step 4"""
    loss = build_sum(BCE, POWER, start={"b": 4}, until={"a": 7}, decides="a")
    loss.set_step(step)
    assert cost(loss) == pytest.approx(expected)


def test_steps_that_nobody_counts_stay_0_and_are_warned_of_once():
    loss = build_sum(BCE, POWER, start={"b": 4}, decides="a")
    with pytest.warns(UserWarning, match=r"docre-W012.*spacy-docre.count_steps.v1"):
        assert cost(loss) == pytest.approx(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cost(loss) == pytest.approx(1)
        loss.set_step(4)
        assert cost(loss) == pytest.approx(3)


@pytest.mark.parametrize("settings", [{}, {"start": {"a": 0}}])
def test_counted_steps_or_none_to_count_are_not_warned_of(settings):
    loss = build_sum(BCE, BCE, **settings)
    if settings:
        loss.set_step(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cost(loss) == pytest.approx(2)


def test_a_step_without_any_loss_is_an_error():
    loss = build_sum(BCE, BCE, start={"b": 8}, until={"a": 5})
    loss.set_step(6)
    with pytest.raises(ValueError, match=r"docre-E097.*step 6: start \{'b': 8\}, until \{'a': 5\}"):
        cost(loss)
    loss.set_step(8)
    assert cost(loss) == pytest.approx(1)


def test_losses_that_decide_differently_need_one_that_decides():
    """ZLPR's probability is σ(2d), PowerBCE's decision is not at 0; ATL and BCE agree."""
    for other in (ZLPR, POWER):
        with pytest.raises(ValueError, match=r"docre-E092.*Sum: decides must be one of a, b, because .* got None"):
            build_sum(BCE, other)
    build_sum(BCE, ATL)


@pytest.mark.parametrize(("decides", "name"), [("a", BCE), ("b", ZLPR), ("c", POWER)])
def test_scores_and_decisions_are_those_of_the_loss_that_decides(decides, name):
    loss, expected = build_sum(BCE, ZLPR, POWER, decides=decides), build_loss(name)
    margins = torch.tensor([[-1.0, 0.5, 2.0]])
    assert torch.equal(loss.probability(margins), expected.probability(margins))
    assert loss.decision_margin == expected.decision_margin


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decides": "z"}, "decides must be one of a, b, got 'z'"),
        ({"weights": {"z": 1.0}}, r"weights must be for losses among a, b, got \['z'\]"),
        ({"start": {"a": 1, "z": 1}}, r"start must be for losses among a, b, got \['z'\]"),
        ({"until": {"z": 1}}, r"until must be for losses among a, b, got \['z'\]"),
    ],
)
def test_names_that_are_not_among_the_losses_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"docre-E092] Sum: {message}"):
        build_sum(BCE, BCE, **settings)


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"docre-E092] Sum: losses must be at least one, got {}"):
        build_loss(SUM, losses={})


class Listener(MarginLoss):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list = []

    def compute(self, margins, targets):
        return margins.sum()

    def bind(self, labels):
        self.told.append(tuple(labels))

    def set_step(self, step):
        self.told.append(step)


def test_all_parts_are_told_labels_and_steps_also_in_sums_of_sums():
    """And also those that are not on in that step."""
    first, second = Listener(), Listener()
    inner = build_loss(SUM, losses={"second": second}, start={"second": 100})
    loss = build_loss(SUM, losses={"first": first, "inner": inner})
    loss.bind(["x", "y"])
    loss.set_step(3)
    assert first.told == second.told == [("x", "y"), 3]
    assert inner.step == 3


CONFIG = """
[loss]
@losses = "spacy-docre.Sum.v1"
decides = "late"

[loss.losses]

[loss.losses.early]
@losses = "spacy-docre.BCE.v1"

[loss.losses.late]
@losses = "spacy-docre.PowerBCE.v1"
power = 3

[loss.weights]
early = 2.0

[loss.start]
late = 10

[loss.until]
early = 20
"""


@pytest.mark.parametrize("step", [0, 10, 20])
def test_a_sum_from_a_config_file(step):
    """At 0, BCE costs 1 and PowerBCE of power 3 3 · log 2; the filled config, written and read again, says the same."""
    config = Config().from_str(CONFIG)
    again = Config().from_str(registry.fill(config).to_str())
    for source in (config, again):
        loss = registry.resolve(source)["loss"]
        loss.set_step(step)
        assert cost(loss) == pytest.approx({0: 2, 10: 5, 20: 3}[step])
        assert loss.decision_margin == build_loss(POWER, power=3).decision_margin
