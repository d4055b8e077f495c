"""What teachers say together, each with its calibration; and the targets and the objective that come of it."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from spacy_docre.annotations import TEACHERS_KEY, get_soft_labels, set_soft_labels
from spacy_docre.features.teachers import ask_teachers

from ..annotations.test_soft_labels import WAYS
from .test_priors_targets import write_priors
from .test_teacher_targets import (
    LOGITS,
    MARGINS,
    ROUNDED,
    SECOND,
    P,
    assert_targets,
    logit,
    make,
    p,
    targets_of,
    teacher,
)

FIRST = replace(teacher(), calibration=(2.0, -1.0))  # margins 2, -2 and 0, 3: log odds 3, -5 and -1, 5
OTHER = replace(SECOND, calibration=(0.5, 1.0))  # margins 0, 4 and -2, 1: log odds 1, 3 and 0, 1.5
IDS, NAMES = ["0", "1"], ["a", "b"]


def ask(*teachers, weights={}, ids=IDS, labels=NAMES):
    return ask_teachers(make("none", *teachers), ids, labels, weights)


def test_one_teacher_by_hand():
    view = ask(FIRST)
    assert view.logits.tolist() == LOGITS.tolist()
    assert view.margins.tolist() == MARGINS
    assert view.log_odds == pytest.approx(np.array([[3, -5], [-1, 5]]))
    assert view.slope == pytest.approx(2.0)


def test_two_teachers_by_hand():
    """The means of their logits, of their log odds, and of their scales"""
    view = ask(FIRST, OTHER)
    assert view.logits == pytest.approx((LOGITS + SECOND.logits).astype(float) / 2)
    assert view.margins == pytest.approx(np.array([[1, 1], [-1, 2]]))
    assert view.log_odds == pytest.approx(np.array([[2, -1], [-0.5, 3.25]]))
    assert view.slope == pytest.approx(1.25)


def test_weights_by_hand():
    """¾ and ¼: (3·3 + 1)/4, (3·-5 + 3)/4; (3·-1 + 0)/4, (3·5 + 1.5)/4; (3·2 + 0.5)/4"""
    view = ask(FIRST, OTHER, weights={"first": 3.0})
    assert view.logits == pytest.approx((3 * LOGITS + SECOND.logits).astype(float) / 4)
    assert view.log_odds == pytest.approx(np.array([[2.5, -3], [-0.75, 4.125]]))
    assert view.slope == pytest.approx(1.625)


@pytest.mark.parametrize("weights", [{"first": 0.5, "second": 1.5}, {"first": 2.0, "second": 6.0}])
def test_only_the_ratio_of_weights_counts(weights):
    one, other = ask(FIRST, OTHER, weights=weights), ask(FIRST, OTHER, weights={"second": 3.0})
    assert one.log_odds == pytest.approx(other.log_odds)
    assert one.slope == pytest.approx(other.slope)


@pytest.mark.parametrize(("left_out", "left"), [("first", OTHER), ("second", FIRST)])
def test_a_weight_of_0_leaves_a_teacher_out(left_out, left):
    one, other = ask(FIRST, OTHER, weights={left_out: 0}), ask(left)
    assert one.logits.tolist() == other.logits.tolist()
    assert one.log_odds.tolist() == other.log_odds.tolist()
    assert (one.slope == other.slope).all()


@pytest.mark.parametrize("weights", [{}, {"nobody": 3.0}])
def test_nobody_has_said_anything(weights):
    assert ask(weights=weights) is None


def test_everybody_is_left_out():
    assert ask(FIRST, OTHER, weights={"first": 0, "second": 0.0}) is None


def test_pairs_that_no_teacher_has_seen_are_nan():
    """Of (0, 1) (0, 2) (1, 0) (1, 2) (2, 0) (2, 1) the first knows (0, 1) and (1, 0), the other (0, 2) and (2, 0)."""
    other = replace(OTHER, entity_ids=("0", "2"))
    view = ask_teachers(make("none", FIRST, other, n_entities=3), ["0", "1", "2"], NAMES, {"first": 5.0})
    assert np.isnan(view.logits).all(1).tolist() == [False, False, False, True, False, True]
    assert np.isnan(view.log_odds).all(1).tolist() == [False, False, False, True, False, True]
    assert view.log_odds[[0, 2]] == pytest.approx(np.array([[3, -5], [-1, 5]]))
    assert view.log_odds[[1, 4]] == pytest.approx(np.array([[1, 3], [0, 1.5]]))
    assert view.slope[[0, 2, 1, 4], 0].tolist() == [2, 2, 0.5, 0.5]


def test_entities_that_no_teacher_has_seen():
    view = ask(FIRST, OTHER, ids=["8", "9"])
    assert np.isnan(view.logits).all()
    assert np.isnan(view.log_odds).all()
    assert view.slope.shape == (len(view.logits), 1)


@pytest.mark.parametrize("ids", [[], ["0"]])
def test_no_pairs(ids):
    view = ask(FIRST, OTHER, ids=ids)
    assert (view.logits.shape, view.log_odds.shape, view.margins.shape) == ((0, 3), (0, 2), (0, 2))
    assert view.slope.shape == (len(view.logits), 1)


def test_entities_and_labels_in_another_order():
    view = ask(FIRST, ids=["1", "0"], labels=["b", "a"])
    assert view.log_odds == pytest.approx(np.array([[5, -1], [-5, 3]]))


def test_a_label_that_a_teacher_lacks_is_said():
    with pytest.raises(ValueError, match=r"docre-E110.*spouse"):
        ask(FIRST, labels=["a", "spouse"])


def test_without_calibration_the_margins_are_the_log_odds():
    assert teacher().calibration == (1.0, 0.0)
    view = ask(teacher(), SECOND, weights={"first": 3.0})
    assert view.log_odds == pytest.approx(view.margins)
    assert view.slope == pytest.approx(1.0)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_calibration_survives(way):
    doc = way(make("none", FIRST, replace(SECOND, calibration=(1 / 3, -1e-7))))
    assert [s.calibration for s in get_soft_labels(doc)] == [(2.0, -1.0), (1 / 3, -1e-7)]
    set_soft_labels(doc, get_soft_labels(doc))
    assert [s.calibration for s in get_soft_labels(way(doc))] == [(2.0, -1.0), (1 / 3, -1e-7)]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_soft_labels_of_an_earlier_version_have_none(way):
    """Plain data as it was stored before there were calibrations."""
    doc = make("none")
    doc.user_data[TEACHERS_KEY] = [
        {"teacher": "first", "labels": NAMES, "entity_ids": IDS, "logits": LOGITS.astype("<f2").tobytes()}
    ]
    (found,) = get_soft_labels(way(doc))
    assert found.calibration == (1.0, 0.0)
    assert found.logits.tolist() == LOGITS.tolist()
    assert_targets(targets_of(way(doc)), P)


CALIBRATIONS = [(1.0, 0.0), (2.0, -1.0), (0.5, 3.0), (1.5, -7.0)]


def calibrated(scale: float, offset: float):
    return replace(teacher(), calibration=(scale, offset))


@pytest.mark.parametrize("teacher_scale", [1.0, 2.0])
@pytest.mark.parametrize(("scale", "offset"), CALIBRATIONS)
def test_soft_targets_are_the_calibrated_probability(scale, offset, teacher_scale):
    """And the objective sees the teacher's own logits, whatever they mean as a probability."""
    found = targets_of(make("none", calibrated(scale, offset)), teacher_scale=teacher_scale)
    assert_targets(found, [[p(teacher_scale * (scale * m + offset)) for m in row] for row in MARGINS])
    assert found.teacher == pytest.approx(LOGITS.astype(float))


