"""Architectures `spacy-docre.TransformerModel.v1` and `Tok2VecTransformer.v1`: spacy-transformers' models
in any precision, with bounded memory in prediction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch
from spacy_transformers.layers import TransformerModel, split_trf_batch, trfs2arrays
from spacy_transformers.layers.hf_shim import HFShim
from spacy_transformers.layers.transformer_model import init as init_transformer
from spacy_transformers.span_getters import configure_strided_spans
from thinc.api import Model, chain, get_torch_default_device
from thinc.types import Floats2d, Ragged
from transformers.utils import logging

from ..errors import Errors
from ..layers.precision import check_precision, needs_scaling
from .encoders import find_packaged
from .hf_shim import PrecisionHFShim
from .word_pieces import forward

NAME = "spacy-docre.TransformerModel.v1"
STANDALONE_NAME = "spacy-docre.Tok2VecTransformer.v1"


def build_transformer_model_v1(
    name: str,
    get_spans: Callable | None = None,
    tokenizer_config: dict[str, Any] = {},
    transformer_config: dict[str, Any] = {},
    precision: str = "float32",
    max_batch_pieces: int = 4096,
    frozen_layers: int = 0,
    cache_mb: int = 1024,
) -> Model[list[Doc], FullTransformerBatch]:
    """A pretrained encoder for the `transformer` component.

    name: model on the Hugging Face hub, or a folder.
    get_spans: how long documents are cut into windows; None for 320 tokens, 240 apart.
    tokenizer_config, transformer_config: passed on to transformers; null in transformer_config is the encoder's own
        value ("num_hidden_layers": null is all layers).
    precision: "float32", "bfloat16", "float16" or "auto" (bfloat16 where the processor has it).
    max_batch_pieces: word pieces encoded at once in prediction; bounds memory for long documents.
    frozen_layers: the first layers, which keep their weights in training, with the embeddings.
    cache_mb: of what these give for each window, kept in a temporary file from epoch to epoch (0 for nothing).

    Raises ValueError for settings that can't be.
    """
    check_precision(precision)
    for setting, value in (("frozen_layers", frozen_layers), ("cache_mb", cache_mb)):
        if value < 0:
            raise ValueError(Errors.E081.format(name=setting, expected=">= 0", value=value))
    transformer_config = {key: value for key, value in transformer_config.items() if value is not None}
    model = TransformerModel(
        name,
        get_spans or configure_strided_spans(window=320, stride=240),
        tokenizer_config,
        transformer_config,
        mixed_precision=False,
        grad_scaler_config={"enabled": needs_scaling(precision, get_torch_default_device())},
    )
    model._func = forward
    wrapper = model.layers[0]
    wrapper.shims[0] = PrecisionHFShim(
        cast(HFShim, wrapper.shims[0])._hfmodel,
        precision=precision,
        max_batch_pieces=max_batch_pieces,
        frozen_layers=frozen_layers,
        cache_mb=cache_mb,
        grad_scaler_config={"enabled": needs_scaling(precision, get_torch_default_device())},
    )
    model.attrs["replace_listener_cfg"] = replace_listener_cfg
    model.init = partial(init_encoder, quiet="num_hidden_layers" in transformer_config)
    return model


def init_encoder(model: Model, X: Any = None, Y: Any = None, *, quiet: bool = False) -> None:
    """Load the pretrained weights; the default encoder's from the package that carries it, where that is installed.
    Raises ValueError if they are not to be had, with the ways to get some.

    quiet: no warnings, because layers are left out on purpose: the list of their weights is a page long.
    """
    name = model.attrs["name"]
    model.attrs["name"] = str(find_packaged(name) or name)
    try:
        with quiet_transformers(quiet):
            init_transformer(cast(TransformerModel, model), X, Y)
    except (OSError, ValueError) as err:
        if isinstance(err, ValueError) and not str(err).startswith("Unrecognized model"):  # a folder of something else
            raise
        reason = str(err).splitlines()[0][:200]
        raise ValueError(Errors.E048.format(name=name, reason=reason)) from err
    finally:
        model.attrs["name"] = name


@contextmanager
def quiet_transformers(quiet: bool) -> Iterator[None]:
    """Let transformers print errors only, or leave it as it is."""
    before = logging.get_verbosity()
    if quiet:
        logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def build_tok2vec_transformer_v1(
    name: str,
    get_spans: Callable,
    pooling: Model[Ragged, Floats2d],
    tokenizer_config: dict[str, Any] = {},
    transformer_config: dict[str, Any] = {},
    grad_factor: float = 1.0,
    precision: str = "float32",
    max_batch_pieces: int = 4096,
    frozen_layers: int = 0,
    cache_mb: int = 1024,
) -> Model[list[Doc], list[Floats2d]]:
    """The same encoder inside one component, shared with no other; also what `nlp.replace_listeners` makes."""
    encoder = build_transformer_model_v1(
        name,
        get_spans,
        tokenizer_config,
        transformer_config,
        precision,
        max_batch_pieces,
        frozen_layers,
        cache_mb,
    )
    # A chain of a chain, which is also the shape after replace_listeners.
    return chain(chain(encoder, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def replace_listener_cfg(encoder_cfg: dict[str, Any], listener_cfg: dict[str, Any]) -> dict[str, Any]:
    """The config of an encoder that takes the place of a listener."""
    result = dict(encoder_cfg)
    if encoder_cfg["@architectures"] == NAME and "TransformerListener" in listener_cfg["@architectures"]:
        result["@architectures"] = STANDALONE_NAME
        for key in ("pooling", "grad_factor"):
            if key in listener_cfg:
                result[key] = listener_cfg[key]
    return result
