"""Losses that compare labels, and those for fine-tuning, worked out by hand: ZLPR, EXACT, EMO, SSRPU."""

import json
from math import erf, log, sqrt

import pytest
import torch

from spacy_docre.losses import build_loss

from .test_pencil import cost

ZLPR, EXACT, EMO, SSRPU = (f"spacy-docre.{name}.v1" for name in ("ZLPR", "EXACT", "EMO", "SSRPU"))
UP_1 = (1 + erf(1 / sqrt(2))) / 2  # Φ(1) = 0.841…


def slopes(loss, margins, targets) -> list[float]:
    """The gradient of one pair."""
    margins = torch.tensor([margins], dtype=torch.float64, requires_grad=True)
    loss(margins, torch.tensor([targets], dtype=torch.float64)).backward()
    return margins.grad[0].tolist()


def test_zlpr_at_zero():
    """One positive and one negative: log(1 + 1) each"""
    assert cost(ZLPR, [0.0, 0.0], [1, 0]) == pytest.approx(2 * log(2))


def test_zlpr_of_one_kind():
    """Negatives with e^d = 2 and 4: log 7 + log 1; positives with e^-d = 2 and 4: log 1 + log 7"""
    assert cost(ZLPR, [log(2), log(4)], [0, 0]) == pytest.approx(log(7))
    assert cost(ZLPR, [-log(2), -log(4)], [1, 1]) == pytest.approx(log(7))


def test_zlpr_of_a_soft_target():
    """t = 0.8 at e^d = 2: log(1 + 0.2 · 2) + log(1 + 0.8 / 2) = 2 · log 1.4"""
    assert cost(ZLPR, [log(2)], [0.8]) == pytest.approx(2 * log(1.4))


def test_zlpr_is_stationary_where_the_target_is_its_probability():
    """t = σ(2d): 4/5 at d = log 2, 1/10 at d = -log 3; also for several labels at once"""
    loss = build_loss(ZLPR)
    margins = [log(2), -log(3), 0.0]
    probability = loss.probability(torch.tensor(margins, dtype=torch.float64)).tolist()
    assert probability == pytest.approx([4 / 5, 1 / 10, 1 / 2])
    assert slopes(loss, margins, probability) == pytest.approx([0, 0, 0], abs=1e-12)
    assert slopes(loss, margins, [4 / 5, 1 / 10, 3 / 5])[2] < 0


def test_exact_at_zero():
    """Φ(0) = ½ for a positive and a negative, half of each: ½"""
    assert cost(EXACT, [0.0, 0.0], [1, 0]) == pytest.approx(1 / 2)


def test_exact_balances_positives_and_negatives():
    """σ√2 = √2 · 1: at d = √2 Φ(d/σ√2) = Φ(1). A positive there costs 1 - Φ(1), and three negatives at 0 ½ together"""
    assert cost(EXACT, [sqrt(2), 0.0, 0.0, 0.0], [1, 0, 0, 0]) == pytest.approx((1 - UP_1 + 1 / 2) / 2)


def test_exact_noise_of_twice_the_size():
    """σ = 2: at d = 2√2 a negative costs Φ(1), halved because there are no positives; its probability is Φ(1) too"""
    assert cost(EXACT, [2 * sqrt(2)], [0], sigma=2.0) == pytest.approx(UP_1 / 2)
    for form in ("binary", "single"):
        loss = build_loss(EXACT, form=form, sigma=2.0)
        assert loss.probability(torch.tensor([[2 * sqrt(2)]])).item() == pytest.approx(UP_1)


def test_exact_of_soft_targets():
    """t = 0.2 at d = √2: ½ · (1 - Φ(1)) + ½ · Φ(1), whatever t is, for it is alone on both sides"""
    assert cost(EXACT, [sqrt(2)], [0.2]) == pytest.approx(1 / 2)


def test_exact_slope_vanishes_where_an_example_is_badly_wrong():
    """A positive at d = -6, σ = 1: half of exp(-36/4) / √(4π) = 1.7e-5, and of a pair at -10 almost nothing"""
    assert abs(slopes(build_loss(EXACT), [-6.0], [1])[0]) == pytest.approx(1.7e-5, rel=0.03)
    assert abs(slopes(build_loss(EXACT), [-10.0], [1])[0]) < 1e-11


def test_exact_single_of_equals():
    """n labels and the threshold, all at 0: the right one is highest with probability 1 / (n + 1)"""
    assert cost(EXACT, [0.0], [0], form="single") == pytest.approx(1 / 2)
    assert cost(EXACT, [0.0, 0.0], [0, 1], form="single") == pytest.approx(2 / 3)
    assert cost(EXACT, [0.0, 0.0, 0.0], [0, 0, 0], form="single") == pytest.approx(3 / 4)


def test_exact_single_of_two():
    """The difference of two noises has deviation σ√2: at d = √2 the threshold, at -√2 the label errs with Φ(1)"""
    assert cost(EXACT, [sqrt(2)], [0], form="single") == pytest.approx(UP_1)
    assert cost(EXACT, [-2 * sqrt(2)], [1], form="single", sigma=2.0) == pytest.approx(UP_1)


def test_exact_single_of_several_right_labels():
    """Each against what is not right, and the mean: two right ones at ±√2 err with 1 - Φ(1) and Φ(1), ½ together"""
    assert cost(EXACT, [sqrt(2), -sqrt(2)], [1, 1], form="single") == pytest.approx(1 / 2)


