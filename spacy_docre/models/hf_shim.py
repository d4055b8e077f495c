"""The encoder's shim: autocast on any device, and windows in groups of similar length."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import ArgsKwargs, Optimizer
from torch import Tensor
from torch.nn.functional import pad
from transformers.file_utils import ModelOutput

from ..layers.attention import FasterLayers
from ..layers.precision import autocast, precision_on
from ..layers.prediction_twin import PredictionTwin
from ..memory import give_back_memory
from .frozen import FrozenLayers

LONG = 4  # times `max_batch_pieces` is a document, or a batch of them, after which memory is given back
MIN_FILL = 0.8  # windows shorter than this share of the longest beside them are encoded apart from it


class PrecisionHFShim(HFShim):
    """spacy-transformers' shim, with two differences.

    The forward pass runs in `precision` and returns float32 (autocast around thinc code fails: numpy has
    no bfloat16). Windows are encoded in groups of similar length, each padded only to its own longest one; in
    prediction a group has at most `max_batch_pieces` word pieces. In training the first `frozen_layers` layers stay as
    they are, and up to `cache_mb` of their outputs are kept.
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
        self.prediction_twin = PredictionTwin(whole=True)

    def begin_update(self, inputs: ArgsKwargs):
        # thinc enters a CUDA autocast of its own, switched off: ours has to be inside of it.
        encoder = self._model
        forward = encoder.forward

        def run(**windows: Tensor) -> Tensor:
            if self.frozen is not None:
                return self.frozen(encoder, forward, windows)
            return forward(**windows).last_hidden_state

        def forward_in_groups(**kwargs: Any) -> ModelOutput:
            return ModelOutput(last_hidden_state=self._encode(run, kwargs, sys.maxsize))

        encoder.forward = forward_in_groups
        try:
            return super().begin_update(inputs)
        finally:
            del encoder.forward

    def finish_update(self, optimizer: Optimizer) -> None:
        super().finish_update(optimizer)
        self.prediction_twin.forget()  # optimizers write into the weights' memory, unseen by torch

    def predict(self, inputs: ArgsKwargs) -> ModelOutput:
        """-> last_hidden_state (n_windows, n_pieces, width), float32; zeros for padding"""
        if self._model.training:  # training mode, which begin_update sets, is not set here: that visits every part
            self._model.eval()
        encoder = self.prediction_twin.of(self._model, self.precision)

        def run(**windows: Tensor) -> Tensor:
            return encoder(**windows).last_hidden_state

        with torch.no_grad():
            hidden = self._encode(run, inputs.kwargs, self.max_batch_pieces)
        if inputs.kwargs["attention_mask"].sum() > LONG * self.max_batch_pieces:
            give_back_memory()  # the encoder's, before others need as much
        return ModelOutput(last_hidden_state=hidden)

    def _encode(self, run: Callable[..., Tensor], kwargs: dict[str, Tensor], max_pieces: int) -> Tensor:
        """run: the encoder on some windows; kwargs (n_windows, n_pieces) each
        -> (n_windows, n_pieces, width), float32; zeros for padding"""
        mask = kwargs["attention_mask"]
        n_pieces = mask.shape[1]
        groups = group_by_length(mask.sum(1).long(), max_pieces)
        in_float32 = precision_on(self.precision, self.device) == torch.float32
        nothing_is_faster = in_float32 and not torch.is_grad_enabled()
        parts: list[Tensor] = []
        hidden: Tensor | None = None
        for rows in groups:
            used = mask[rows].any(0).nonzero().flatten()  # tokenizers pad on either side
            first, end = int(used[0]), int(used[-1]) + 1
            with autocast(self.precision, self.device), nullcontext() if nothing_is_faster else FasterLayers():
                part = run(**{name: x[rows, first:end] for name, x in kwargs.items()}).float()
            if torch.is_grad_enabled():
                parts.append(pad(part, (0, 0, first, n_pieces - end)))
                continue
            if hidden is None:
                hidden = part.new_zeros((*mask.shape, part.shape[-1]))
            hidden[rows, first:end] = part
        return torch.cat(parts)[torch.argsort(torch.cat(groups))] if hidden is None else hidden


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
