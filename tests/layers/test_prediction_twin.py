"""Weights made ready for prediction: the same predictions, and never those of earlier weights."""

import copy

import pytest
import torch
from thinc.api import Adam
from torch import nn

from spacy_docre.layers.packed_linear import PackedLinear, can_pack
from spacy_docre.layers.precision import Float32Linear, _has_bfloat16, autocast
from spacy_docre.layers.prediction_twin import PredictionTwin, state_of

from ..pipelines import initialised, overfit, step, transformer_pipeline, two_examples, unlabelled

needs_bfloat16 = pytest.mark.skipif(not _has_bfloat16("cpu"), reason="this processor has no bfloat16")
needs_packing = pytest.mark.skipif(not can_pack(), reason="this torch packs no weights")
PRECISIONS = [pytest.param("float32", marks=needs_packing), pytest.param("bfloat16", marks=needs_bfloat16)]
CPU = torch.device("cpu")
SLOPE = torch.linspace(-1, 1, 8)  # what is added to weights: that of a normalised vector with a constant is 0


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Embedding(10, 8), nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    return nn.Sequential(*layers).eval()


def run(module: nn.Module, precision: str = "bfloat16") -> torch.Tensor:
    with torch.no_grad(), autocast(precision, CPU):
        return module(torch.arange(10))


def close(a: torch.Tensor, b: torch.Tensor, precision: str) -> bool:
    return torch.allclose(a.float(), b.float(), atol=1e-5 if precision == "float32" else 0.01)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_twin_gives_what_the_module_gives(module, precision):
    found = run(PredictionTwin().of(module, precision), precision)
    assert close(found, run(module, precision), precision)


@needs_bfloat16
def test_only_linear_layers_have_weights_of_their_own(module):
    twin = PredictionTwin().of(module, "bfloat16")
    assert twin[0].weight is module[0].weight
    assert twin[1].bias is module[1].bias
    assert twin[2].weight.dtype == torch.bfloat16
    assert module[2].weight.dtype == torch.float32
    assert module[2].weight.requires_grad


@needs_bfloat16
def test_a_whole_twin_is_in_half_precision_from_the_embeddings_on(module):
    twin = PredictionTwin(whole=True).of(module, "bfloat16")
    assert twin[0].weight is module[0].weight, "a few rows of a large table are used"
    assert twin[0](torch.arange(3)).dtype == twin[1].bias.dtype == twin[2].weight.dtype == torch.bfloat16
    assert module[0](torch.arange(3)).dtype == module[1].bias.dtype == torch.float32
    assert torch.allclose(run(twin).float(), run(module, "float32"), atol=0.03)


@needs_bfloat16
def test_a_whole_twin_sees_changes_of_any_weight(module):
    prediction_twin = PredictionTwin(whole=True)
    before = run(prediction_twin.of(module, "bfloat16"))
    for layer in (module[0], module[1]):
        with torch.no_grad():
            layer.weight *= torch.linspace(0.5, 2, 8)
        after = run(prediction_twin.of(module, "bfloat16"))
        assert torch.allclose(after.float(), run(module, "float32"), atol=0.05)
        assert not torch.equal(after, before)
        before = after


@needs_bfloat16
@pytest.mark.parametrize("whole", [True, False])
def test_what_has_to_be_in_float32_stays_so(whole):
    module = nn.Sequential(nn.Linear(8, 8), Float32Linear(8, 4)).eval()
    twin = PredictionTwin(whole=whole).of(module, "bfloat16")
    assert twin[1].weight is module[1].weight
    with torch.no_grad(), autocast("bfloat16", CPU):
        assert twin(torch.ones(2, 8)).dtype == torch.float32


@needs_packing
def test_float32_shares_all_weights(module):
    twin = PredictionTwin().of(module, "float32")
    assert isinstance(twin[2], PackedLinear)
    assert {id(w) for w in twin.parameters()} == {id(w) for w in module.parameters()}


def test_float32_without_packing_needs_no_twin(module, monkeypatch):
    monkeypatch.setattr("spacy_docre.layers.prediction_twin.can_pack", lambda: False)
    assert PredictionTwin().of(module, "float32") is module


@needs_bfloat16
def test_without_packing_the_twin_gives_what_autocast_gives(module, monkeypatch):
    monkeypatch.setattr("spacy_docre.layers.prediction_twin.can_pack", lambda: False)
    assert torch.equal(run(PredictionTwin().of(module, "bfloat16")), run(module))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_module_with_hooks_has_no_twin(module, precision):
    seen = []
    module[2].register_forward_hook(lambda layer, inputs, outputs: seen.append(outputs))
    run(PredictionTwin().of(module, precision), precision)
    assert len(seen) == 1


def test_a_module_without_linear_layers_has_no_twin():
    module = nn.Embedding(3, 2)
    assert PredictionTwin().of(module, "bfloat16") is module


@needs_bfloat16
def test_the_twin_is_kept(module):
    prediction_twin = PredictionTwin()
    assert prediction_twin.of(module, "bfloat16") is prediction_twin.of(module, "bfloat16")


def add_in_place(module: nn.Module) -> None:
    with torch.no_grad():
        module[2].weight += SLOPE


def swap_data(module: nn.Module) -> None:
    module[2].weight.data = module[2].weight.data + SLOPE


def load_state(module: nn.Module) -> None:
    module.load_state_dict({name: 2 * w + 1 for name, w in module.state_dict().items()})


def replace_layer(module: nn.Module) -> None:
    module[2] = nn.Linear(8, 16)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("change", [add_in_place, swap_data, load_state, replace_layer])
def test_other_weights_make_another_twin(module, change, precision):
    prediction_twin = PredictionTwin()
    before = run(prediction_twin.of(module, precision), precision)
    change(module)
    after = run(prediction_twin.of(module, precision), precision)
    assert close(after, run(module, precision), precision)
    assert not close(after, before, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_another_module_has_another_twin(module, precision):
    prediction_twin = PredictionTwin()
    other = copy.deepcopy(module)
    prediction_twin.of(module, precision)
    add_in_place(other)
    assert close(run(prediction_twin.of(other, precision), precision), run(other, precision), precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_optimizers_write_past_torch_is_seen_after_forget(module, precision):
    prediction_twin = PredictionTwin()
    prediction_twin.of(module, precision)
    state = state_of(module.parameters())
    module[2].weight.detach().numpy()[:] += 1
    assert state_of(module.parameters()) == state, "then forget is needed no more"
    prediction_twin.forget()
    assert close(run(prediction_twin.of(module, precision), precision), run(module, precision), precision)


@needs_bfloat16
def test_a_copy_begins_with_nothing(module):
    prediction_twin = PredictionTwin()
    prediction_twin.of(module, "bfloat16")
    assert copy.deepcopy(prediction_twin).twin is None
    assert copy.deepcopy(PredictionTwin(whole=True)).whole


@needs_bfloat16
def test_the_twin_trains_and_predicts_as_the_module_does(module):
    prediction_twin = PredictionTwin()
    assert not prediction_twin.of(module, "bfloat16").training
    assert prediction_twin.of(module.train(), "bfloat16").training
    assert not prediction_twin.of(module.eval(), "bfloat16").training


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
