"""Objectives of distillation: worked examples, and what each promises of training."""

from itertools import pairwise
from math import exp, log

import pytest
import torch
from thinc.api import Config, registry

from spacy_docre.losses.distillation import Objective

from .rows import OBJECTIVES

MSE, SOFTMAX, BERNOULLI, SYMMETRIC, ZLPR = (
    f"spacy-docre.{name}.v1" for name in ("LogitMSE", "TemperatureKL", "BernoulliKL", "SymmetricKL", "ZLPRDistil")
)
every = pytest.mark.parametrize("name", sorted(OBJECTIVES))
tempered = pytest.mark.parametrize("name", sorted(OBJECTIVES - {MSE}))


def build(name: str, **options) -> Objective:
    return registry.resolve({"objective": {"@losses": name, **options}})["objective"]


def value_and_gradient(name, student, teacher, dtype=torch.float64, **options):
    """Of rows of logits [threshold, labels…]; the teacher's gradient has to be none."""
    student, teacher = (torch.tensor(x, dtype=dtype).requires_grad_() for x in (student, teacher))
    value = build(name, **options)(student, teacher)
    gradient, of_teacher = torch.autograd.grad(value, (student, teacher), allow_unused=True)
    assert of_teacher is None
    return value.detach(), gradient


def cost(name, student, teacher, **options) -> float:
    return value_and_gradient(name, [student], [teacher], **options)[0].item()


# With a pencil


def softmax(logits: list[float], temperature: float) -> list[float]:
    total = sum(exp(x / temperature) for x in logits)
    return [exp(x / temperature) / total for x in logits]


EXAMPLE = [-5.0, 2.0, 7.0, 9.0]


def test_the_worked_softmax_example():
    """At T = 1 nearly all is on the last; at T = 3, e^(x - 9)/3 = 0.0094 0.0970 0.5134 1, of 1.6198"""
    assert softmax(EXAMPLE, 1) == pytest.approx([0, 0.001, 0.119, 0.880], abs=5e-4)
    assert softmax(EXAMPLE, 3) == pytest.approx([0.0058, 0.0599, 0.3170, 0.6174], abs=5e-5)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_temperature_kl_is_of_exactly_these(temperature):
    """A student at 0 says ¼ of each: T²·Σ p·log(p / ¼), with the slopes T·(¼ - p)."""
    p = softmax(EXAMPLE, temperature)
    value, gradient = value_and_gradient(SOFTMAX, [[0.0] * 4], [EXAMPLE], temperature=temperature)
    assert value.item() == pytest.approx(temperature**2 * sum(x * log(4 * x) for x in p), rel=1e-12)
    assert gradient[0].tolist() == pytest.approx([temperature * (0.25 - x) for x in p], rel=1e-12)


def test_logit_mse_by_hand():
    """[0, 2] and [1, 4]: (1 + 4) / 2; with a second pair that agrees, half of it"""
    assert cost(MSE, [0.0, 2.0], [1.0, 4.0]) == pytest.approx(2.5)
    value, _ = value_and_gradient(MSE, [[0.0, 2.0], [3.0, 3.0]], [[1.0, 4.0], [3.0, 3.0]])
    assert value.item() == pytest.approx(1.25)


def test_temperature_kl_by_hand():
    """¾ against ½, ¼ against ½: ¾ log 3/2 + ¼ log ½; at T = 2 the logits 2·log 3 say the same, four times over"""
    divergence = 0.75 * log(1.5) + 0.25 * log(0.5)
    assert cost(SOFTMAX, [0.0, 0.0], [log(3), 0.0]) == pytest.approx(divergence)
    assert cost(SOFTMAX, [0.0, 0.0], [2 * log(3), 0.0], temperature=2.0) == pytest.approx(4 * divergence)