@pytest.mark.parametrize("form", ["binary", "single"])
def test_exact_keeps_finite_slopes_with_little_noise(form):
    """Margins of 1e4 are 1e5 deviations if σ = 0.1"""
    loss = build_loss(EXACT, form=form, sigma=0.1)
    margins = torch.tensor([[-1e4, 1e4, 0.0]], requires_grad=True)
    loss(margins, torch.tensor([[1, 0, 0]])).backward()
    assert margins.grad.isfinite().all()


def test_emo_at_zero():
    """One negative: CE = log 2, EMO = ½, CE / EMO = 2 · log 2; slope ½ · (½ + 2 · log 2 · ¼)"""
    assert cost(EMO, [0.0], [0]) == pytest.approx(log(2))
    assert slopes(build_loss(EMO), [0.0], [0]) == pytest.approx([(1 / 2 + log(2) / 2) / 2])


def test_emo_costs_as_much_as_its_cross_entropy():
    """Scores 0, log 2 and log 3, p = ⅙, ⅓ and ½: log 6 for no label, log 2 for the last, the mean of two for both"""
    margins = [log(2), log(3)]
    assert cost(EMO, margins, [0, 0]) == pytest.approx(log(6))
    assert cost(EMO, margins, [0, 1]) == pytest.approx(log(2))
    assert cost(EMO, margins, [1, 1]) == pytest.approx((log(3) + log(2)) / 2)


def test_emo_pushes_a_similar_label_away_less(tmp_path):
    """Three scores of 0, p = ⅓ each, the first label right, the second as good as half of it: CE = log 3,
    EMO = ⅓·1 + ⅓·½ = ½. Slope of the second: ½ · (⅓ + 2 · log 3 · ⅓ · (½ - ½)) = 1/6; without costs EMO = ⅔ and it is
    ½ · (⅓ + 1.5 · log 3 · ⅓ · (1 - ⅔)) = 1/6 + log 3 / 12"""
    path = tmp_path / "costs.json"
    path.write_text(json.dumps({"labels": ["a", "b"], "costs": [[0, 0.5], [0.5, 0]]}))
    loss = build_loss(EMO, costs=path)
    loss.bind(["a", "b"])
    assert slopes(loss, [0.0, 0.0], [1, 0])[1] == pytest.approx(1 / 6)
    assert slopes(build_loss(EMO), [0.0, 0.0], [1, 0])[1] == pytest.approx(1 / 6 + log(3) / 12)


def test_ssrpu_without_positives_at_zero():
    """Priors of 0: only E_U[ℓ⁻] = ¼ · (0 + ¼)² = 1/64, for each of two labels"""
    assert cost(SSRPU, [0.0], [0]) == pytest.approx(1 / 64)
    assert cost(SSRPU, [0.0, 0.0], [0, 0]) == pytest.approx(2 / 64)


def ssrpu_of_four(*, right: float, others: float, **settings) -> float:
    """One label, four pairs, the first of them labelled; ratio 2: π_l = ¼, π_o = ½, π_u = ⅓, (1 - π_o)/(1 - π_u) = ¾"""
    margins = torch.tensor([[right], [others], [others], [others]], dtype=torch.float64)
    return build_loss(SSRPU, ratio=2.0, **settings)(margins, torch.tensor([[1], [0], [0], [0]])).item()


def test_ssrpu_at_zero():
    """All ℓ are 1/64: risk⁻ = ¾ · (1 - ⅓) / 64 = ½ / 64, risk⁺ = √(½ · ½) / 64 = ½ / 64"""
    assert ssrpu_of_four(right=0.0, others=0.0) == pytest.approx(1 / 64)


def test_ssrpu_of_a_negative_risk_is_only_that_risk():
    """E_U[ℓ⁻] = 0 at -¼, E_P[ℓ⁻] = ¼ · (½)² = 1/16 at ¼: risk⁻ = -¾ · ⅓ / 16 = -1/64"""
    assert ssrpu_of_four(right=0.25, others=-0.25) == pytest.approx(1 / 64)
    assert ssrpu_of_four(right=0.25, others=-0.25, gamma=0.5) == pytest.approx(1 / 128)


def test_ssrpu_margins_further_right_than_m_cost_more():
    """m = 1, d = ±1: risk⁻ = ¾·0 - ¼·1 = -¼; labelled at 3: ¾·0 - ¼·4 = -1; others at -3: ¾·1 - ¼·1 = ½, risk⁺ = 0"""
    assert ssrpu_of_four(right=1.0, others=-1.0, margin=1.0) == pytest.approx(1 / 4)
    assert ssrpu_of_four(right=3.0, others=-1.0, margin=1.0) == pytest.approx(1)
    assert ssrpu_of_four(right=1.0, others=-3.0, margin=1.0) == pytest.approx(1 / 2)


def test_ssrpu_of_ratio_1_has_no_hidden_positives():
    """π_o = π_l = ¼: ¾·E_U + √(3/16)·E_P, (¾ + √3/4) / 64 at zero"""
    margins, targets = torch.zeros((4, 1)), torch.tensor([[1], [0], [0], [0]])
    assert build_loss(SSRPU, ratio=1.0)(margins, targets).item() == pytest.approx((3 / 4 + sqrt(3) / 4) / 64)


def test_ssrpu_with_priors_from_a_file(tmp_path):
    """π_o = ½ and π_l = ¼ are said there, and the batch has one labelled pair of two: as above, 1/64"""
    path = tmp_path / "priors.json"
    path.write_text(json.dumps({"a": {"true": 0.5, "labelled": 0.25}}))
    loss = build_loss(SSRPU, priors=str(path))
    loss.bind(["a"])
    assert loss(torch.zeros((2, 1)), torch.tensor([[1], [0]])).item() == pytest.approx(1 / 64)
