"""Losses worked out by hand, the docstrings' examples among them."""

from math import exp, log

import pytest
import torch
from catalogue import RegistryError
from thinc.api import registry

from spacy_docre.losses import build_loss
from spacy_docre.losses.negatives import log1p_sum_exp
from spacy_docre.masking import mask_out

from .rows import OBJECTIVES, TABLE

ATL, FOCAL, BCE = (f"spacy-docre.{name}.v1" for name in ("ATL", "AdaptiveFocal", "BCE"))


def cost(name, margins, targets, **settings) -> float:
    """What one pair costs."""
    loss = build_loss(name, **settings)
    return loss(torch.tensor([margins], dtype=torch.float64), torch.tensor([targets])).item()


def test_every_registered_loss_has_a_row():
    registered = {name for name in registry.losses.get_all() if name.startswith("spacy-docre.")}
    assert registered - OBJECTIVES == {row.name for row in TABLE.values()}


def test_unknown_loss_says_which_there_are():
    with pytest.raises(RegistryError, match=r"spacy-docre\.ATL\.v1"):
        build_loss("spacy-docre.Nothing.v1")


def test_atl_one_positive_one_negative_at_zero():
    """log(1 + e^0) for the negative, log(1 + e^0) - 0 for the positive: 2 · log 2"""
    assert cost(ATL, [0.0, 0.0], [1, 0]) == pytest.approx(2 * log(2))


def test_atl_two_positives_compete():
    """d = log 2 and log 3: each costs log(1 + 2 + 3) - d, so 2·log 6 - log 2 - log 3 = log 6"""
    assert cost(ATL, [log(2), log(3)], [1, 1]) == pytest.approx(log(6))


def test_atl_negatives_share_one_threshold():
    """e^d = 2 and 4, no positive: log(1 + 2 + 4)"""
    assert cost(ATL, [log(2), log(4)], [0, 0]) == pytest.approx(log(7))


def test_adaptive_focal_at_zero():
    """A negative costs log 2, a positive (1 + ½) · log 2; without the 1: ½ · log 2"""
    assert cost(FOCAL, [0.0], [0]) == pytest.approx(log(2))
    assert cost(FOCAL, [0.0], [1]) == pytest.approx(1.5 * log(2))
    assert cost(FOCAL, [0.0], [1], plus_one=False) == pytest.approx(0.5 * log(2))


def test_adaptive_focal_positives_do_not_compete():
    """d = log 3: σ = ¾, w = 1 + ¼, softplus(-d) = log 4/3; two of them cost twice as much as one"""
    one = 1.25 * log(4 / 3)
    assert cost(FOCAL, [log(3)], [1]) == pytest.approx(one)
    assert cost(FOCAL, [log(3), log(3)], [1, 1]) == pytest.approx(2 * one)


def test_adaptive_focal_gamma():
    """σ(log 3) = ¾ and γ = 2: w = 1 + 1/16; γ = 0: w = 2, whatever the margin"""
    assert cost(FOCAL, [log(3)], [1], gamma=2.0) == pytest.approx((1 + 1 / 16) * log(4 / 3))
    assert cost(FOCAL, [log(3)], [1], gamma=0.0) == pytest.approx(2 * log(4 / 3))


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_bce_at_zero_costs_log_2_whatever_the_target(target):
    assert cost(BCE, [0.0], [target]) == pytest.approx(log(2))


def test_bce_sums_over_labels_and_weighs_positives():
    """d = log 3: a positive costs w · log 4/3, a negative log 4"""
    assert cost(BCE, [log(3), log(3)], [1, 0]) == pytest.approx(log(4 / 3) + log(4))
    assert cost(BCE, [log(3), log(3)], [1, 0], pos_weight=5.0) == pytest.approx(5 * log(4 / 3) + log(4))


def test_bce_label_smoothing():
    """ε = 0.2 makes 1 to 0.9: 0.9 · log 4/3 + 0.1 · log 4"""
    assert cost(BCE, [log(3)], [1], label_smoothing=0.2) == pytest.approx(0.9 * log(4 / 3) + 0.1 * log(4))


def test_bce_soft_target_is_least_at_its_own_logit():
    """t = 0.8: σ(d) = 0.8 at d = log 4, where the slope is 0"""
    margins = torch.tensor([[log(4)]], dtype=torch.float64, requires_grad=True)
    build_loss(BCE)(margins, torch.tensor([[0.8]], dtype=torch.float64)).backward()
    assert margins.grad.item() == pytest.approx(0, abs=1e-12)


def test_mean_over_pairs_not_over_labels():
    """Two pairs with 3 labels at d = 0, all negative: (3·log 2 + 3·log 2) / 2 for BCE, log 4 for ATL"""
    zeros = torch.zeros((2, 3))
    assert build_loss(BCE)(zeros, zeros).item() == pytest.approx(3 * log(2))
    assert build_loss(ATL)(zeros, zeros).item() == pytest.approx(log(4))


def test_log1p_sum_exp_of_some_of_nothing_and_of_far_ends():
    """log(1 + 2), log 1, and margins of 1000 that are exact"""
    x = torch.tensor([[log(2), 5.0], [3.0, 4.0], [1000.0, -1000.0]])
    keep = torch.tensor([[True, False], [False, False], [True, True]])
    assert log1p_sum_exp(x, keep).tolist() == pytest.approx([log(3), 0, 1000])


def test_mask_out_leaves_nothing_after_exp():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    masked = mask_out(x, torch.tensor([True, False]))
    assert masked.exp().flatten().tolist() == pytest.approx([exp(1), 0, exp(3), 0])
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
