"""How far labels are from each other, by what a pretrained encoder makes of their names."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

BATCH_SIZE = 64  # names at a time


def label_costs(encoder: Path, names: Sequence[str]) -> Tensor:
    """`1 - cos` of the names' embeddings, the mean over their tokens' last hidden states: (n, n), in [0, 2].

    encoder: a folder with weights and tokenizer. The cost that EMO (Ren et al. 2024, §4.1) takes for confusions.
    """
    vectors = torch.nn.functional.normalize(embed_names(encoder, names), dim=-1)
    costs = (1 - vectors @ vectors.T).clamp(min=0)
    return costs.fill_diagonal_(0)


def embed_names(encoder: Path, names: Sequence[str]) -> Tensor:
    """(n, width), float32"""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModel.from_pretrained(encoder).eval()
    rows = []
    with torch.no_grad():
        for start in range(0, len(names), BATCH_SIZE):
            batch = tokenizer(list(names[start : start + BATCH_SIZE]), padding=True, return_tensors="pt")
            hidden = model(**batch).last_hidden_state  # (n, n_tokens, width)
            mask = batch["attention_mask"].unsqueeze(-1).to(hidden)
            rows.append((hidden * mask).sum(1) / mask.sum(1))
    return torch.cat(rows)
