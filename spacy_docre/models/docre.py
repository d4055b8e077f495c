"""Architecture `spacy-docre.DocRE.v1`: Docs to PairLogits."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import cast

import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, PyTorchGradScaler, PyTorchShim, get_torch_default_device, torch2xp, xp2torch
from thinc.types import Floats2d

from ..errors import Errors
from ..features.pair_batch import PairBatch, build_grid
from ..layers.docre_head import DocREHead, GridTensors
from ..layers.localised_context import EntityAttention
from ..layers.precision import check_precision, needs_scaling
from ..types import PairLogits
from .evidence_task import EvidenceTask
from .head_shim import HeadShim
from .listening import expect_vectors, token_width, waits_for_encoder
from .parts import PartBuilder
from .reading import reading_of
from .vector_check import VectorCheck

N_TYPE_ROWS = 512
TYPE_WIDTH = 32
N_DISTANCES = 14
MAX_PADDING = 0.25
MAX_TOKENS = 16384  # of the documents computed together, padded; they are multiplied by heads and mentions


def build_docre_v1(
    tok2vec: Model[list[Doc], list[Floats2d]],
    attention: Callable[..., EntityAttention],
    pair_scorer: PartBuilder,
    axial: PartBuilder | None = None,
    hidden_width: int = 192,
    threshold_column: str = "learned",
    max_pair_batch: int = 4096,
    max_entities_for_axial: int = 512,
    precision: str = "float32",
) -> Model[list[Doc], PairLogits]:
    """Score every ordered pair of entities of each document with every relation label.

    tok2vec: any embedding layer, for example a listener to a transformer.
    attention, pair_scorer, axial: parts of the head; without `axial`, pairs do not see each other.
    hidden_width: width of entity and pair vectors.
    threshold_column: "learned" (a logit of its own for each pair) or "zero" (the constant 0).
    max_pair_batch: pairs whose bilinear features are in memory at once.
    max_entities_for_axial: documents with more entities go without `axial`, whose grid takes
        3 · n_entities² · hidden_width · 4 bytes.
    precision: "float32", "bfloat16", "float16" or "auto", for the head.

    The input's pairs are row-major over each document's entities, without the diagonal; column 0 of the
    output (n_pairs, 1 + n_labels) is the threshold.
    """
    check_precision(precision)
    if threshold_column not in ("learned", "zero"):
        raise ValueError(Errors.E047.format(value=threshold_column))
    build_head = partial(
        _build_head,
        attention=attention,
        pair_scorer=pair_scorer,
        axial=axial,
        hidden_width=hidden_width,
        learned_threshold=threshold_column == "learned",
        max_pair_batch=max_pair_batch,
        max_entities_for_axial=max_entities_for_axial,
        precision=precision,
    )
    head: Model = Model(
        "docre-head",
        partial(forward_head, max_cells=max_pair_batch, max_entities=max_entities_for_axial),
        attrs={"dropout_rate": 0.0},
        dims={"nI": None, "nO": None},
        shims=[
            HeadShim(build_head, grad_scaler=PyTorchGradScaler(needs_scaling(precision, get_torch_default_device())))
        ],
    )
    return Model(
        "docre",
        forward,
        init=init,
        layers=[tok2vec, head],
        dims={"nO": None},
        refs={"tok2vec": tok2vec, "head": head},
        attrs={
            "n_passes": 1,
            "learned_threshold": threshold_column == "learned",
            "vector_check": VectorCheck(max_entities_for_axial if axial is not None else None),
            "evidence": EvidenceTask(),
            "reading": None,
        },
    )


def _build_head(
    *,
    token_width: int,
    n_labels: int,
    attention: Callable[..., EntityAttention],
    pair_scorer: PartBuilder,
    axial: PartBuilder | None,
    hidden_width: int,
    **settings,
) -> DocREHead:
    return DocREHead(
        attention=attention(token_width=token_width),
        pair_scorer=pair_scorer(width=hidden_width, n_outputs=hidden_width),
        axial=axial(width=hidden_width) if axial is not None else None,
        token_width=token_width,
        hidden_width=hidden_width,
        n_labels=n_labels,
        n_type_rows=N_TYPE_ROWS,
        type_width=TYPE_WIDTH,
        n_distances=N_DISTANCES,
        **settings,
    )


def init(model: Model, X: Sequence[Doc] | None = None, Y=None) -> None:
    """Build the head: its outputs must have been set (nO), the width of the tokens is tok2vec's."""
    if waits_for_encoder(model):
        raise ValueError(Errors.E042.format(name="docre_relations"))
    tok2vec, head = model.get_ref("tok2vec"), model.get_ref("head")
    tok2vec.initialize(X=X)
    width = token_width(tok2vec)
    if width is None:
        raise ValueError(Errors.E042.format(name="docre_relations"))
    head.set_dim("nI", width, force=True)
    head.set_dim("nO", model.get_dim("nO"), force=True)
    lazy_head = head.shims[0]._model
    lazy_head.build(new_weights=True, token_width=width, n_labels=model.get_dim("nO") - 1)
    lazy_head.to(get_torch_default_device())