@pytest.mark.parametrize(("scale", "offset"), CALIBRATIONS)
def test_the_union_is_of_what_the_teacher_predicts(scale, offset):
    """Raw margins above 0, also where the probability is on the other side of one half."""
    found = targets_of(make("none", calibrated(scale, offset)), mode="teacher_union")
    assert_targets(found, ROUNDED)
    assert found.teacher == pytest.approx(LOGITS.astype(float))


def test_two_calibrated_teachers_are_averaged_in_log_odds():
    """The objective's logits are the mean of the raw ones, and so is what both predict together."""
    doc = make("none", FIRST, OTHER)
    found = targets_of(doc, teacher_weights={"first": 3.0})
    assert_targets(found, [[p(2.5), p(-3)], [p(-0.75), p(4.125)]])
    assert found.teacher == pytest.approx((3 * LOGITS + SECOND.logits).astype(float) / 4)
    assert_targets(targets_of(doc, mode="teacher_union"), [[1, 1], [0, 1]])


@pytest.mark.parametrize("mode", ["teacher_soft", "teacher_union", "closed_world"])
@pytest.mark.parametrize("status", ["complete", "none"])
def test_a_calibration_is_nothing_to_the_objective_where_no_label_corrects_it(mode, status):
    found, plain = targets_of(make(status, FIRST), mode=mode), targets_of(make(status, teacher()), mode=mode)
    assert found.teacher == pytest.approx(plain.teacher)
    if status == "complete" or mode == "closed_world":
        assert found.values.tolist() == plain.values.tolist()


