"""Losses of single cells and of soft F1, worked out by hand: focal, power BCE, Dice, Tversky, DSC."""

from math import log, sqrt

import pytest
import torch

from spacy_docre.losses import build_loss

from .test_pencil import cost

FOCAL, POWER, DICE, TVERSKY, DSC = (
    f"spacy-docre.{name}.v1" for name in ("Focal", "PowerBCE", "Dice", "Tversky", "DSC")
)
SURE = 50.0  # a margin whose probability is 1, and 0 with a minus


def slope(name, margin: float, target: float, **settings) -> float:
    margins = torch.tensor([[margin]], dtype=torch.float64, requires_grad=True)
    build_loss(name, **settings)(margins, torch.tensor([[target]])).backward()
    return margins.grad.item()


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_focal_at_zero_costs_an_eighth_of_log_2_whatever_the_target(target):
    """α = ½, γ = 2: ½ · (½)² · log 2"""
    assert cost(FOCAL, [0.0], [target]) == pytest.approx(log(2) / 8)


def test_focal_alpha_belongs_to_the_positives():
    """d = log 3: p = ¾. Positive: 0.25 · (¼)² · log 4/3; negative: 0.75 · (¾)² · log 4"""
    assert cost(FOCAL, [log(3)], [1], alpha=0.25) == pytest.approx(0.25 / 16 * log(4 / 3))
    assert cost(FOCAL, [log(3)], [0], alpha=0.25) == pytest.approx(0.75 * 9 / 16 * log(4))


def test_focal_without_gamma_is_half_of_bce():
    """γ = 0 and α = ½: ½ · (log 4/3 + log 4) for a positive and a negative at p = ¾"""
    assert cost(FOCAL, [log(3), log(3)], [1, 0], gamma=0.0) == pytest.approx((log(4 / 3) + log(4)) / 2)


def test_power_bce_at_zero():
    """n = 2: p² = ¼. A positive costs -log ¼ = 2 · log 2, a negative -log ¾; n = 4: 4 · log 2 and -log 15/16"""
    assert cost(POWER, [0.0], [1]) == pytest.approx(2 * log(2))
    assert cost(POWER, [0.0], [0]) == pytest.approx(log(4 / 3))
    assert cost(POWER, [0.0, 0.0], [1, 0], power=4) == pytest.approx(4 * log(2) + log(16 / 15))


def test_power_bce_of_power_1_is_bce():
    """d = log 3: log 4/3 and log 4, decided at 0"""
    assert cost(POWER, [log(3), log(3)], [1, 0], power=1) == pytest.approx(log(4 / 3) + log(4))
    assert build_loss(POWER, power=1).decision_margin == 0


def test_power_bce_is_decided_where_the_power_is_one_half():
    """n = 2: p = 1/√2, d = log(p / (1 - p)) = log(1 / (√2 - 1)) = log(1 + √2), where both targets cost log 2"""
    loss = build_loss(POWER)
    assert loss.decision_margin == pytest.approx(log(1 + sqrt(2)))
    assert cost(POWER, [loss.decision_margin], [1]) == pytest.approx(log(2))
    assert cost(POWER, [loss.decision_margin], [0]) == pytest.approx(log(2))


@pytest.mark.parametrize("power", [1, 2, 4, 7])
def test_power_bce_scores_with_the_power(power):
    """At the decision pⁿ = ½, at d = log 3 (¾)ⁿ"""
    loss = build_loss(POWER, power=power)
    found = loss.probability(torch.tensor([loss.decision_margin, log(3)], dtype=torch.float64))
    assert found.tolist() == pytest.approx([1 / 2, 0.75**power])


@pytest.mark.parametrize("power", [2, 4])
def test_power_bce_keeps_its_slope_where_the_power_rounds_to_1(power):
    """A negative far up costs -log(1 - pⁿ) ≈ d - log n, with slope 1"""
    assert cost(POWER, [60.0], [0], power=power) == pytest.approx(60 - log(power))
    assert slope(POWER, 60.0, 0, power=power) == pytest.approx(1)


def test_dice_at_zero():
    """A positive and a negative at p = ½, g = 1: 1 - (2·½ + 1) / (¼ + ¼ + 1 + 1) = 0.2"""
    assert cost(DICE, [0.0, 0.0], [1, 0]) == pytest.approx(0.2)


