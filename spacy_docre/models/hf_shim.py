"""The encoder's shim: autocast on any device, and windows in groups of similar length."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import ArgsKwargs, Optimizer
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers.file_utils import ModelOutput

from ..layers.attention import FasterLayers
from ..layers.cast_weights import CastWeights
from ..layers.precision import autocast, precision_on
from ..memory import give_back_memory
from .frozen import FrozenLayers
from .ragged import MaskedAttention, RaggedEncoder, group_by_total

LONG = 4  # times `max_batch_pieces` is a document, or a batch of them, after which memory is given back
MIN_FILL = 0.8  # windows shorter than this share of the longest beside them are encoded apart from it


class PrecisionHFShim(HFShim):
    """spacy-transformers' shim, with two differences.

    The forward pass runs in `precision` and returns float32 (autocast around thinc code fails: numpy has
    no bfloat16). Windows are encoded in groups of similar length, each padded only to its own longest one; in
    prediction a group has at most `max_batch_pieces` word pieces, and on CPU no padding where the encoder can do
    without. In training the first `frozen_layers` layers stay as they are, and up to `cache_mb` of their outputs are
    kept.
    """

    def __init__(
        self,
        model: HFObjects,
        *,
        precision: str,
        max_batch_pieces: int,
        frozen_layers: int = 0,
        cache_mb: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(model, **settings)
        self.precision = precision
        self.max_batch_pieces = max_batch_pieces
        self.frozen = FrozenLayers(frozen_layers, cache_mb) if frozen_layers else None
        self.cast_weights = CastWeights(whole=True)
        self.ragged = RaggedEncoder()

    def begin_update(self, inputs: ArgsKwargs):
        # thinc enters a CUDA autocast of its own, switched off: ours has to be inside of it.
        encoder = self._model
        forward = encoder.forward

        def run(**windows: Tensor) -> Tensor:
            if self.frozen is not None:
                return self.frozen(encoder, forward, windows)
            return forward(**windows).last_hidden_state

        def forward_in_groups(**kwargs: Any) -> ModelOutput:
            return ModelOutput(last_hidden_state=self._encode_to_learn(run, kwargs))

        encoder.forward = forward_in_groups
        try:
            return super().begin_update(inputs)
        finally:
            del encoder.forward

    def finish_update(self, optimizer: Optimizer) -> None:
        super().finish_update(optimizer)
        self.cast_weights.forget()  # optimizers write into the weights' memory, unseen by torch

    def predict(self, inputs: ArgsKwargs) -> ModelOutput:
        """-> last_hidden_state (n_windows, n_pieces, width), float32; zeros for padding"""
        if self._model.training:  # training mode, which begin_update sets, is not set here: that visits every part
            self._model.eval()
        mask = inputs.kwargs["attention_mask"]
        with torch.no_grad():
            hidden = self._encode(inputs.kwargs)
        if mask.sum() > LONG * self.max_batch_pieces:
            give_back_memory()  # the encoder's, before others need as much
        return ModelOutput(last_hidden_state=hidden)

    def _encode(self, kwargs: dict[str, Tensor]) -> Tensor:
        """kwargs (n_windows, n_pieces) each -> (n_windows, n_pieces, width), float32; zeros for padding"""
        encoder = self.cast_weights.of(self._model, self.precision)
        pays = self.device.type == "cpu" and not bool(kwargs["attention_mask"].all())
        if pays and self.ragged.fits(self._model):
            try:
                return self._encode_ragged(encoder, kwargs)
            except MaskedAttention:  # of long rows only
                self.ragged.give_up()
        return self._encode_padded(encoder, kwargs)

    def _encode_ragged(self, encoder: nn.Module, kwargs: dict[str, Tensor]) -> Tensor:
        """As _encode, with windows in one row."""
        used = kwargs["attention_mask"].bool()
        hidden: Tensor | None = None
        for rows in group_by_total(used.sum(1), self.max_batch_pieces):
            with autocast(self.precision, self.device):
                part = self.ragged(encoder, {name: x[rows] for name, x in kwargs.items()}).float()
            if hidden is None:
                hidden = part.new_zeros((*used.shape, part.shape[-1]))
            window, piece = used[rows].nonzero(as_tuple=True)
            hidden[rows[window], piece] = part
        assert hidden is not None
        return hidden

    def _encode_padded(self, encoder: nn.Module, kwargs: dict[str, Tensor]) -> Tensor:
        """As _encode, with windows of similar length in groups."""
        mask = kwargs["attention_mask"]
        nothing_is_faster = precision_on(self.precision, self.device) == torch.float32
        hidden: Tensor | None = None
        for rows in group_by_length(mask.sum(1).long(), self.max_batch_pieces):
            columns = used_columns(mask[rows])
            with autocast(self.precision, self.device), nullcontext() if nothing_is_faster else FasterLayers():
                part = encoder(**{name: x[rows, columns] for name, x in kwargs.items()}).last_hidden_state.float()
            if hidden is None:
                hidden = part.new_zeros((*mask.shape, part.shape[-1]))
            hidden[rows, columns] = part
        assert hidden is not None
        return hidden

    def _encode_to_learn(self, run: Callable[..., Tensor], kwargs: dict[str, Tensor]) -> Tensor:
        """The same, with a graph. run: the encoder on some windows."""
        mask = kwargs["attention_mask"]
        groups = group_by_length(mask.sum(1).long(), sys.maxsize)
        parts = []
        for rows in groups:
            columns = used_columns(mask[rows])
            with autocast(self.precision, self.device), FasterLayers():
                part = run(**{name: x[rows, columns] for name, x in kwargs.items()}).float()
            parts.append(pad(part, (0, 0, columns.start, mask.shape[1] - columns.stop)))
        return torch.cat(parts)[torch.argsort(torch.cat(groups))]


def used_columns(mask: Tensor) -> slice:
    """The columns in which any window has word pieces: tokenizers pad on either side."""
    used = mask.any(0).nonzero().flatten()
    return slice(int(used[0]), int(used[-1]) + 1)


def group_by_length(lengths: Tensor, max_pieces: int) -> list[Tensor]:
    """Windows in groups of similar length, the longest first, as indices. A group has at most `max_pieces` word pieces
    with padding, or one window."""
    order = torch.argsort(lengths, descending=True, stable=True)
    sizes = lengths[order].tolist()
    groups, start = [], 0
    for i, size in enumerate(sizes):
        longest = sizes[start]
        if i > start and (size < MIN_FILL * longest or (i + 1 - start) * longest > max_pieces):
            groups.append(order[start:i])
            start = i
    return [*groups, order[start:]]
