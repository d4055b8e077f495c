"""The optimizer: two learning rates, decay of matrices only, and torch's AdamW step by step."""

from itertools import repeat

import numpy as np
import pytest
import spacy
import torch
from spacy import registry
from spacy.util import load_config_from_str
from thinc.api import Maxout

from spacy_docre.training.adamw import create_adamw_v1

HEAD, OTHER = (1, "docre_head.classifier.weight"), (1, "encoder.layer.0.weight")


def first_step(key, **settings) -> float:
    """How far a weight of 1 moves with a gradient of 1: Adam's first step is the learning rate."""
    optimizer = create_adamw_v1(**{"weight_decay": 0.0, "grad_clip": 0.0, **settings})
    weights, _ = optimizer(key, np.ones((2, 2), dtype="f"), np.ones((2, 2), dtype="f"))
    return float(1 - weights[0, 0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docre_head.classifier.weight", 3e-2),
        ("docre_head.", 3e-2),
        ("encoder.layer.0.weight", 1e-2),
        ("W", 1e-2),
        ("other.docre_head.weight", 1e-2),
        ("docre_header.weight", 1e-2),
    ],
)
def test_the_head_has_its_own_learning_rate(name, expected):
    step = first_step((1, name), learn_rate=1e-2, head_learn_rate=3e-2)
    assert step == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("key", [HEAD, OTHER], ids=["head", "encoder"])
def test_one_dimensional_weights_do_not_decay(key):
    optimizer = create_adamw_v1(weight_decay=0.5)
    weights, _ = optimizer(key, np.ones(3, dtype="f"), np.zeros(3, dtype="f"))
    assert weights.tolist() == [1, 1, 1]


def test_thinc_biases_do_not_decay():
    """A Maxout layer has a bias of two dimensions. No gradient, so that nothing but the decay moves it."""
    layer = Maxout(nO=2, nI=3, nP=4).initialize()
    layer.set_param("b", np.ones((2, 4), dtype="f"))
    before = layer.get_param("W").copy()
    for name in layer.param_names:
        layer.set_grad(name, np.zeros_like(layer.get_param(name)))
    layer.finish_update(create_adamw_v1(learn_rate=0.1, weight_decay=0.5))
    assert layer.get_param("b") == pytest.approx(np.ones((2, 4)))
    assert layer.get_param("W") == pytest.approx(0.95 * before)


def test_matrices_decay_by_hand():
    """No gradient: w - rate · decay · w = 1 - 0.1 · 0.5; three times as much in the head."""
    optimizer = create_adamw_v1(learn_rate=0.1, head_learn_rate=0.3, weight_decay=0.5)
    ones, zeros = np.ones((2, 2), dtype="f"), np.zeros((2, 2), dtype="f")
    assert optimizer(OTHER, ones.copy(), zeros.copy())[0] == pytest.approx(0.95 * ones)
    assert optimizer(HEAD, ones.copy(), zeros.copy())[0] == pytest.approx(0.85 * ones)


def test_the_decay_is_kept_for_the_next_weight():
    optimizer = create_adamw_v1(weight_decay=0.5)
    optimizer(OTHER, np.ones(3, dtype="f"), np.zeros(3, dtype="f"))
    assert optimizer.L2 == 0.5


@pytest.mark.parametrize("key", [HEAD, OTHER], ids=["head", "encoder"])
@pytest.mark.parametrize("shape", [(5, 4), (6,)])
def test_equals_torch_adamw_step_by_step(key, shape):
    rng = np.random.default_rng(0)
    rate = 3e-3 if key is HEAD else 1e-3
    ours = rng.normal(size=shape).astype("f")
    theirs = torch.tensor(ours.copy(), requires_grad=True)
    decay = 0.1 if len(shape) > 1 else 0.0
    reference = torch.optim.AdamW([theirs], lr=rate, weight_decay=decay)
    optimizer = create_adamw_v1(learn_rate=1e-3, head_learn_rate=3e-3, weight_decay=0.1, grad_clip=0.0)
    for _ in range(10):
        gradient = rng.normal(size=shape).astype("f")
        theirs.grad = torch.tensor(gradient.copy())
        reference.step()
        ours, _ = optimizer(key, ours, gradient)
        assert ours == pytest.approx(theirs.detach().numpy(), abs=1e-6)
        assert not gradient.any(), "0 for the next step"


def test_views_with_gaps_take_the_same_step():
    """As every second column of a table: they are not changed themselves, what comes back is."""
    table, slopes = np.ones((3, 4), dtype="f"), np.ones((3, 4), dtype="f")
    optimizer = create_adamw_v1(learn_rate=0.1, weight_decay=0.0)
    weights, _ = optimizer(OTHER, table[:, ::2], slopes[:, ::2])
    assert weights == pytest.approx(np.full((3, 2), 0.9), abs=1e-4)
    assert slopes.tolist() == [[0, 1, 0, 1]] * 3
    weights, _ = optimizer(OTHER, weights, np.ones((3, 2), dtype="f"))
    assert weights == pytest.approx(np.full((3, 2), 0.8), abs=1e-4)