def test_dice_of_sure_answers():
    """2 hits, 1 false alarm, 1 miss, g near 0: 1 - 2·2 / (3 + 3) = ⅓"""
    assert cost(DICE, [SURE, SURE, SURE, -SURE], [1, 1, 0, 1], smooth=1e-9) == pytest.approx(1 / 3)


def test_dice_without_anything_to_find():
    """Nothing found: 1 - g/g = 0; one false alarm, g = 1: 1 - 1 / (1 + 1) = ½"""
    assert cost(DICE, [-SURE], [0]) == pytest.approx(0)
    assert cost(DICE, [SURE], [0]) == pytest.approx(1 / 2)


def test_dice_sums_over_the_batch_before_it_divides():
    """The cells of two pairs as those of one: 0.2 again, where the mean over pairs is (1 - 2/2.25 + 1 - 1/1.25) / 2"""
    margins, targets = torch.zeros((2, 1)), torch.tensor([[1], [0]])
    assert build_loss(DICE)(margins, targets).item() == pytest.approx(0.2)
    assert cost(DICE, [0.0], [1]) == pytest.approx(1 - 2 / 2.25)
    assert cost(DICE, [0.0], [0]) == pytest.approx(1 - 1 / 1.25)


def test_tversky_by_hand():
    """2 hits, 1 false alarm, 1 miss; α = 0.3, β = 0.7: 1 - 2 / (2 + 0.3·1 + 0.7·1) = ⅓"""
    margins, targets = [SURE, SURE, SURE, -SURE], [1, 1, 0, 1]
    assert cost(TVERSKY, margins, targets, alpha=0.3, beta=0.7, smooth=1e-9) == pytest.approx(1 / 3)


def test_tversky_alpha_weighs_false_alarms_and_beta_misses():
    """A hit and a false alarm, g = 1: 1 - 2 / (2 + α); a hit and a miss: 1 - 2 / (2 + β)"""
    settings = {"alpha": 0.5, "beta": 2.0}
    assert cost(TVERSKY, [SURE, SURE], [1, 0], **settings) == pytest.approx(1 / 5)
    assert cost(TVERSKY, [SURE, -SURE], [1, 1], **settings) == pytest.approx(1 / 2)


def test_tversky_of_halves_at_zero():
    """A positive and a negative at p = ½, α = β = ½, g = 1: 1 - (½ + 1) / (½ + ¼ + ¼ + 1) = ¼"""
    assert cost(TVERSKY, [0.0, 0.0], [1, 0]) == pytest.approx(1 / 4)


def test_tversky_of_halves_is_dice_for_sure_answers():
    """3 hits, 1 false alarm, 2 misses; p² = p, so Dice's g counts for two: 1 - (6 + 2) / (4 + 5 + 2) = 3/11"""
    margins, targets = [SURE, SURE, SURE, SURE, -SURE, -SURE], [1, 1, 1, 0, 1, 1]
    assert cost(TVERSKY, margins, targets) == pytest.approx(3 / 11)
    assert cost(DICE, margins, targets, smooth=2.0) == pytest.approx(3 / 11)


def test_dsc_at_zero():
    """α = 0, g = 1, q = ½: a positive costs 1 - (1 + 1) / (½ + 1 + 1) = 0.2, a negative 1 - 1 / (½ + 1) = ⅓"""
    assert cost(DSC, [0.0], [1], alpha=0.0) == pytest.approx(0.2)
    assert cost(DSC, [0.0], [0], alpha=0.0) == pytest.approx(1 / 3)
    assert cost(DSC, [0.0, 0.0], [1, 0], alpha=0.0) == pytest.approx(0.2 + 1 / 3)


def test_dsc_alpha_lowers_what_is_right_already():
    """α = 0.1 at p = ½: q = ½^1.1, and a negative costs q / (q + 1)"""
    q = 0.5**1.1
    assert cost(DSC, [0.0], [0], alpha=0.1) == pytest.approx(q / (q + 1))


@pytest.mark.filterwarnings("ignore:.*docre-W011")
@pytest.mark.parametrize("alpha", [0.05, 0.25, 1.0])
def test_dsc_positive_is_cheapest_where_its_docstring_says(alpha):
    """p = 1 / (1 + α) is d = -log α: the slope is 0 there, below it negative, above it positive"""
    assert slope(DSC, -log(alpha), 1, alpha=alpha) == pytest.approx(0, abs=1e-12)
    assert slope(DSC, -log(alpha) - 1, 1, alpha=alpha) < 0
    assert slope(DSC, -log(alpha) + 1, 1, alpha=alpha) > 0
