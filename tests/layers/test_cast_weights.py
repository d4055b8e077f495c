"""Weights kept in half precision: the same predictions, and never those of earlier weights."""

import copy

import pytest
import torch
from thinc.api import Adam
from torch import nn

from spacy_docre.layers.cast_weights import CastWeights, state_of
from spacy_docre.layers.precision import Float32Linear, _has_bfloat16, autocast

from ..pipelines import initialised, overfit, step, transformer_pipeline, two_examples, unlabelled

needs_bfloat16 = pytest.mark.skipif(not _has_bfloat16("cpu"), reason="this processor has no bfloat16")
CPU = torch.device("cpu")


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Embedding(10, 8), nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    return nn.Sequential(*layers).eval()


def run(module: nn.Module, precision: str = "bfloat16") -> torch.Tensor:
    with torch.no_grad(), autocast(precision, CPU):
        return module(torch.arange(10))


@needs_bfloat16
def test_the_twin_gives_what_autocast_gives(module):
    assert torch.equal(run(CastWeights().of(module, "bfloat16")), run(module))


@needs_bfloat16
def test_only_linear_layers_have_weights_of_their_own(module):
    twin = CastWeights().of(module, "bfloat16")
    assert twin[0].weight is module[0].weight
    assert twin[1].bias is module[1].bias
    assert twin[2].weight.dtype == torch.bfloat16
    assert module[2].weight.dtype == torch.float32
    assert module[2].weight.requires_grad


@needs_bfloat16
def test_a_whole_twin_is_in_half_precision_from_the_embeddings_on(module):
    twin = CastWeights(whole=True).of(module, "bfloat16")
    assert twin[0].weight is module[0].weight, "a few rows of a large table are used"
    assert twin[0](torch.arange(3)).dtype == twin[1].bias.dtype == twin[2].weight.dtype == torch.bfloat16
    assert module[0](torch.arange(3)).dtype == module[1].bias.dtype == torch.float32
    assert torch.allclose(run(twin).float(), run(module, "float32"), atol=0.03)


@needs_bfloat16
def test_a_whole_twin_sees_changes_of_any_weight(module):
    cast_weights = CastWeights(whole=True)
    before = run(cast_weights.of(module, "bfloat16"))
    for layer in (module[0], module[1]):
        with torch.no_grad():
            layer.weight *= torch.linspace(0.5, 2, 8)
        after = run(cast_weights.of(module, "bfloat16"))
        assert torch.allclose(after.float(), run(module, "float32"), atol=0.05)
        assert not torch.equal(after, before)
        before = after


@needs_bfloat16
@pytest.mark.parametrize("whole", [True, False])
def test_what_has_to_be_in_float32_stays_so(whole):
    module = nn.Sequential(nn.Linear(8, 8), Float32Linear(8, 4)).eval()
    twin = CastWeights(whole=whole).of(module, "bfloat16")
    assert twin[1].weight is module[1].weight
    with torch.no_grad(), autocast("bfloat16", CPU):
        assert twin(torch.ones(2, 8)).dtype == torch.float32


def test_float32_needs_no_twin(module):
    assert CastWeights().of(module, "float32") is module


def test_a_module_without_linear_layers_has_no_twin():
    module = nn.Embedding(3, 2)
    assert CastWeights().of(module, "bfloat16") is module


@needs_bfloat16
def test_the_twin_is_kept(module):
    cast_weights = CastWeights()
    assert cast_weights.of(module, "bfloat16") is cast_weights.of(module, "bfloat16")


def add_in_place(module: nn.Module) -> None:
    with torch.no_grad():
        module[2].weight += 1


def swap_data(module: nn.Module) -> None:
    module[2].weight.data = module[2].weight.data + 1


def load_state(module: nn.Module) -> None:
    module.load_state_dict({name: w + 1 for name, w in module.state_dict().items()})


def replace_layer(module: nn.Module) -> None:
    module[2] = nn.Linear(8, 16)


@needs_bfloat16
@pytest.mark.parametrize("change", [add_in_place, swap_data, load_state, replace_layer])
def test_other_weights_make_another_twin(module, change):
    cast_weights = CastWeights()
    before = run(cast_weights.of(module, "bfloat16"))
    change(module)
    after = run(cast_weights.of(module, "bfloat16"))
    assert torch.equal(after, run(module))
    assert not torch.equal(after, before)


@needs_bfloat16
def test_another_module_has_another_twin(module):
    cast_weights = CastWeights()
    other = copy.deepcopy(module)
    cast_weights.of(module, "bfloat16")
    add_in_place(other)
    assert torch.equal(run(cast_weights.of(other, "bfloat16")), run(other))


@needs_bfloat16
def test_what_optimizers_write_past_torch_is_seen_after_forget(module):
    cast_weights = CastWeights()
    cast_weights.of(module, "bfloat16")
    state = state_of(module.parameters())
    module[2].weight.detach().numpy()[:] += 1
    assert state_of(module.parameters()) == state, "then forget is needed no more"
    cast_weights.forget()
    assert torch.equal(run(cast_weights.of(module, "bfloat16")), run(module))


@needs_bfloat16
def test_a_copy_begins_with_nothing(module):
    cast_weights = CastWeights()
    cast_weights.of(module, "bfloat16")
    assert copy.deepcopy(cast_weights).twin is None
    assert copy.deepcopy(CastWeights(whole=True)).whole


@needs_bfloat16
def test_the_twin_trains_and_predicts_as_the_module_does(module):
    cast_weights = CastWeights()
    assert not cast_weights.of(module, "bfloat16").training
    assert cast_weights.of(module.train(), "bfloat16").training
    assert not cast_weights.of(module.eval(), "bfloat16").training


@needs_bfloat16
@pytest.mark.parametrize("optimizer", [None, Adam(0.05)], ids=["ours", "thinc's"])
def test_a_pipeline_predicts_with_the_weights_it_has(encoder, optimizer):
    """The same logits as a copy that was loaded from its bytes, also where prediction comes between the two halves of a
    step of training."""
    half = {"precision": "bfloat16"}
    nlp = transformer_pipeline(encoder, model=half, head=half)
    examples = overfit(nlp, steps=2) if optimizer is None else two_examples(nlp)
    if optimizer is not None:
        initialised(nlp, examples)
    assert same_as_copy(nlp, encoder, half, examples)
    if optimizer is not None:
        nlp.update(examples, sgd=False, annotates=["transformer", "docre_relations"])
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        assert same_as_copy(nlp, encoder, half, examples)
        step(nlp, examples, optimizer)
        assert same_as_copy(nlp, encoder, half, examples)


def same_as_copy(nlp, encoder, half, examples) -> bool:
    other = transformer_pipeline(encoder, model=half, head=half)
    other.from_bytes(nlp.to_bytes())
    return all((a == b).all() for a, b in zip(logits_of(nlp, examples), logits_of(other, examples)))


def logits_of(nlp, examples):
    docs = [unlabelled(eg.reference, nlp.vocab) for eg in examples]
    docs = list(nlp.get_pipe("transformer").pipe(docs))
    return nlp.get_pipe("docre_relations").predict_logits(docs)
