"""Masks on fresh tensors: the one helper of every loss and every attention."""

import torch
from torch import Tensor


def mask_out(x: Tensor, keep: Tensor) -> Tensor:
    """`x` where `keep`, elsewhere -inf: nothing after logsumexp or softmax. Shapes broadcast."""
    return torch.where(keep, x, torch.full_like(x, float("-inf")))


def masked_softmax(scores: Tensor, keep: Tensor) -> Tensor:
    """Softmax over the last axis of the entries to keep; all zero where there is none."""
    smallest = torch.finfo(scores.dtype).min
    weights = torch.where(keep, scores, torch.full_like(scores, smallest)).softmax(-1)
    return torch.where(keep, weights, torch.zeros_like(weights))
