"""Architecture `spacy-docre.MentionLinker.v1`: candidate pairs of names to logits."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, PyTorchShim, get_torch_default_device, torch2xp, xp2torch
from thinc.types import Floats1d, Floats2d

from ..errors import Errors
from ..grouping.candidates import N_FEATURES, Candidates
from ..layers.mention_linker import MentionLinker, NamePairs
from .docre import unflatten
from .head_shim import HeadShim
from .listening import expect_vectors, token_width, waits_for_encoder
from .vector_check import require_vectors


def build_mention_linker_v1(
    tok2vec: Model[list[Doc], list[Floats2d]], hidden_width: int = 64
) -> Model[list[Candidates], Floats1d]:
    """Score pairs of names (`find_candidates`), document after document: above 0 both are one entity.

    tok2vec: any embedding layer, for example a listener to a transformer.
    """
    build_head = partial(MentionLinker, hidden_width=hidden_width)
    shim = HeadShim(build_head)
    head: Model = Model("mention-linker-head", forward_head, attrs={"dropout_rate": 0.0}, shims=[shim])
    return Model("mention-linker", forward, init=init, layers=[tok2vec, head], refs={"tok2vec": tok2vec, "head": head})


def init(model: Model, X: Sequence[Candidates] | None = None, Y=None) -> None:
    """Build the head for the width of the tokens. Raises ValueError if no encoder has told it."""
    tok2vec, width = model.get_ref("tok2vec"), None
    if not waits_for_encoder(model):
        tok2vec.initialize(X=[x.doc for x in X] if X else None)
        width = token_width(tok2vec)
    if width is None:
        raise ValueError(Errors.E042.format(name="docre_entities"))
    lazy_head = model.get_ref("head").shims[0]._model
    lazy_head.build(new_weights=True, token_width=width, n_features=N_FEATURES)
    lazy_head.to(get_torch_default_device())


def forward(model: Model, batch: Sequence[Candidates], is_train: bool) -> tuple[Floats1d, Callable]:
    """One call of tok2vec for all documents. Raises ValueError if one with visible text has no non-zero vector."""
    docs = [x.doc for x in batch]
    expect_vectors(model)
    vectors, backprop_tok2vec = model.get_ref("tok2vec")(docs, is_train)
    require_vectors(docs, vectors)
    logits, backprop_head = model.get_ref("head")((vectors, batch), is_train)
    return logits, lambda d_logits: backprop_tok2vec(backprop_head(d_logits))


def forward_head(
    model: Model, inputs: tuple[list[Floats2d], Sequence[Candidates]], is_train: bool
) -> tuple[Floats1d, Callable]:
    vectors, batch = inputs
    shim = cast(PyTorchShim, model.shims[0])
    flat = model.ops.xp.concatenate([v for v in vectors if len(v)], axis=0)
    tokens = xp2torch(flat, requires_grad=is_train, device=shim.device)
    args = (tokens, to_torch(batch, shim.device))
    logits, torch_backprop = shim(ArgsKwargs(args=args, kwargs={"dropout": model.attrs["dropout_rate"]}), is_train)

    def backprop(d_logits: Floats1d) -> list[Floats2d]:
        gradient = xp2torch(d_logits, device=shim.device)
        torch_backprop(ArgsKwargs(args=((logits,),), kwargs={"grad_tensors": (gradient,)}))
        return unflatten(cast(Floats2d, torch2xp(cast(torch.Tensor, tokens.grad))), vectors)

    return cast(Floats1d, torch2xp(logits.detach())), backprop


def to_torch(batch: Sequence[Candidates], device: torch.device) -> NamePairs:
    """All documents' names, one after the other."""
    starts, ends, names, pairs = [], [], [], []
    n_tokens = n_names = 0
    for x in batch:
        starts += [n_tokens + m.start for m in x.mentions]
        ends += [n_tokens + m.end for m in x.mentions]
        owner = np.zeros(len(x.mentions), dtype=np.int64)
        for i, group in enumerate(x.names):
            owner[group] = n_names + i
        names.append(owner)
        pairs.append(x.pairs + n_names)
        n_tokens += len(x.doc)
        n_names += len(x.names)
    arrays = (np.array(starts), np.array(ends), np.concatenate(names), np.concatenate(pairs))
    start, end, name, pair = (torch.from_numpy(array.astype(np.int64)).to(device) for array in arrays)
    features = torch.from_numpy(np.concatenate([x.features for x in batch])).to(device)
    return NamePairs(start, end, name, n_names, pair, features)
