"""Whether two names of a document are one entity."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class NamePairs:
    """start, end (n_mentions,): tokens of each mention, of all documents together; name (n_mentions,): whose it is
    pairs (n_pairs, 2): of names; features (n_pairs, n_features)
    """

    start: Tensor
    end: Tensor
    name: Tensor
    n_names: int
    pairs: Tensor
    features: Tensor


class MentionLinker(nn.Module):
    """Score pairs of names by what the tokens of their mentions mean, and by what their texts have in common.

    A mention is the mean of its tokens and a name the mean of its mentions; a pair is their product and distance beside
    the features (Lee et al. 2017, "End-to-end Neural Coreference Resolution", §4, without the spans that are no
    mentions).
    """

    precision = "float32"

    def __init__(self, *, token_width: int, n_features: int, hidden_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(token_width, hidden_width)
        self.dropout = nn.Dropout(0.0)
        self.hidden = nn.Linear(2 * hidden_width + n_features, hidden_width)
        self.output = nn.Linear(hidden_width, 1)

    def forward(self, tokens: Tensor, names: NamePairs) -> Tensor:
        """tokens (n_tokens, token_width) -> (n_pairs,) logits"""
        mentions = mean_of_spans(tokens, names.start, names.end)
        mentions = self.project(self.dropout(mentions))  # (n_mentions, hidden_width)
        total = mentions.new_zeros(names.n_names, mentions.shape[1]).index_add(0, names.name, mentions)
        number = torch.bincount(names.name, minlength=names.n_names).clamp(min=1)
        vectors = total / number.unsqueeze(1)  # (n_names, hidden_width)
        first, second = vectors[names.pairs[:, 0]], vectors[names.pairs[:, 1]]
        pairs = torch.cat([first * second, (first - second).abs(), names.features], dim=1)
        return self.output(self.dropout(torch.relu(self.hidden(pairs)))).squeeze(1)

    def set_dropout(self, rate: float) -> None:
        self.dropout.p = rate


def mean_of_spans(tokens: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """tokens (n_tokens, width); start, end (n_spans,), no span empty -> (n_spans, width)"""
    lengths = end - start
    owner = torch.repeat_interleave(lengths)
    row = torch.arange(len(owner), device=owner.device) + (start - lengths.cumsum(0) + lengths)[owner]
    return tokens.new_zeros(len(start), tokens.shape[1]).index_add(0, owner, tokens[row]) / lengths.unsqueeze(1)
