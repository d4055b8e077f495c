"""Token vectors to mention vectors to entity vectors."""

import torch
from torch import Tensor


def span_weights(start: Tensor, end: Tensor, token_mask: Tensor) -> Tensor:
    """Weights that average the usable tokens of each mention; zeros for a mention that has none.

    start, end (n_docs, n_mentions), token_mask (n_docs, n_tokens) -> (n_docs, n_mentions, n_tokens)
    """
    position = torch.arange(token_mask.shape[1], device=token_mask.device)
    inside = (position >= start.unsqueeze(-1)) & (position < end.unsqueeze(-1))
    weights = (inside & token_mask.unsqueeze(1)).float()
    return weights / weights.sum(-1, keepdim=True).clamp(min=1)


def entity_weights(mention_entity: Tensor, mention_mask: Tensor, n_entities: int) -> Tensor:
    """Weights that average the usable mentions of each entity; zeros for an entity that has none.

    mention_entity, mention_mask (n_docs, n_mentions) -> (n_docs, n_entities, n_mentions)
    """
    entity = torch.arange(n_entities, device=mention_entity.device).unsqueeze(-1)
    member = (mention_entity.unsqueeze(1) == entity) & mention_mask.unsqueeze(1)
    weights = member.float()
    return weights / weights.sum(-1, keepdim=True).clamp(min=1)


def logsumexp_pool(mentions: Tensor, mention_entity: Tensor, mention_mask: Tensor, n_entities: int) -> Tensor:
    """Log-sum-exp over the usable mentions of each entity (ATLOP, Zhou et al. 2021, eq. 1).

    mentions (n_docs, n_mentions, width) -> (n_docs, n_entities, width); zeros for an entity without
    usable mention.
    """
    n_docs, _, width = mentions.shape
    # Unusable mentions go to one more entity, which is dropped at the end.
    slot = torch.where(mention_mask, mention_entity, n_entities).unsqueeze(-1).expand_as(mentions)
    shape = (n_docs, n_entities + 1, width)
    with torch.no_grad():
        highest = mentions.new_full(shape, float("-inf")).scatter_reduce(1, slot, mentions, "amax")
        highest = torch.where(highest.isinf(), torch.zeros_like(highest), highest)
    exps = (mentions - highest.gather(1, slot)).exp()
    sums = mentions.new_zeros(shape).scatter_add(1, slot, exps)[:, :-1]
    filled = sums > 0
    pooled = torch.where(filled, sums, torch.ones_like(sums)).log() + highest[:, :-1]
    return torch.where(filled, pooled, torch.zeros_like(pooled))