def test_bernoulli_kl_by_hand():
    """Margins log 3 and 0; a second label that agrees adds nothing, a second that differs as much again"""
    divergence = 0.75 * log(1.5) + 0.25 * log(0.5)
    assert cost(BERNOULLI, [0.0, 0.0], [0.0, log(3)]) == pytest.approx(divergence)
    assert cost(BERNOULLI, [1.0, 1.0, 4.0], [0.0, log(3), 3.0]) == pytest.approx(divergence)
    assert cost(BERNOULLI, [0.0, 0.0, 0.0], [0.0, log(3), -log(3)]) == pytest.approx(2 * divergence)


def test_symmetric_kl_by_hand():
    """(¾ - ½)·log 3, whoever is the teacher; at T = 2 with margins 2·log 3: 4 times as much"""
    assert cost(SYMMETRIC, [0.0, 0.0], [0.0, log(3)]) == pytest.approx(0.25 * log(3))
    assert cost(SYMMETRIC, [0.0, log(3)], [0.0, 0.0]) == pytest.approx(0.25 * log(3))
    assert cost(SYMMETRIC, [0.0, 0.0], [0.0, 2 * log(3)], temperature=2.0) == pytest.approx(log(3))


def test_zlpr_distil_by_hand():
    """Both at 0: t = ½, so log(1 + ½) twice. Teacher at ½·log 3, or log 3 and T = 2: t = ¾, log 5/4 + log 7/4"""
    assert cost(ZLPR, [0.0, 0.0], [0.0, 0.0]) == pytest.approx(2 * log(1.5))
    expected = log(1.25) + log(1.75)
    assert cost(ZLPR, [0.0, 0.0], [0.0, log(3) / 2]) == pytest.approx(expected)
    assert cost(ZLPR, [0.0, 0.0], [0.0, log(3)], temperature=2.0) == pytest.approx(expected)


def test_label_wise_objectives_do_not_make_two_labels_compete():
    """Both labels at 9: under a softmax they have ½ each, so a student at 0 costs log 3/2; label by label 2·log 2"""
    teacher, student = [0.0, 9.0, 9.0], [0.0, 0.0, 0.0]
    assert softmax(teacher, 1) == pytest.approx([0, 0.5, 0.5], abs=1e-3)
    assert cost(SOFTMAX, student, teacher) == pytest.approx(log(1.5), abs=0.01)
    assert cost(BERNOULLI, student, teacher) == pytest.approx(2 * log(2), abs=0.01)


# Promises


@pytest.fixture
def pairs() -> tuple[list, list]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn((4, 5), generator=generator).tolist() for _ in range(2))


@every
def test_descent_from_anywhere_ends_in_the_teachers_probabilities(name, pairs):
    """T = 2; margins of the teacher for all, but for ZLPRDistil half of them, where σ(2s) = σ(2t/T)."""
    student, teacher = (torch.tensor(x, dtype=torch.float64) for x in pairs)
    objective = build(name, temperature=2.0) if name != MSE else build(name)
    for _ in range(3000):
        leaf = student.clone().requires_grad_()
        student = student - 2 * torch.autograd.grad(objective(leaf, teacher), leaf)[0]
    found, expected = (x[:, 1:] - x[:, :1] for x in (student, teacher))
    assert torch.allclose(found, expected / 2 if name == ZLPR else expected, atol=1e-3)


@every
def test_the_teacher_itself_has_no_slope_and_nobody_costs_less(name, pairs):
    student, teacher = pairs
    least, gradient = value_and_gradient(name, teacher, teacher)
    assert gradient.abs().max() < 1e-9
    assert least < value_and_gradient(name, student, teacher)[0]
    if name != ZLPR:
        assert least.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", [SOFTMAX, BERNOULLI, SYMMETRIC])
def test_t_squared_keeps_the_size_of_the_gradient(name, pairs):
    """It tends to a limit: from T = 50 to 100 nothing changes any more; without T² it would fall to a quarter."""
    sizes = [value_and_gradient(name, *pairs, temperature=t)[1].norm().item() for t in (1.0, 10.0, 50.0, 100.0)]
    assert sizes[0] > sizes[-1] / 20
    assert sizes[2] == pytest.approx(sizes[3], rel=0.02)
    assert sizes[1] == pytest.approx(sizes[3], rel=0.2)


