"""The head: token vectors and entity positions in, logits for every pair of entities out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .dropout import Dropout
from .evidence import EvidenceTensors, evidence_loss
from .localised_context import EntityAttention, pair_attention
from .pooling import entity_weights, logsumexp_pool, span_weights
from .precision import Float32Linear, autocast

MAX_ATTENTION = 16_000_000  # attention of mentions to tokens that is in memory at once: 64 MB, a few times over
MAX_FOCUS = 8_000_000  # attention of pairs to tokens that is in memory at once: 32 MB


@dataclass(frozen=True)
class GridTensors:
    """`features.EntityGrid` on the head's device; the fields are described there."""

    tokens: Tensor
    mention_start: Tensor
    mention_end: Tensor
    mention_entity: Tensor
    types: Tensor
    entity_mask: Tensor
    distance_bucket: Tensor
    pair_doc: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    pair_row: Tensor


class DocREHead(nn.Module):
    """Localised context, pair features, axial attention, classifier.

    attention, pair_scorer, axial: the parts; `axial` may be None.
    token_width: width of the token vectors; hidden_width: of entity and pair vectors.
    n_labels: relation labels. Column 0 of the output is the threshold: learned, or the constant 0.
    max_pair_batch: pairs whose bilinear features are in memory at once (recomputed in the backward pass).
    max_entities_for_axial: documents with more go without axial attention.
    """

    def __init__(
        self,
        *,
        attention: EntityAttention,
        pair_scorer: nn.Module,
        axial: nn.Module | None,
        token_width: int,
        hidden_width: int,
        n_labels: int,
        learned_threshold: bool,
        n_type_rows: int,
        type_width: int,
        n_distances: int,
        max_pair_batch: int,
        max_entities_for_axial: int,
        precision: str,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.pair_scorer = pair_scorer
        self.axial = axial
        self.types = nn.EmbeddingBag(n_type_rows, type_width, mode="sum")
        # W[e; c] = W_e e + W_c c: the entity part once per entity, the context part once per token.
        self.entity_part = nn.Linear(token_width + type_width, 2 * hidden_width)
        self.context_part = nn.Linear(token_width, 2 * hidden_width, bias=False)
        self.distance = nn.Embedding(n_distances, hidden_width)
        self.pair_norm = nn.LayerNorm(hidden_width)
        self.norm = nn.LayerNorm(hidden_width)
        self.classifier = Float32Linear(hidden_width, n_labels + learned_threshold)
        self.dropout = Dropout(0.0)
        self.learned_threshold = learned_threshold
        self.n_labels = n_labels
        self.max_pair_batch = max_pair_batch
        self.max_entities_for_axial = max_entities_for_axial
        self.precision = precision
        # Wide enough that tanh and the products of the bilinear form are at work from the first step.
        for linear in (self.entity_part, self.context_part):
            nn.init.normal_(linear.weight, std=1.5 * linear.in_features**-0.5)
        nn.init.normal_(self.types.weight, std=0.5)
        nn.init.normal_(self.distance.weight, std=0.02)

    def set_dropout(self, rate: float) -> None:
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = rate

    def forward(
        self,
        tokens: Tensor,
        grids: Sequence[GridTensors],
        n_pairs: int,
        evidence: Sequence[EvidenceTensors] | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """tokens (n_tokens, token_width) of all documents -> PairLogits (n_pairs, 1 + n_labels), float32

        evidence: of each grid; then the loss of attention is returned too, a scalar.
        """
        if not grids:
            return tokens.new_zeros((0, 1 + self.n_labels)) + 0 * tokens.sum()
        shape = (n_pairs, 1 + self.n_labels)
        whole = None if torch.is_grad_enabled() else tokens.new_empty(shape, dtype=torch.float32)
        with autocast(self.precision, tokens.device):
            many = n_pairs > self.max_pair_batch
            parts, losses = [], []
            for i, grid in enumerate(grids):
                padded = pad_tokens(tokens, grid)
                entities, attention = self.read_entities(padded, grid)
                # Features are kept for the backward pass only if there are few, and few tokens for them to look at.
                recompute = self.training and (many or grid.distance_bucket.numel() * padded.shape[1] > MAX_FOCUS)
                for rows, logits in self.grid_logits(padded, entities, attention, grid, recompute):
                    if whole is None:
                        parts.append(logits)
                    else:
                        whole[grid.pair_row[rows]] = logits
                if evidence is not None:
                    losses.append(evidence_loss(attention, evidence[i]))
        if whole is None:
            rows_of_parts = torch.cat([grid.pair_row for grid in grids])
            logits = torch.cat(parts)
            whole = logits.new_empty(shape).index_copy(0, rows_of_parts, logits)
        return whole if evidence is None else (whole, torch.stack(losses).sum())

    def attention_of(self, tokens: Tensor, grid: GridTensors) -> Tensor:
        """tokens (n_tokens, token_width) -> attention of entities (n_docs, n_heads, n_entities, n_tokens)"""
        with autocast(self.precision, tokens.device):
            return self.read_entities(pad_tokens(tokens, grid), grid)[1]

    def grid_logits(
        self, padded: Tensor, entities: Tensor, attention: Tensor, grid: GridTensors, recompute: bool = False
    ) -> Iterator[tuple[slice, Tensor]]:
        """padded (n_docs, n_tokens, token_width), and what was read from it -> logits (n_rows, 1 + n_labels) of some
        pairs of the grid after others, and which pairs they are: of many pairs, they exist only once"""
        features = self.pair_features(padded, entities, attention, grid, recompute)
        n_entities = grid.entity_mask.shape[1]
        if self.axial is not None and n_entities <= self.max_entities_for_axial:
            features = self.axial(features, grid.entity_mask)
        for i in range(0, max(1, len(grid.pair_doc)), self.max_pair_batch):
            rows = slice(i, i + self.max_pair_batch)
            logits = self.classify(features, grid, rows)
            if not self.learned_threshold:
                logits = torch.cat([logits.new_zeros((len(logits), 1)), logits], dim=1)
            yield rows, logits

    def classify(self, features: Tensor, grid: GridTensors, rows: slice) -> Tensor:
        """Logits of some pairs of the grid (n_rows, n_labels + learned_threshold)"""
        pairs = features[grid.pair_doc[rows], grid.pair_head[rows], grid.pair_tail[rows]]  # (n_rows, hidden_width)
        return self.classifier(self.norm(pairs.float()))

    def pair_features(
        self, padded: Tensor, entities: Tensor, attention: Tensor, grid: GridTensors, recompute: bool = False
    ) -> Tensor:
        """-> (n_docs, n_entities, n_entities, hidden_width), for every cell, the diagonal too"""
        own = self.entity_part(self.dropout(entities)).float()  # (n_docs, n_entities, 2 · hidden_width)
        context = self.context_part(self.dropout(padded))  # (n_docs, n_tokens, 2 · hidden_width)
        n_docs, n_entities = grid.entity_mask.shape
        n_cells = n_docs * n_entities
        n_rows = max(1, min(self.max_pair_batch // n_cells, MAX_FOCUS // (n_cells * padded.shape[1])))
        chunks = []
        whole = None if torch.is_grad_enabled() else own.new_empty((n_docs, n_entities, n_entities, own.shape[-1] // 2))
        for i in range(0, n_entities, n_rows):
            rows = slice(i, i + n_rows)
            args = (own[:, rows], attention[:, :, rows], own, attention, context, grid.distance_bucket[:, rows])
            features = self._run(self.row_features, *args, recompute=recompute)
            if whole is None:
                chunks.append(features)
            else:
                whole[:, rows] = features
        return torch.cat(chunks, dim=1) if whole is None else whole

    def read_entities(self, padded: Tensor, grid: GridTensors) -> tuple[Tensor, Tensor]:
        """Entity vectors with their types (n_docs, n_entities, token_width + type_width), and
        their attention over tokens (n_docs, n_heads, n_entities, n_tokens)."""
        token_mask = (padded != 0).any(-1)
        weights = span_weights(grid.mention_start, grid.mention_end, token_mask)
        mentions = torch.bmm(weights.to(padded.dtype), padded).float()  # (n_docs, n_mentions, token_width)
        usable = weights.any(-1) & (grid.mention_entity >= 0)
        n_entities = grid.entity_mask.shape[1]
        entities = logsumexp_pool(mentions, grid.mention_entity, usable, n_entities)
        types = self.types(grid.types.flatten(0, 1)).unflatten(0, grid.types.shape[:2])
        member = entity_weights(grid.mention_entity, usable, n_entities)
        attention = self.entity_attention(mentions, grid.mention_start, padded, token_mask, member)
        return torch.cat([entities, types], -1), attention

    def entity_attention(
        self, mentions: Tensor, mention_start: Tensor, padded: Tensor, token_mask: Tensor, member: Tensor
    ) -> Tensor:
        """The mean attention of the mentions of each entity: (n_docs, n_heads, n_entities, n_tokens). That of many
        mentions exists only in part at a time, and is computed again in the backward pass."""
        n_docs, n_tokens = token_mask.shape
        n_mentions = mentions.shape[1]
        most = MAX_ATTENTION // (n_docs * self.attention.n_heads * n_tokens)
        at_once = max(1, most)

        def share_of(i: int) -> Tensor:
            some = slice(i, i + at_once)
            attention = self.attention(mentions[:, some], mention_start[:, some], padded, token_mask)
            # In float32: what two entities have in common may be too small for float16, and so is its gradient.
            with torch.autocast(device_type=padded.device.type, enabled=False):
                return torch.matmul(member[:, :, some].unsqueeze(1).float(), attention.float())

        recompute = n_mentions > at_once
        total = self._run(share_of, 0, recompute=recompute)
        for i in range(at_once, n_mentions, at_once):
            total += self._run(share_of, i, recompute=recompute)
        return total

    def row_features(
        self, head: Tensor, head_attention: Tensor, tail: Tensor, tail_attention: Tensor, context: Tensor,
        distance_bucket: Tensor,
    ) -> Tensor:  # fmt: skip
        """Features of the pairs of some heads with all tails: (n_docs, n_rows, n_entities, hidden_width)"""
        shape = (head.shape[1], tail.shape[1])
        focus = pair_attention(head_attention, tail_attention)  # (n_docs, n_rows · n_entities, n_tokens)
        seen = torch.bmm(focus.to(context.dtype), context).unflatten(1, shape)
        seen_as_head, seen_as_tail = seen.chunk(2, -1)  # each (n_docs, n_rows, n_entities, hidden_width)
        z_head = torch.tanh(head.chunk(2, -1)[0].unsqueeze(2) + seen_as_head)
        z_tail = torch.tanh(tail.chunk(2, -1)[1].unsqueeze(1) + seen_as_tail)
        features = self.pair_scorer(self.dropout(z_head), self.dropout(z_tail))
        return self.pair_norm(features + self.distance(distance_bucket))

    def _run(self, function: Callable[..., Tensor], *args: Tensor | int, recompute: bool) -> Tensor:
        if recompute and torch.is_grad_enabled():
            return checkpoint(function, *args, use_reentrant=False)
        return function(*args)


def pad_tokens(tokens: Tensor, grid: GridTensors) -> Tensor:
    """tokens (n_tokens, token_width) of the batch -> those of a grid (n_docs, longest, token_width), 0 for padding"""
    if len(grid.tokens) == 1:  # a document alone has no padding, and needs no copy
        return tokens[grid.tokens[0, 0] :][: grid.tokens.shape[1]].unsqueeze(0)
    there = (grid.tokens >= 0).unsqueeze(-1)
    return torch.where(there, tokens[grid.tokens], 0.0)
