"""Encoders whose first layers do not learn: the same vectors and gradients, less work."""

import copy
import pickle
from itertools import count

import numpy as np
import pytest
import torch
from thinc.api import ArgsKwargs

from spacy_docre.models.frozen import FrozenLayers, WindowCache, find_layers
from spacy_docre.training.adamw import create_adamw_v1

from ..pipelines import initialised, step, transformer_pipeline, two_examples

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
LENGTHS = (9, 30, 2, 17)


def frozen(encoder, n_layers: int, **settings):
    """A pipeline without dropout."""
    model = {"transformer_config": STILL, "frozen_layers": n_layers, **settings}
    return initialised(transformer_pipeline(encoder, model))


def encoder_of(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


def windows(seed: int = 0, side: str = "right") -> dict[str, torch.Tensor]:
    """Four windows of different lengths, padded on a side."""
    ids = torch.randint(5, 50, (4, 30), generator=torch.Generator().manual_seed(seed))
    mask = (torch.arange(30) < torch.tensor(LENGTHS)[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask if side == "right" else mask.flip(1)}


def run(shim, inputs) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Vectors of the word pieces, and the gradients of all weights that got one."""
    shim._model.zero_grad()
    output, backprop = shim.begin_update(ArgsKwargs(args=(), kwargs=inputs))
    vectors = output.last_hidden_state
    used = inputs["attention_mask"][..., None] * torch.sin(torch.arange(vectors.shape[-1]))
    backprop(ArgsKwargs(args=((vectors,),), kwargs={"grad_tensors": used}))
    gradients = {n: p.grad.clone() for n, p in shim._model.named_parameters() if p.grad is not None}
    return vectors.detach()[inputs["attention_mask"].bool()], gradients


def count_runs(monkeypatch, layer) -> list[int]:
    """How many windows go through a layer, call by call."""
    seen: list[int] = []
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda x, *args, **kwargs: seen.append(len(x)) or forward(x, *args, **kwargs))
    return seen


@pytest.mark.parametrize("cache_mb", [0, 10])
@pytest.mark.parametrize("side", ["right", "left"])
def test_vectors_and_gradients_are_those_of_the_whole_encoder(encoder, cache_mb, side):
    """In the first pass, and in the second, which reads."""
    inputs = windows(side=side)
    whole = encoder_of(frozen(encoder, 0))
    part = encoder_of(frozen(encoder, 1, cache_mb=cache_mb))
    part._model.load_state_dict(whole._model.state_dict())
    vectors, gradients = run(whole, inputs)
    for _ in range(2):
        found, found_gradients = run(part, inputs)
        torch.testing.assert_close(found, vectors, atol=5e-3, rtol=5e-3)  # float16 between the layers
        learned = {n for n in gradients if "layer.1." in n}
        assert found_gradients.keys() == learned
        for name in learned:
            torch.testing.assert_close(found_gradients[name], gradients[name], atol=2e-2, rtol=2e-2)


def test_without_a_cache_nothing_is_rounded(encoder):
    whole, part = encoder_of(frozen(encoder, 0)), encoder_of(frozen(encoder, 1, cache_mb=0))
    part._model.load_state_dict(whole._model.state_dict())
    torch.testing.assert_close(run(part, windows()), (run(whole, windows())[0], run(part, windows())[1]))


def test_frozen_weights_stay_and_others_learn(encoder):
    nlp = frozen(encoder, 1)
    weights = encoder_of(nlp)._model.state_dict()
    before = {name: value.clone() for name, value in weights.items()}
    optimizer = create_adamw_v1(0.01)
    for _ in range(2):
        step(nlp, two_examples(nlp), optimizer)
    changed = {name for name, value in encoder_of(nlp)._model.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert all("layer.1." in name for name in changed)


def test_all_layers_can_be_frozen_and_the_head_learns(encoder):
    nlp = frozen(encoder, 2)
    before = {n: p.clone() for n, p in encoder_of(nlp)._model.state_dict().items()}
    optimizer = create_adamw_v1(0.01)
    examples = two_examples(nlp)
    losses = [step(nlp, examples, optimizer)["docre_relations"] for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.equal(before[n]) for n, p in encoder_of(nlp)._model.state_dict().items())


def test_a_window_that_comes_again_is_read(encoder, monkeypatch):
    shim = encoder_of(frozen(encoder, 1))
    seen = count_runs(monkeypatch, find_layers(shim._model)[0])
    run(shim, windows())
    assert sum(seen) == 4
    run(shim, windows())
    assert sum(seen) == 4
    half = {name: torch.cat([x[:2], windows(seed=1)[name][2:]]) for name, x in windows().items()}
    run(shim, half)
    assert sum(seen) == 6


def test_a_full_cache_computes_the_rest_again(encoder, monkeypatch):
    """Room for the windows of 9 and 2 pieces of width 32, and for no other."""
    shim = encoder_of(frozen(encoder, 1))
    vectors, _ = run(shim, windows())
    shim.frozen.cache = WindowCache(2 * 32 * (9 + 2))
    seen = count_runs(monkeypatch, find_layers(shim._model)[0])
    run(shim, windows())
    assert sum(seen) == 4
    again, _ = run(shim, windows())
    assert sum(seen) == 4 + 2
    torch.testing.assert_close(again, vectors, atol=5e-3, rtol=5e-3)


def test_there_is_no_dropout_in_frozen_layers(encoder):
    config = {"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5}
    model = {"transformer_config": config, "frozen_layers": 2, "cache_mb": 0}
    shim = encoder_of(initialised(transformer_pipeline(encoder, model)))
    torch.testing.assert_close(run(shim, windows())[0], run(shim, windows())[0])
    assert shim._model.training


def test_other_weights_have_other_outputs(encoder):
    """What was kept is forgotten when weights are loaded, or changed in place."""
    shim = encoder_of(frozen(encoder, 1))
    old, _ = run(shim, windows())
    weights = {n: torch.randn(p.shape) if p.is_floating_point() else p for n, p in shim._model.state_dict().items()}
    shim._model.load_state_dict(weights)
    new, _ = run(shim, windows())
    assert not torch.allclose(new, old)
    fresh = encoder_of(frozen(encoder, 1))
    fresh._model.load_state_dict(weights)
    torch.testing.assert_close(new, run(fresh, windows())[0])


def test_segments_count(encoder):
    """The same pieces in another segment are another window."""
    shim = encoder_of(frozen(encoder, 1))
    first = {**windows(), "token_type_ids": torch.zeros(4, 30, dtype=torch.long)}
    second = {**windows(), "token_type_ids": torch.ones(4, 30, dtype=torch.long)}
    assert not torch.allclose(run(shim, first)[0], run(shim, second)[0])


def test_predictions_do_not_use_it(encoder):
    nlp = frozen(encoder, 2)
    step(nlp, two_examples(nlp), create_adamw_v1(0.01))
    other = initialised(transformer_pipeline(encoder, {"transformer_config": STILL}))
    other.from_bytes(nlp.to_bytes())
    doc, same = nlp.make_doc("Ada Lovelace was born in London ."), other.make_doc("Ada Lovelace was born in London .")
    vectors, expected = (p.get_pipe("transformer")(d)._.trf_data for p, d in ((nlp, doc), (other, same)))
    assert vectors.model_output.last_hidden_state == pytest.approx(expected.model_output.last_hidden_state, abs=1e-5)


def test_it_is_saved_with_the_pipeline_and_goes_on(encoder, tmp_path):
    import spacy

    nlp = frozen(encoder, 1, cache_mb=7)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert encoder_of(loaded).frozen.n_layers == 1
    assert encoder_of(loaded).frozen.cache_mb == 7
    run(encoder_of(loaded), windows())


def test_an_encoder_that_replaces_a_listener_keeps_it(encoder):
    nlp = frozen(encoder, 1)
    nlp.replace_listeners("transformer", "docre_relations", ["model.tok2vec"])
    config = nlp.get_pipe_config("docre_relations")["model"]["tok2vec"]
    assert config["frozen_layers"] == 1


@pytest.mark.parametrize(("n_layers", "code"), [(3, "docre-E049"), (-1, "docre-E081")])
def test_layers_that_are_not_there(encoder, n_layers, code):
    with pytest.raises(ValueError, match=code):
        run(encoder_of(frozen(encoder, n_layers)), windows())


def test_layers_that_can_not_be_told():
    from transformers import AlbertConfig, AlbertModel

    settings = {"vocab_size": 50, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    albert = AlbertModel(AlbertConfig(**settings, num_hidden_layers=4))  # all four are one layer
    with pytest.raises(ValueError, match=r"docre-E053.*AlbertModel"):
        FrozenLayers(1, 0)(albert, albert.forward, windows())


@pytest.mark.parametrize("name", ["DistilBert", "Roberta", "DebertaV2", "Electra", "MPNet"])
def test_other_families_of_encoders(name):
    import transformers

    sizes = {"vocab_size": 60, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    names = {"DistilBert": {"dim": 32, "n_heads": 2, "hidden_dim": 64, "n_layers": 3, "vocab_size": 60}}
    config = getattr(transformers, f"{name}Config")(**names.get(name, {**sizes, "num_hidden_layers": 3}))
    torch.manual_seed(0)
    encoder = getattr(transformers, f"{name}Model")(config).eval()
    inputs = windows()
    expected = encoder(**inputs).last_hidden_state[inputs["attention_mask"].bool()]
    layers = FrozenLayers(2, 10)
    for _ in range(2):
        found = layers(encoder, encoder.forward, inputs)[inputs["attention_mask"].bool()]
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=5e-3)


def test_a_cache_keeps_what_fits():
    cache = WindowCache(100)
    first, second, third = (np.full((n, 5), n, dtype=np.float32) for n in (4, 7, 6))
    for key, array in zip((b"4", b"7", b"6"), (first, second, third)):
        cache.write(key, array)  # 40, 70 and 60 bytes
    assert cache.read(b"7") is None
    assert cache.read(b"4").tolist() == first.tolist()
    assert cache.read(b"6").tolist() == third.tolist()
    assert cache.used == 100


def test_numbers_beyond_float16_are_its_largest():
    cache = WindowCache(100)
    cache.write(b"x", np.array([[1e9, -1e9, 0.5]], dtype=np.float32))
    assert cache.read(b"x").tolist() == [[65504.0, -65504.0, 0.5]]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_begin_with_nothing(again):
    cache = WindowCache(100)
    cache.write(b"x", np.ones((1, 3), dtype=np.float32))
    assert again(cache).read(b"x") is None
    assert cache.read(b"x") is not None


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = WindowCache(10_000)
    for i in count():
        cache.write(bytes([i]), np.ones((9, 9)))
        if i == 9:
            break
    del cache
    assert list(tmp_path.iterdir()) == []