@every
@pytest.mark.parametrize("n_labels", [1, 5])
def test_far_margins_are_finite_in_float32(name, n_labels):
    far = [[0.0, *[sign * 1e4] * n_labels] for sign in (1, -1)]
    for student in far:
        for teacher in far:
            value, gradient = value_and_gradient(name, [student], [teacher], torch.float32)
            assert value.isfinite()
            assert value >= 0
            assert gradient.isfinite().all()


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_is_computed_in_float32(name, dtype):
    """Squares of 300 do not fit in float16; the student's gradient has the student's type."""
    student = torch.tensor([[0.0, 300.0, -300.0]], dtype=dtype, requires_grad=True)
    value = build(name)(student, torch.zeros((1, 3), dtype=torch.float16))
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert student.grad.dtype == dtype
    assert student.grad.isfinite().all()


@every
@pytest.mark.parametrize("shape", [(0, 4), (0, 1)])
def test_no_pairs_cost_nothing(name, shape):
    student = torch.zeros(shape, requires_grad=True)
    value = build(name, weight=3.0)(student, torch.zeros(shape))
    value.backward()
    assert value == 0
    assert student.grad.shape == shape


@every
def test_value_is_the_mean_of_pairs_in_any_order(name, pairs):
    student, teacher = pairs
    single = [cost(name, s, t) for s, t in zip(student, teacher)]
    assert value_and_gradient(name, student, teacher)[0].item() == pytest.approx(sum(single) / 4)
    assert value_and_gradient(name, student[::-1], teacher[::-1])[0].item() == pytest.approx(sum(single) / 4)


@every
def test_weight_scales_and_0_is_off(name, pairs):
    value, gradient = value_and_gradient(name, *pairs)
    scaled = value_and_gradient(name, *pairs, weight=2.5)
    assert scaled[0] == pytest.approx(2.5 * value)
    assert torch.allclose(scaled[1], 2.5 * gradient)
    assert value_and_gradient(name, *pairs, weight=0)[0] == 0


@every
def test_inputs_stay_as_they_are(name, pairs):
    student, teacher = map(torch.tensor, pairs)
    build(name)(student, teacher)
    assert torch.equal(student, torch.tensor(pairs[0]))
    assert torch.equal(teacher, torch.tensor(pairs[1]))


@every
@pytest.mark.parametrize(("student", "teacher"), [((2, 3), (3, 3)), ((2, 3), (2, 4)), ((3,), (3,)), ((2, 3), (3,))])
def test_wrong_shapes_are_said(name, student, teacher):
    with pytest.raises(ValueError, match="docre-E119") as error:
        build(name)(torch.zeros(student), torch.zeros(teacher))
    assert str(student) in str(error.value)
    assert str(teacher) in str(error.value)


@every
def test_settings_that_make_no_sense_are_refused(name):
    with pytest.raises(ValueError, match=r"docre-E092.*weight must be >= 0, got -1"):
        build(name, weight=-1.0)
    if name != MSE:
        with pytest.raises(ValueError, match=r"docre-E092.*temperature must be > 0, got 0"):
            build(name, temperature=0.0)


@every
def test_filled_config_says_every_setting(name):
    filled = registry.fill(Config({"objective": {"@losses": name}}))["objective"]
    assert filled == {"@losses": name, "weight": 1.0, **({} if name == MSE else {"temperature": 1.0})}


@tempered
def test_temperature_changes_the_objective(name, pairs):
    values = [value_and_gradient(name, *pairs, temperature=t)[0].item() for t in (0.5, 1.0, 2.0)]
    assert all(a != pytest.approx(b) for a, b in pairwise(values))
