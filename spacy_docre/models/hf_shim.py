"""The encoder's shim: autocast on any device, and windows in groups of similar length."""

import sys
from collections.abc import Callable, Iterable, Iterator
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
from .ragged import MaskedAttention, RaggedEncoder
from .windows import group_windows, used_columns

LONG = 4  # times `max_batch_pieces` is a document, or a batch of them, after which memory is given back
Part = tuple[tuple[Tensor, Tensor | slice], Tensor]  # which windows and word pieces, and their vectors


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
        shape = kwargs["attention_mask"].shape
        pays = self.device.type == "cpu" and not bool(kwargs["attention_mask"].all())
        if pays and self.ragged.fits(self._model):
            try:
                return gather(self._in_a_row(encoder, kwargs), shape)
            except MaskedAttention:  # of long rows only
                self.ragged.give_up()
        return gather(self._padded(encoder, kwargs), shape)

    def _in_a_row(self, encoder: nn.Module, kwargs: dict[str, Tensor]) -> Iterator[Part]:
        """Windows in one row, without padding. A part is (n_used, width)."""
        used = kwargs["attention_mask"].bool()
        for rows in group_windows(used.sum(1), self.max_batch_pieces, padded=False):
            with autocast(self.precision, self.device):
                part = self.ragged(encoder, {name: x[rows] for name, x in kwargs.items()}).float()
            window, piece = used[rows].nonzero(as_tuple=True)
            yield (rows[window], piece), part

    def _padded(self, encoder: nn.Module, kwargs: dict[str, Tensor]) -> Iterator[Part]:
        """Windows of similar length in groups. A part is (n_windows, n_columns, width)."""
        mask = kwargs["attention_mask"]
        nothing_is_faster = precision_on(self.precision, self.device) == torch.float32
        for rows in group_windows(mask.sum(1).long(), self.max_batch_pieces, padded=True):
            columns = used_columns(mask[rows])
            with autocast(self.precision, self.device), nullcontext() if nothing_is_faster else FasterLayers():
                part = encoder(**{name: x[rows, columns] for name, x in kwargs.items()}).last_hidden_state.float()
            yield (rows, columns), part

    def _encode_to_learn(self, run: Callable[..., Tensor], kwargs: dict[str, Tensor]) -> Tensor:
        """The same, with a graph. run: the encoder on some windows."""
        mask = kwargs["attention_mask"]
        groups = group_windows(mask.sum(1).long(), sys.maxsize, padded=True)
        parts = []
        for rows in groups:
            columns = used_columns(mask[rows])
            with autocast(self.precision, self.device), FasterLayers():
                part = run(**{name: x[rows, columns] for name, x in kwargs.items()}).float()
            parts.append(pad(part, (0, 0, columns.start, mask.shape[1] - columns.stop)))
        return torch.cat(parts)[torch.argsort(torch.cat(groups))]


def gather(parts: Iterable[Part], shape: torch.Size) -> Tensor:
    """-> (*shape, width), zeros where no part is"""
    hidden: Tensor | None = None
    for place, part in parts:
        if hidden is None:
            hidden = part.new_zeros((*shape, part.shape[-1]))
        hidden[place] = part
    assert hidden is not None
    return hidden
