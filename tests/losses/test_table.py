"""Every registered loss keeps the promises of `MarginLoss`: one row each."""

import inspect

import pytest
import torch
from thinc.api import registry

from spacy_docre.losses import MarginLoss, build_loss
from spacy_docre.pipeline.decoding import decode

ROWS = [
    pytest.param("spacy-docre.ATL.v1", {}, id="ATL"),
    pytest.param("spacy-docre.AdaptiveFocal.v1", {}, id="AdaptiveFocal"),
    pytest.param("spacy-docre.AdaptiveFocal.v1", {"gamma": 0.5, "plus_one": False}, id="AdaptiveFocal-text"),
    pytest.param("spacy-docre.BCE.v1", {}, id="BCE"),
    pytest.param("spacy-docre.BCE.v1", {"pos_weight": 3.0, "label_smoothing": 0.1}, id="BCE-weighted"),
]
pytestmark = pytest.mark.parametrize(("name", "settings"), ROWS)
N_PAIRS, N_LABELS = 7, 5


@pytest.fixture
def loss(name, settings) -> MarginLoss:
    return build_loss(name, **settings)


@pytest.fixture
def margins() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn((N_PAIRS, N_LABELS), generator=generator, dtype=torch.float64)


@pytest.fixture
def targets() -> torch.Tensor:
    """Rows without a positive, with one, with several, and with nothing else."""
    values = torch.zeros((N_PAIRS, N_LABELS), dtype=torch.float64)
    values[1, 0] = values[2, 4] = values[3, 1] = values[3, 2] = values[5, 3] = 1
    values[6] = 1
    return values


def value_and_gradient(loss: MarginLoss, margins, targets, mask=None):
    leaf = margins.clone().requires_grad_()
    value = loss(leaf, targets, mask)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def test_config_gives_the_same_loss(name, settings, loss, margins, targets):
    config = {"loss": {"@losses": name, **settings}}
    resolved = registry.resolve(config)["loss"]
    assert isinstance(resolved, MarginLoss)
    assert resolved(margins, targets) == loss(margins, targets)


def test_filled_config_says_every_setting(name, settings):
    filled = registry.fill({"loss": {"@losses": name, **settings}})["loss"]
    assert settings.items() <= filled.items()
    assert {"@losses", *inspect.signature(registry.losses.get(name)).parameters} == filled.keys()


def test_gradient_is_right(loss, margins, targets):
    assert torch.autograd.gradcheck(lambda m: loss(m, targets), margins.requires_grad_())


def test_value_is_a_scalar_in_the_dtype_of_the_margins(loss, margins, targets):
    assert loss(margins, targets).dtype == torch.float64
    assert loss(margins.float(), targets).shape == ()
    assert loss(margins.half(), targets.bool()).dtype == torch.float32


def test_inputs_stay_as_they_are(loss, margins, targets):
    before = margins.clone(), targets.clone()
    value_and_gradient(loss, margins, targets)
    assert torch.equal(margins, before[0])
    assert torch.equal(targets, before[1])


@pytest.mark.parametrize("shape", [(0, N_LABELS), (0, 0), (3, 0)])
def test_no_pairs_or_labels_cost_nothing(loss, shape):
    value, gradient = value_and_gradient(loss, torch.zeros(shape), torch.zeros(shape))
    assert value == 0
    assert gradient.shape == shape


def test_a_mask_without_pairs_gives_zero_gradient(loss, margins, targets):
    value, gradient = value_and_gradient(loss, margins, targets, torch.zeros(N_PAIRS))
    assert value == 0
    assert torch.equal(gradient, torch.zeros_like(margins))


def test_value_is_the_mean_of_single_pairs(loss, margins, targets):
    single = torch.stack([loss(margins[i : i + 1], targets[i : i + 1]) for i in range(N_PAIRS)])
    assert torch.allclose(single.mean(), loss(margins, targets))


@pytest.mark.parametrize("target", [0.0, 1.0], ids=["all-negative", "all-positive"])
def test_pairs_of_one_kind(loss, margins, target):
    value, gradient = value_and_gradient(loss, margins, torch.full_like(margins, target))
    assert value > 0
    assert gradient.isfinite().all()
    assert (gradient.sum(-1) * (0.5 - target) > 0).all()


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 1e4), (torch.float16, 60), (torch.bfloat16, 60)], ids=str)
def test_extreme_margins_stay_finite(loss, targets, dtype, size):
    signs = torch.tensor([1, -1, 1, -1, 1])
    for sign in (signs, -signs, torch.ones(N_LABELS), -torch.ones(N_LABELS)):
        margins = (size * sign).expand(N_PAIRS, -1).to(dtype)
        value, gradient = value_and_gradient(loss, margins, targets)
        assert value.isfinite()
        assert value >= 0
        assert gradient.isfinite().all()
        assert gradient.dtype == dtype


def test_order_of_pairs_and_labels_is_irrelevant(loss, margins, targets):
    value, gradient = value_and_gradient(loss, margins, targets)
    rows, columns = torch.randperm(N_PAIRS), torch.randperm(N_LABELS)
    shuffled = value_and_gradient(loss, margins[rows][:, columns], targets[rows][:, columns])
    assert torch.allclose(shuffled[0], value)
    assert torch.allclose(shuffled[1], gradient[rows][:, columns])


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_masked_pairs_are_as_if_dropped(loss, margins, targets, dtype):
    mask = torch.tensor([1, 0, 1, 1, 0, 0, 1], dtype=dtype)
    value, gradient = value_and_gradient(loss, margins, targets, mask)
    kept = mask.bool()
    expected = value_and_gradient(loss, margins[kept], targets[kept])
    assert torch.allclose(value, expected[0])
    assert torch.allclose(gradient[kept], expected[1])
    assert torch.equal(gradient[~kept], torch.zeros_like(gradient[~kept]))


def test_wrong_shapes_raise(loss, margins, targets):
    for wrong in (targets[:, 1:], targets[1:], targets[0]):
        with pytest.raises(ValueError, match=r"E090.*\(7, 5\)"):
            loss(margins, wrong)
    with pytest.raises(ValueError, match="E090"):
        loss(margins[0], targets[0])
    with pytest.raises(ValueError, match=r"E091.*\(6,\).*\(7,\)"):
        loss(margins, targets, torch.ones(6))
    with pytest.raises(ValueError, match="E091"):
        loss(margins, targets, torch.ones_like(targets))


def test_better_margins_cost_less(loss, targets):
    towards = 2 * targets - 1
    values = [loss(distance * towards, targets) for distance in (-4, -2, -1, 0, 1, 2)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_descent_ends_in_the_gold_labels(loss, margins, targets):
    """Margins that follow the gradient are decoded to exactly the positive cells."""
    for _ in range(300):
        margins = margins - 2 * value_and_gradient(loss, margins, targets)[1]
    pairs, labels = decode(margins.numpy(), threshold=loss.decision_margin, max_labels=N_LABELS)
    assert sorted(zip(pairs, labels)) == [tuple(cell) for cell in targets.nonzero().tolist()]


def test_probability_is_one_half_at_the_decision(loss):
    margins = loss.decision_margin + torch.tensor([[-1e4, -1.0, 0.0, 1.0, 1e4]])
    probability = loss.probability(margins)[0].tolist()
    assert probability == sorted(probability)
    assert probability[0] == pytest.approx(0, abs=1e-6)
    assert probability[2] == pytest.approx(0.5)
    assert probability[-1] == pytest.approx(1)
