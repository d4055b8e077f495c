"""Incomplete documents and how complete they are: what a missing label says."""

import json
from math import exp, log

import numpy as np
import pytest

from .test_teacher_targets import LABELS, LOGITS, make, targets_of, teacher


def write_priors(folder, *, a=(0.1, 0.05), b=(0.02, 0.0)):
    """Of each label the true and the labelled share. a is given half of the time, b never."""
    path = folder / "priors.json"
    shares = {"a": a, "b": b}
    path.write_text(json.dumps({x: {"true": true, "labelled": given} for x, (true, given) in shares.items()}))
    return path


def test_a_missing_label_lowers_the_teachers_margin(tmp_path):
    """Completeness ½: the odds are halved, p becomes p/2 / (1 - p/2). For b nothing was to be expected."""
    found = targets_of(make("incomplete", teacher()), priors=write_priors(tmp_path))
    p = 1 / (1 + exp(-2))
    assert found.values[0, 0] == pytest.approx((p / 2) / (1 - p / 2))
    assert found.values[1, 1] == pytest.approx(1 / (1 + exp(-3)))
    assert found.teacher[0, 1] - found.teacher[0, 0] == pytest.approx(2 - log(2))
    assert found.teacher[1, 2] - found.teacher[1, 0] == pytest.approx(3)


def test_what_is_labelled_stays_1(tmp_path):
    found = targets_of(make("incomplete", teacher()), priors=write_priors(tmp_path, b=(0.02, 0.01)))
    assert found.values[0, 1] == 1
    assert found.teacher[0, 2] - found.teacher[0, 0] == 4


def test_with_zlprs_probability_it_is_the_same_target(tmp_path):
    """p = σ(2d): the odds are halved too."""
    found = targets_of(make("incomplete", teacher()), priors=write_priors(tmp_path), teacher_scale=2.0)
    p = 1 / (1 + exp(-4))
    assert found.values[0, 0] == pytest.approx((p / 2) / (1 - p / 2))


@pytest.mark.parametrize("a", [(0.1, 0.1), (0.1, 0.12)])
def test_a_label_that_is_always_given_is_not_0_because_nobody_gave_it(tmp_path, a):
    found = targets_of(make("incomplete", teacher()), priors=write_priors(tmp_path, a=a))
    assert 0 < found.values[0, 0] < 0.5


@pytest.mark.parametrize("status", ["complete", "distant", "none"])
def test_priors_are_of_incomplete_documents_only(tmp_path, status):
    doc = make(status, teacher())
    found, without = targets_of(doc, priors=write_priors(tmp_path)), targets_of(doc)
    assert (found.values == without.values).all()
    assert found.teacher == pytest.approx(np.asarray(LOGITS, dtype=float))


def test_a_label_that_is_not_in_the_file_stays_as_the_teacher_has_it(tmp_path):
    """A student may have labels of its teacher that no document has."""
    path = tmp_path / "priors.json"
    path.write_text(json.dumps({"a": {"true": 0.1, "labelled": 0.05}}))
    doc = make("incomplete", teacher())
    with pytest.warns(UserWarning, match=r"docre-W031.*priors.json knows nothing of these labels: b\."):
        found = targets_of(doc, priors=path)
    with_both = targets_of(doc, priors=write_priors(tmp_path))
    assert (found.values == with_both.values).all()
    assert (found.teacher == with_both.teacher).all()


def test_a_file_that_lacks_all_labels_is_refused(tmp_path):
    path = tmp_path / "priors.json"
    path.write_text(json.dumps({"P17": {"true": 0.1, "labelled": 0.1}}))
    with pytest.raises(ValueError, match=r"docre-E095.*: a, b"):
        targets_of(make("incomplete", teacher()), priors=path, labels=LABELS)
