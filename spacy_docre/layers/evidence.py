"""Attention that is taught by evidence."""

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST = 1e-6  # share of attention, so that its logarithm is finite


@dataclass(frozen=True)
class EvidenceTensors:
    """Rows of `features.EvidenceRows` for one grid; `doc` is the document's place in the grid. (n_rows,) each"""

    doc: Tensor
    head: Tensor
    tail: Tensor
    start: Tensor
    end: Tensor
    weight: Tensor


def focus_of_pairs(attention: Tensor, doc: Tensor, head: Tensor, tail: Tensor) -> Tensor:
    """The tokens that some pairs look at (`pair_attention` for those alone).

    attention (n_docs, n_heads, n_entities, n_tokens); doc, head, tail (n_rows,) -> (n_rows, n_tokens)
    """
    both = (attention[doc, :, head].float() * attention[doc, :, tail].float()).sum(1)
    return both / both.sum(-1, keepdim=True).clamp(min=1e-10)


def evidence_loss(attention: Tensor, rows: EvidenceTensors) -> Tensor:
    """Cross entropy between a pair's evidence and the share of its attention that is on each, summed over pairs.

    Ma et al. 2023, "DREEAM: Guiding Attention with Evidence for Improving Document-Level Relation Extraction", §3.2;
    for annotated evidence. attention (n_docs, n_heads, n_entities, n_tokens) -> scalar
    """
    focus = focus_of_pairs(attention, rows.doc, rows.head, rows.tail)
    position = torch.arange(focus.shape[1], device=focus.device)
    within = (position >= rows.start.unsqueeze(1)) & (position < rows.end.unsqueeze(1))  # (n_rows, n_tokens)
    share = (focus * within).sum(-1)
    return -(rows.weight * (share + LEAST).log()).sum()


def share_of_parts(attention: Tensor, head: Tensor, tail: Tensor, ends: Tensor) -> Tensor:
    """How much of each pair's attention is on each part of a document.

    attention (1, n_heads, n_entities, n_tokens); head, tail (n_rows,); ends (n_parts,): of parts that follow each
    other, the first from token 0 -> (n_rows, n_parts)
    """
    focus = focus_of_pairs(attention, torch.zeros_like(head), head, tail)
    return focus.cumsum(-1)[:, ends - 1].diff(dim=-1, prepend=focus.new_zeros(len(focus), 1))