def test_nothing_happens_without_a_gradient():
    weights, gradient = np.ones((0, 2), dtype="f"), np.ones((0, 2), dtype="f")
    optimizer = create_adamw_v1()
    assert optimizer(OTHER, weights, gradient) == (weights, gradient)
    assert not optimizer.mom1


def test_a_schedule_multiplies_both_rates():
    """Factors 1, 0.5, 0.25: steps of rate · factor, for encoder and head."""
    for key, rate in ((OTHER, 0.1), (HEAD, 0.4)):
        optimizer = create_adamw_v1(
            learn_rate=0.1, head_learn_rate=0.4, schedule=iter([1.0, 0.5, 0.25]), weight_decay=0.0
        )
        weights, moved = np.ones((1, 1), dtype="f"), []
        for _ in range(3):
            before = weights.copy()
            weights, _ = optimizer(key, weights, np.full((1, 1), 0.5, dtype="f"))
            moved.append(float((before - weights)[0, 0]))
            optimizer.step_schedules()
        assert moved == pytest.approx([rate, rate * 0.5, rate * 0.25], rel=1e-3)


def second_step(*, grad_clip: float) -> float:
    """The step of a gradient of norm 2 after one of norm 200."""
    optimizer = create_adamw_v1(learn_rate=0.1, grad_clip=grad_clip, weight_decay=0.0)
    weights = np.ones((2, 2), dtype="f")
    for size in (100.0, 1.0):
        before = weights.copy()
        weights, _ = optimizer(OTHER, weights, np.full((2, 2), size, dtype="f"))
    return float((before - weights)[0, 0])


def test_gradients_are_clipped():
    """Clipped to norm 1, both gradients are 0.5 and Adam's step stays 0.1. Unclipped, they are 100 and 1:
    m = (0.9·0.1·100 + 0.1·1) / (1 - 0.9²) = 47.9, √v = √((0.999·0.001·100² + 0.001) / (1 - 0.999²)) = 70.7,
    and the step is 0.1 · 47.9 / 70.7 = 0.0677."""
    assert second_step(grad_clip=1.0) == pytest.approx(0.1, rel=1e-3)
    assert second_step(grad_clip=0.0) == pytest.approx(0.0677, rel=1e-2)


def test_use_averages_is_refused():
    with pytest.raises(ValueError, match=r"docre-E080.*Remove it or set it to false"):
        create_adamw_v1(use_averages=True)
    assert create_adamw_v1().averages is None


@pytest.mark.parametrize("name", ["learn_rate", "head_learn_rate"])
@pytest.mark.parametrize("value", [0.0, -1e-4])
def test_rates_must_be_positive(name, value):
    with pytest.raises(ValueError, match=rf"docre-E081.*{name} must be > 0"):
        create_adamw_v1(**{name: value})


CONFIG = """
[optimizer]
@optimizers = "spacy-docre.AdamW.v1"
learn_rate = 0.01
head_learn_rate = 0.02
{extra}

[optimizer.schedule]
@schedules = "warmup_linear.v1"
initial_rate = 1.0
warmup_steps = 4
total_steps = 8
"""


def resolve(extra: str = ""):
    return registry.resolve(load_config_from_str(CONFIG.format(extra=extra)))["optimizer"]


def test_a_warmup_from_a_config():
    """Step k of 4 of the warmup: rate · k / 4."""
    optimizer = resolve()
    rates = []
    for _ in range(5):
        rates.append(optimizer.learn_rate)
        optimizer.step_schedules()
    assert rates == pytest.approx([0.0, 0.0025, 0.005, 0.0075, 0.01])


def test_use_averages_is_refused_from_a_config():
    with pytest.raises(ValueError, match="docre-E080"):
        resolve("use_averages = true")


def test_a_pipeline_trains_with_it_as_its_optimizer():
    """`nlp.initialize` and `nlp.resume_training` take it from [training.optimizer]."""
    from ..pipelines import hash_pipeline, two_examples

    nlp = hash_pipeline()
    nlp.config["training"]["optimizer"] = {"@optimizers": "spacy-docre.AdamW.v1", "head_learn_rate": 0.003}
    examples = two_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    assert optimizer.head_scale == pytest.approx(30)
    losses = [nlp.update(examples, sgd=optimizer)["docre_relations"] for _ in range(20)]
    assert losses[-1] < losses[0]
    assert spacy.util.registry.optimizers.get("spacy-docre.AdamW.v1") is create_adamw_v1


def test_constant_schedules_change_nothing():
    assert first_step(OTHER, learn_rate=0.1, schedule=repeat(1.0)) == pytest.approx(
        first_step(OTHER, learn_rate=0.1), rel=1e-6
    )
