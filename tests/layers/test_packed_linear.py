"""Packed layers: what torch's own layers give, of any input."""

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertIntermediate

from spacy_docre.layers.packed_linear import GELU, PackedLinear, can_pack, pack_linear_layers
from spacy_docre.layers.precision import Float32Linear

pytestmark = pytest.mark.skipif(not can_pack(), reason="this torch packs no weights")
INPUTS = {
    "vectors": torch.randn(7, 8),
    "one vector": torch.randn(8),
    "no vectors": torch.randn(0, 8),
    "no columns": torch.randn(2, 0, 8),
    "grid": torch.randn(2, 3, 4, 8),
    "turned grid": torch.randn(2, 3, 4, 8).transpose(1, 2),
    "every second column": torch.randn(5, 16)[:, ::2],
    "turned": torch.randn(8, 5).t(),
}


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("x", INPUTS.values(), ids=INPUTS)
def test_it_gives_what_the_layer_gives(x, bias):
    layer = nn.Linear(8, 4, bias=bias)
    assert torch.allclose(PackedLinear(layer)(x), layer(x), atol=1e-6)
    assert torch.allclose(PackedLinear(layer, GELU)(x), gelu(layer(x)), atol=1e-6)


def test_it_takes_any_precision():
    layer = nn.Linear(8, 4)
    expected = layer(INPUTS["grid"])
    half = PackedLinear(layer.to(torch.bfloat16))(INPUTS["grid"])
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), expected, atol=0.02)


def test_gelu_joins_the_layer_before_it():
    module = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)).eval()
    expected = module(INPUTS["grid"])
    pack_linear_layers(module)
    assert module[1].after == GELU
    assert isinstance(module[2], nn.Identity)
    assert torch.allclose(module(INPUTS["grid"]), expected, atol=1e-6)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh"])
def test_a_layer_of_bert_gives_the_same(activation):
    layer = BertIntermediate(BertConfig(hidden_size=8, intermediate_size=16, hidden_act=activation)).eval()
    expected = layer(INPUTS["grid"])
    pack_linear_layers(layer)
    assert (layer.dense.after == GELU) == (activation == "gelu")
    assert torch.allclose(layer(INPUTS["grid"]), expected, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.GELU(approximate="tanh"), nn.ReLU()])
def test_other_activations_stay(kind):
    module = nn.Sequential(nn.Linear(8, 16), kind)
    expected = module(INPUTS["vectors"])
    pack_linear_layers(module)
    assert module[1] is kind
    assert torch.allclose(module(INPUTS["vectors"]), expected, atol=1e-6)


def test_layers_that_are_more_than_linear_stay():
    module = nn.Sequential(Float32Linear(8, 4), nn.GELU(), nn.Linear(4, 4).double())
    pack_linear_layers(module)
    assert [type(layer) for layer in module] == [Float32Linear, nn.GELU, nn.Linear]


@pytest.mark.parametrize("order", ["aRaGb", "bRaGa", "abaG", "aGaG"])
def test_one_layer_in_several_places_is_packed_in_all(order):
    parts = {"a": nn.Linear(8, 8), "b": nn.Linear(8, 8), "R": nn.ReLU(), "G": nn.GELU()}
    module = nn.Sequential(*(parts[letter] for letter in order))
    expected = module(INPUTS["vectors"])
    pack_linear_layers(module)
    assert torch.allclose(module(INPUTS["vectors"]), expected, atol=1e-6)
    assert not any(type(layer) is nn.Linear for layer in module)