def margins_of(found) -> np.ndarray:
    return found.teacher[:, 1:] - found.teacher[:, :1]


@pytest.mark.parametrize("teacher_scale", [1.0, 2.0])
@pytest.mark.parametrize(("scale", "offset"), CALIBRATIONS)
def test_what_is_missing_lowers_the_log_odds_and_the_margin_in_its_own_unit(tmp_path, scale, offset, teacher_scale):
    """Half of a are labelled, so odds are halved: log odds by log 2, the margin by as much as brings that about."""
    priors = write_priors(tmp_path)
    found = targets_of(make("incomplete", calibrated(scale, offset)), priors=priors, teacher_scale=teacher_scale)
    for row, margin in enumerate((2, 0)):
        log_odds = teacher_scale * (scale * margin + offset) - log(2)
        assert found.values[row, 0] == pytest.approx(p(log_odds), abs=1e-6)
        assert margins_of(found)[row, 0] == pytest.approx(margin - log(2) / (teacher_scale * scale), abs=1e-5)
    assert margins_of(found)[1, 1] == pytest.approx(3)  # of b none was to be expected


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 1), (0.2, 0)])
def test_the_union_follows_the_lowered_margin(tmp_path, scale, expected):
    """Margin 2 falls by log 2 = 0.69 to 1.31, or by 3.47 to -1.47"""
    doc = make("incomplete", calibrated(scale, 0.0))
    found = targets_of(doc, mode="teacher_union", priors=write_priors(tmp_path))
    assert found.values[0, 0] == expected
    assert found.values[0, 1] == 1  # labelled


@pytest.mark.parametrize(("scale", "offset"), [*CALIBRATIONS, (1.0, 20.0)])
def test_what_people_labelled_is_1_and_certain_however_the_teacher_is_calibrated(scale, offset):
    found = targets_of(make("incomplete", calibrated(scale, offset)))
    assert found.values[0, 1] == 1
    assert margins_of(found)[0, 1] == pytest.approx(4)


@pytest.mark.parametrize("teacher_scale", [1.0, 2.0])
@pytest.mark.parametrize(("scale", "offset"), CALIBRATIONS)
def test_the_mix_with_distant_labels_is_of_probabilities(scale, offset, teacher_scale):
    """¼·label + ¾·p; the margin is the one that the calibration turns into this."""
    doc = make("distant", calibrated(scale, offset))
    found = targets_of(doc, trust=0.25, teacher_scale=teacher_scale)
    probability = np.array([[p(teacher_scale * (scale * m + offset)) for m in row] for row in MARGINS])
    mix = 0.75 * probability + 0.25 * np.array([[0, 1], [0, 0]])
    assert_targets(found, mix)
    margins = [[(logit(x) / teacher_scale - offset) / scale for x in row] for row in mix]
    assert margins_of(found) == pytest.approx(np.array(margins), abs=1e-3)
