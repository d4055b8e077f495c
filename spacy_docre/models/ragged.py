"""Windows of different lengths through an encoder without padding: one after the other in one row, each attending to
itself alone."""

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ..layers.attention import FasterLayers, attend

TRIAL = (8, 5)  # lengths of the windows by which an encoder is tried
EXACT = 1e-4  # of the largest output: how far the outputs of both ways may be apart


class RaggedEncoder:
    """Encodes windows without padding, where an encoder can do that. What it can is found out once, by a trial.

    It has to look up positions that it is given, and to leave attention to torch, without a mask of its own; so do
    BERT, RoBERTa and their like in transformers.
    """

    def __init__(self) -> None:
        self.tried: Any = None
        self.first_position: int | None = None  # None: it can't

    def fits(self, encoder: nn.Module) -> bool:
        """Whether this encoder can: one that is in float32 and not in training, outside autocast. Never one that is
        compiled."""
        if hasattr(encoder, "_orig_mod"):
            return False
        kind = (type(encoder), getattr(getattr(encoder, "config", None), "_attn_implementation", None))
        if kind != self.tried:
            self.tried = kind
            self.first_position = find_first_position(encoder)
        return self.first_position is not None

    def __call__(self, encoder: nn.Module, windows: dict[str, Tensor]) -> Tensor:
        """windows: input_ids, attention_mask and others, (n_windows, n_pieces) each
        -> last_hidden_state of the pieces that the mask has, window after window (n_used, width)"""
        assert self.first_position is not None
        used = windows["attention_mask"].bool()
        pieces = {name: x[used] for name, x in windows.items() if name != "attention_mask"}
        return encode_row(encoder, used.sum(1).tolist(), pieces, self.first_position)

    def give_up(self) -> None:
        """The trial was wrong."""
        self.first_position = None


def encode_row(encoder: nn.Module, lengths: Sequence[int], pieces: dict[str, Tensor], first_position: int) -> Tensor:
    """lengths: of each window; pieces: input_ids and others, (n_pieces,) each -> last_hidden_state (n_pieces, width)

    first_position: what the encoder calls the first piece of a text. Raises MaskedAttention where the encoder has a
    mask of its own.
    """
    ids = pieces["input_ids"]
    positions = torch.cat([torch.arange(n, device=ids.device) for n in lengths]) + first_position
    row = {"token_type_ids": torch.zeros_like(ids), **pieces, "position_ids": positions}
    accepted = arguments_of(type(encoder).forward)
    row = {name: x.unsqueeze(0) for name, x in row.items() if name in accepted or name in pieces}
    with WindowAttention(lengths):
        return encoder(**row, attention_mask=torch.ones_like(row["input_ids"])).last_hidden_state[0]


@cache
def arguments_of(forward: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)


class MaskedAttention(Exception):
    """An encoder says itself who attends to whom."""


class WindowAttention(FasterLayers):
    """A context in which torch's attention, of one row, is that of the windows in it."""

    def __init__(self, lengths: Sequence[int]) -> None:
        super().__init__()
        self.runs = [(length, len(list(same))) for length, same in groupby(n for n in lengths if n)]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not scaled_dot_product_attention:
            return super().__torch_function__(func, types, args, kwargs)
        query, key, value = args[:3]
        is_plain = len(args) == 3 and all(
            x is None or (not isinstance(x, Tensor) and not x) for x in (kwargs or {}).values()
        )
        if not is_plain or query.shape[2] != key.shape[2]:
            raise MaskedAttention
        return self.attend(query, key, value)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(1, n_heads, n_pieces, width) each -> the same; windows of one length that follow each other at once"""
        _, n_heads, n_pieces, width = value.shape
        mixed = value.new_empty((1, n_pieces, n_heads, width))
        start = 0
        for length, n_windows in self.runs:
            end = start + n_windows * length
            parts = (x[0, :, start:end].unflatten(1, (n_windows, length)) for x in (query, key, value))
            of_run = attend(*(x.transpose(0, 1) for x in parts))  # (n_windows, n_heads, length, width)
            mixed[0, start:end] = of_run.transpose(1, 2).flatten(0, 1)
            start = end
        return mixed.transpose(1, 2)


def find_first_position(encoder: nn.Module) -> int | None:
    """With what number positions have to begin, for two windows in one row to give what each gives alone; None where
    none is right. The encoder is one that is not in training."""
    config: Any = getattr(encoder, "config", None)
    if "position_ids" not in arguments_of(type(encoder).forward) or not hasattr(config, "vocab_size"):
        return None
    generator = torch.Generator("cpu").manual_seed(0)
    ids = torch.randint(config.vocab_size, (sum(TRIAL),), generator=generator, device="cpu")
    try:
        with torch.no_grad():
            texts = [x.unsqueeze(0) for x in ids.split(TRIAL)]
            outputs = [encoder(input_ids=x, attention_mask=torch.ones_like(x)) for x in texts]
            alone = torch.cat([output.last_hidden_state[0] for output in outputs])
            for first in (0, 1 + (getattr(config, "pad_token_id", None) or 0)):  # BERT's, and RoBERTa's
                found = encode_row(encoder, TRIAL, {"input_ids": ids}, first)
                if torch.allclose(found, alone, rtol=0, atol=EXACT * float(alone.abs().max())):
                    return first
    except Exception:  # of any encoder there is; without padding it is not called then
        return None
    return None