def forward(model: Model, docs: Sequence[Doc], is_train: bool) -> tuple[PairLogits, Callable]:
    """One call of tok2vec and one of its backprop, whatever the number of pairs.

    In training the head runs attrs["n_passes"] times, each with its own dropout: their rows stand one after the other.
    attrs["evidence"] says what attention learns beside; attrs["reading"] is what is known of these documents
    already, and gets their vectors (`models.reading`).
    """
    tok2vec, head = model.get_ref("tok2vec"), model.get_ref("head")
    reading = reading_of(model, docs)
    batch = PairBatch.from_docs(docs, reading.entities if reading is not None else None)
    expect_vectors(model)
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    if reading is not None:
        reading.vectors = vectors
    model.attrs["vector_check"](docs, vectors, batch)
    n_passes = model.attrs["n_passes"] if is_train else 1
    evidence = model.attrs["evidence"] if is_train else None
    passes = [head((vectors, batch, evidence), is_train) for _ in range(n_passes)]

    def backprop(d_logits: PairLogits):
        rows = model.ops.xp.split(d_logits, n_passes)
        d_vectors = [backprop_head(d_rows) for (_, backprop_head), d_rows in zip(passes, rows)]
        return backprop_tok2vec([sum(arrays[1:], arrays[0]) for arrays in zip(*d_vectors)])

    logits = [rows for rows, _ in passes]
    return logits[0] if n_passes == 1 else model.ops.xp.concatenate(logits), backprop


def forward_head(
    model: Model,
    inputs: tuple[list[Floats2d], PairBatch, EvidenceTask | None],
    is_train: bool,
    *,
    max_cells: int,
    max_entities: int,
) -> tuple[PairLogits, Callable]:
    """Token vectors (one array for each document) and their PairBatch to PairLogits."""
    vectors, batch, task = inputs
    shim = cast(PyTorchShim, model.shims[0])
    arrays = [v for v in vectors if len(v)]
    flat = arrays[0] if len(arrays) == 1 else model.ops.xp.concatenate(arrays, axis=0)
    tokens = xp2torch(flat, requires_grad=is_train, device=shim.device)
    groups = list(
        batch.groups(max_cells=max_cells, max_tokens=MAX_TOKENS, max_padding=MAX_PADDING, never_across=max_entities)
    )
    grids = [to_torch(batch, group, shim.device) for group in groups]
    args = (tokens, grids, int(batch.n_pairs.sum()))
    evidence = task.grids(groups, shim.device) if task is not None else None
    kwargs = {"dropout": model.attrs["dropout_rate"], "evidence": evidence}
    outputs, torch_backprop = shim(ArgsKwargs(args=args, kwargs=kwargs), is_train)
    logits, *others = outputs if evidence is not None else (outputs,)
    if task is not None:
        task.loss += sum(float(loss.detach()) for loss in others)

    def backprop(d_logits: PairLogits) -> list[Floats2d]:
        d_torch = xp2torch(d_logits, device=shim.device)
        gradients = (d_torch, *map(torch.ones_like, others))
        torch_backprop(ArgsKwargs(args=((logits, *others),), kwargs={"grad_tensors": gradients}))
        d_flat = cast(Floats2d, torch2xp(cast(torch.Tensor, tokens.grad)))
        return unflatten(d_flat, vectors)

    return cast(Floats2d, torch2xp(logits.detach())), backprop


def to_torch(batch: PairBatch, group, device: torch.device) -> GridTensors:
    grid = build_grid(batch, group, n_type_rows=N_TYPE_ROWS, n_buckets=N_DISTANCES)
    arrays = {f.name: torch.from_numpy(getattr(grid, f.name)).to(device) for f in fields(grid)}
    return GridTensors(**arrays)


def unflatten(flat: Floats2d, like: Sequence[Floats2d]) -> list[Floats2d]:
    """Cut (n_tokens, width) into one array for each document; empty documents keep their (0, 0)."""
    out, start = [], 0
    for array in like:
        out.append(flat[start : start + len(array)] if len(array) else array)
        start += len(array)
    return out
