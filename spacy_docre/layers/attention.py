"""Scaled dot-product attention by the way that is faster where it runs."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from .dropout import dropout

MAX_SCORES = 32_000_000  # attention scores in memory at once in the plain way; above it torch's own is taken
SHORTEST, LONG = 16, 64
FEW = 32  # keys
LEFT_OUT = -1e4  # added to the scores of masked keys: exp is 0; the lowest number there is takes twice the time


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(query · keyᵀ / √width) · value

    query (…, n_heads, n_queries, width), key and value (…, n_heads, n_keys, width), mask broadcasts to
    (…, n_heads, n_queries, n_keys): False leaves a key out, or a number is added -> like query
    """
    if _plain_is_faster(query, key):
        return attend_plainly(query, key, value, mask)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask)


def attend_plainly(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """The same as a product, a softmax and a product, with all scores in memory."""
    n_queries, n_keys = query.shape[-2], key.shape[-2]
    queries, keys, values = (x.reshape(-1, *x.shape[-2:]) for x in (query, key, value))
    scale = 1 / math.sqrt(query.shape[-1])
    scores = torch.baddbmm(query.new_empty(()), queries, keys.transpose(1, 2), beta=0, alpha=scale)
    if mask is not None:
        scores = scores.view(*query.shape[:-2], n_queries, n_keys) + _to_bias(mask, scores.dtype)
        scores = scores.view(-1, n_queries, n_keys)
    # torch's softmax of short lines in half precision takes three times as long as in single
    dtype = torch.float32 if SHORTEST <= n_keys < LONG else scores.dtype
    mixed = torch.bmm(torch.softmax(scores, -1, dtype=dtype).to(value.dtype), values)
    return mixed.view(*query.shape[:-1], value.shape[-1])


class FasterLayers(TorchFunctionMode):
    """A context in which torch's attention is `attend`, and its dropout ours, in modules that are not ours."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is scaled_dot_product_attention and len(args) == 3 and _is_simple(**kwargs):
            query, key, value = args
            return attend(query, key, value, kwargs.get("attn_mask"))
        if func is functional.dropout:
            return dropout(*args, **kwargs)
        return func(*args, **kwargs)


def _is_simple(*, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, **others: Any) -> bool:
    return dropout_p == 0.0 and not is_causal and not others


def _to_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to the scores: a key that is left out weighs nothing."""
    if mask.dtype != torch.bool:
        return mask.to(dtype).clamp_min(LEFT_OUT)
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, LEFT_OUT)


def _plain_is_faster(query: Tensor, key: Tensor) -> bool:
    """On CPU torch's fused kernel is slow with few keys, and in bfloat16 backward always."""
    n_scores = query.numel() // max(query.shape[-1], 1) * key.shape[-2]
    slow = query.dtype == torch.bfloat16 or key.shape[-2] <= FEW
    return query.device.type == "cpu" and slow and n_scores <= MAX_SCORES
