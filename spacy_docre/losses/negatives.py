"""The logarithms of sums that ATL, adaptive focal loss and ZLPR share."""

import torch
from torch import Tensor

from ..masking import mask_out


def log1p_sum_exp(x: Tensor, keep: Tensor) -> Tensor:
    """`log(1 + Σ_keep e^x)` over the last axis: (n_pairs, n_labels) -> (n_pairs,)"""
    zero = torch.zeros_like(x[..., :1])
    return torch.cat([mask_out(x, keep), zero], dim=-1).logsumexp(-1)


def log1p_sum_exp_weighted(x: Tensor, weight: Tensor) -> Tensor:
    """`log(1 + Σ weight·e^x)` over the last axis, weights >= 0: (n_pairs, n_labels) twice -> (n_pairs,)"""
    zero = torch.zeros_like(x[..., :1])
    return torch.cat([x + weight.log(), zero], dim=-1).logsumexp(-1)
