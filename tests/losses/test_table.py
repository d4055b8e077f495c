"""Every registered loss keeps the promises of `MarginLoss`: one row each."""

import inspect

import numpy as np
import pytest
import torch
from thinc.api import registry

from spacy_docre.losses import MarginLoss, build_loss
from spacy_docre.losses.base import FAR_BELOW
from spacy_docre.pipeline.decoding import decode

from .rows import TABLE, Row

pytestmark = pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in TABLE.items()])
N_PAIRS, N_LABELS = 7, 5
DTYPES = [(torch.float32, 1e4), (torch.float32, 60), (torch.float16, 60), (torch.bfloat16, 60)]


@pytest.fixture
def loss(row: Row) -> MarginLoss:
    return row.build()


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


def says(filled: dict, settings: dict) -> bool:
    """Whether the filled settings have all of these, nested ones too."""
    return all(says(filled[k], v) if isinstance(v, dict) else filled[k] == v for k, v in settings.items())


def test_config_gives_the_same_loss(row, margins, targets):
    assert isinstance(row.build(), MarginLoss)
    built = build_loss(row.name, **registry.resolve(row.settings))
    assert row.build()(margins, targets) == built(margins, targets)


def test_filled_config_says_every_setting(row):
    filled = registry.fill({"loss": {"@losses": row.name, **row.settings}})["loss"]
    assert says(filled, row.settings)
    assert {"@losses", *inspect.signature(registry.losses.get(row.name)).parameters} == filled.keys()


def test_gradient_is_right(row, loss, margins, targets):
    if row.gradient is None:
        assert torch.autograd.gradcheck(lambda m: loss(m, targets), margins.requires_grad_())
    else:
        assert torch.allclose(value_and_gradient(loss, margins, targets)[1], row.gradient(margins, targets))


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


def test_value_is_the_mean_of_single_pairs(row, loss, margins, targets):
    """Losses over the batch say that they are not, and still cost something for each pair alone."""
    single = torch.stack([loss(margins[i : i + 1], targets[i : i + 1]) for i in range(N_PAIRS)])
    assert (single > 0).all()
    assert torch.allclose(single.mean(), loss(margins, targets)) != row.over_batch


@pytest.mark.parametrize("n_pairs", [1, N_PAIRS])
@pytest.mark.parametrize("target", [0.0, 1.0], ids=["all-negative", "all-positive"])
def test_pairs_of_one_kind_are_pulled_to_their_side(row, loss, margins, target, n_pairs):
    side = 2 * target - 1
    margins = side * (side * margins[:n_pairs]).clamp(max=row.best - 1e-3)
    value, gradient = value_and_gradient(loss, margins, torch.full_like(margins, target))
    assert value > 0
    assert gradient.isfinite().all()
    assert (gradient.sum(-1) * side < 0).all()


@pytest.mark.parametrize(("dtype", "size"), DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["mixed", "all-negative", "all-positive"])
def test_extreme_margins_stay_finite(loss, targets, dtype, size, kind):
    targets = {"mixed": targets, "all-negative": 0 * targets, "all-positive": 0 * targets + 1}[kind]
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


def test_cells_that_say_nothing_are_as_if_dropped(loss, margins, targets):
    """A column of FAR_BELOW, as of labels that are not known, changes neither value nor gradients."""
    value, gradient = value_and_gradient(loss, margins, targets)
    column = torch.zeros((N_PAIRS, 1))
    wider = value_and_gradient(loss, *(torch.cat(x, -1) for x in [(margins, column + FAR_BELOW), (targets, column)]))
    assert torch.allclose(wider[0], value)
    assert torch.allclose(wider[1], torch.cat([gradient, column], -1))


def test_targets_between_0_and_1_are_soft_or_positive(row, loss, margins, targets):
    """Losses that know no soft targets read any that is not 0 as 1."""
    same = torch.equal(loss(margins, 0.4 * targets), loss(margins, targets))
    assert same != row.soft


def test_targets_of_0_and_1_are_hard_whatever_their_type(row, loss, margins, targets):
    """And soft ones that come close to them cost and pull almost the same."""
    value, gradient = value_and_gradient(loss, margins, targets)
    for other in (targets.bool(), targets.int(), targets.half()):
        hard = value_and_gradient(loss, margins, other)
        assert torch.equal(hard[0], value)
        assert torch.equal(hard[1], gradient)
    if row.soft:
        almost = value_and_gradient(loss, margins, targets.clamp(1e-9, 1 - 1e-9))
        assert torch.allclose(almost[0], value, atol=1e-6)
        assert torch.allclose(almost[1], gradient, atol=1e-6)


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


def test_better_margins_cost_less(row, loss, targets):
    towards = 2 * targets - 1
    values = [loss(distance * towards, targets) for distance in (-4, -2, -1, 0, 1, 2) if distance <= row.best]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_descent_ends_in_the_gold_labels(row, loss, margins, targets):
    """Margins that follow the gradient are decoded to exactly the positive cells, or as the row says."""
    margins = row.near * margins
    for _ in range(300):
        margins = margins - row.rate * value_and_gradient(loss, margins, targets)[1]
    max_labels = 1 if row.finds == "highest" else N_LABELS
    pairs, labels = decode(
        margins.numpy(), thresholds=np.full(margins.shape[1], loss.decision_margin), max_labels=max_labels
    )
    found, gold = set(zip(pairs, labels)), {tuple(cell) for cell in targets.nonzero().tolist()}
    if row.finds == "gold":
        assert found == gold
    elif row.finds == "highest":
        assert found <= gold
        assert set(pairs) == {pair for pair, _ in gold}
    else:
        assert found > gold


def test_probability_is_one_half_at_the_decision(loss):
    margins = loss.decision_margin + torch.tensor([[-1e4, -1.0, 0.0, 1.0, 1e4]])
    probability = loss.probability(margins)[0].tolist()
    assert probability == sorted(probability)
    assert probability[0] == pytest.approx(0, abs=1e-6)
    assert probability[2] == pytest.approx(0.5)
    assert probability[-1] == pytest.approx(1)
