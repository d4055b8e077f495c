"""The encoder's shim: autocast on any device, and windows in sub-batches when predicting."""

from typing import Any

import torch
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import ArgsKwargs
from transformers.file_utils import ModelOutput

from ..layers.attention import FasterAttention
from ..layers.precision import autocast


class PrecisionHFShim(HFShim):
    """spacy-transformers' shim, with two differences.

    The forward pass runs in `precision` and returns float32 (autocast around thinc code fails: numpy has
    no bfloat16). In prediction, windows are encoded in sub-batches of at most `max_batch_pieces` word
    pieces, each padded only to its own longest window.
    """

    def __init__(self, model: HFObjects, *, precision: str, max_batch_pieces: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.precision = precision
        self.max_batch_pieces = max_batch_pieces

    def begin_update(self, inputs: ArgsKwargs):
        # thinc enters a CUDA autocast of its own, switched off: ours has to be inside of it.
        forward = self._model.forward

        def forward_in_precision(*args: Any, **kwargs: Any) -> Any:
            with autocast(self.precision, self.device), FasterAttention():
                return forward(*args, **kwargs)

        self._model.forward = forward_in_precision
        try:
            output, backprop = super().begin_update(inputs)
        finally:
            del self._model.forward
        return ModelOutput(last_hidden_state=output.last_hidden_state.float()), backprop

    def predict(self, inputs: ArgsKwargs) -> ModelOutput:
        """-> last_hidden_state (n_windows, n_pieces, width), float32; zeros for padding"""
        mask = inputs.kwargs["attention_mask"]
        lengths = mask.sum(1).long()
        n_windows, n_pieces = mask.shape
        hidden: torch.Tensor | None = None
        self._model.eval()
        with torch.no_grad(), autocast(self.precision, self.device), FasterAttention():
            for rows in sub_batches(lengths, self.max_batch_pieces):
                used = mask[rows].any(0).nonzero().flatten()  # tokenizers pad on either side
                columns = slice(int(used[0]), int(used[-1]) + 1)
                kwargs = {name: x[rows, columns] for name, x in inputs.kwargs.items()}
                part = self._model(**kwargs).last_hidden_state.float()
                if hidden is None:
                    hidden = part.new_zeros((n_windows, n_pieces, part.shape[-1]))
                hidden[rows, columns] = part
        self._model.train()
        return ModelOutput(last_hidden_state=hidden)


def sub_batches(lengths: torch.Tensor, max_pieces: int) -> list[torch.Tensor]:
    """Windows by length, in groups of at most `max_pieces` word pieces with padding, or one window."""
    order = torch.argsort(lengths, descending=True, stable=True)
    groups, start = [], 0
    while start < len(order):
        size = max(1, max_pieces // max(1, int(lengths[order[start]])))
        groups.append(order[start : start + size])
        start += size
    return groups
