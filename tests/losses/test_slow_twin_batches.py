"""Losses over a batch equal plain loops, in value and gradient."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_docre.losses import build_loss

from . import slow
from .test_slow_twin_pairs import HARD, RANDOM, SOFT, assert_equal, batches

DICE, TVERSKY, EXACT, SSRPU, SUM, BCE = (
    f"spacy-docre.{name}.v1" for name in ("Dice", "Tversky", "EXACT", "SSRPU", "Sum", "BCE")
)
TWINS = [
    (DICE, slow.dice, {"smooth": 1.0}),
    (DICE, slow.dice, {"smooth": 0.1}),
    (TVERSKY, slow.tversky, {"alpha": 0.5, "beta": 0.5, "smooth": 1.0}),
    (TVERSKY, slow.tversky, {"alpha": 0.3, "beta": 0.8, "smooth": 0.2}),
    (EXACT, slow.exact_binary, {"sigma": 1.0}),
    (EXACT, slow.exact_binary, {"sigma": 3.0}),
]
twins = pytest.mark.parametrize(("name", "loss", "options"), TWINS, ids=lambda x: getattr(x, "__name__", None))


@twins
@RANDOM
@given(batches(HARD))
def test_hard_targets(name, loss, options, batch):
    value, gradient = loss(*batch, **options), slow.gradient_of_batch(loss, *batch, **options)
    assert_equal(build_loss(name, **options), *batch, value, gradient)


@twins
@RANDOM
@given(batches(SOFT))
def test_soft_targets(name, loss, options, batch):
    value, gradient = loss(*batch, **options), slow.gradient_of_batch(loss, *batch, **options)
    assert_equal(build_loss(name, **options), *batch, value, gradient)


def assert_equals_ssrpu(loss, batch, **options) -> None:
    """Where a risk is as good as 0, both of its branches are right, and they differ."""
    value, gradient, risks = slow.ssrpu(*batch, **options)
    assume(all(risk == 0 or abs(risk) > 1e-9 for risk in risks))
    assert_equal(loss, *batch, value, gradient)


@pytest.mark.parametrize(("ratio", "margin", "gamma"), [(1.0, 0.25, 1.0), (3.0, 0.25, 1.0), (2.0, 1.0, 0.5)])
@RANDOM
@given(batches(HARD, max_pairs=6))
def test_ssrpu_with_priors_by_ratio(ratio, margin, gamma, batch):
    loss = build_loss(SSRPU, ratio=ratio, margin=margin, gamma=gamma)
    assert_equals_ssrpu(loss, batch, priors=slow.priors_by_ratio(batch[1], ratio=ratio), margin=margin, gamma=gamma)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("labels") / "priors.json"


@RANDOM
@given(batches(HARD, max_pairs=6), st.lists(st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)), min_size=5, max_size=5))
def test_ssrpu_with_priors_from_a_file(path, batch, priors):
    priors = priors[: len(batch[0][0])]
    labels = [f"P{i}" for i in range(len(priors))]
    values = [{"true": true, "labelled": labelled} for true, labelled in priors]
    path.write_text(json.dumps(dict(reversed(list(zip(labels, values))))), encoding="utf8")
    loss = build_loss(SSRPU, priors=path)
    loss.bind(labels)
    assert_equals_ssrpu(loss, batch, priors=priors, margin=0.25, gamma=1.0)


def bce_and_dice(d, y) -> float:
    return 0.5 * slow.bce(d, y) + 2 * slow.dice(d, y, smooth=1.0)


@RANDOM
@given(batches(SOFT))
def test_a_sum_is_the_weighted_sum_of_its_parts(batch):
    parts = {"bce": build_loss(BCE), "dice": build_loss(DICE)}
    loss = build_loss(SUM, losses=parts, weights={"bce": 0.5, "dice": 2.0})
    assert_equal(loss, *batch, bce_and_dice(*batch), slow.gradient_of_batch(bce_and_dice, *batch))
