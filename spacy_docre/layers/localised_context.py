"""Which tokens matter to an entity, and which to a pair of entities."""

import torch
from torch import Tensor, nn

from ..errors import Errors
from ..masking import masked_softmax


class EntityAttention(nn.Module):
    """Multi-head attention from the mentions of each entity to all tokens of the document.

    ATLOP (Zhou et al. 2021, §3.2) reads it off the encoder's last layer; here it is learned, so that it
    works on any token vectors and gets a gradient. A learned bias by distance lets a head look nearby; it
    starts with some heads looking nearby (`locality`), as in ALiBi (Press et al. 2022).
    """

    def __init__(
        self, *, token_width: int, n_heads: int, head_width: int, n_distances: int = 24, locality: float = 0.0
    ) -> None:
        super().__init__()
        if n_distances < 2:
            raise ValueError(Errors.E081.format(name="n_distances", expected=">= 2", value=n_distances))
        self.n_heads = n_heads
        self.head_width = head_width
        self.query = nn.Linear(token_width, n_heads * head_width)
        self.key = nn.Linear(token_width, n_heads * head_width)
        self.distance = nn.Embedding(n_distances, n_heads)
        with torch.no_grad():
            self.distance.weight.copy_(self._falling_off(locality))

    def forward(self, mentions: Tensor, mention_start: Tensor, tokens: Tensor, token_mask: Tensor) -> Tensor:
        """Attention of each mention over the tokens: rows sum to 1.

        mentions (n_docs, n_mentions, token_width), mention_start (n_docs, n_mentions),
        tokens (n_docs, n_tokens, token_width), token_mask (n_docs, n_tokens)
        -> (n_docs, n_heads, n_mentions, n_tokens)
        """
        query = self._split(self.query(mentions))  # (n_docs, n_heads, n_mentions, head_width)
        key = self._split(self.key(tokens))  # (n_docs, n_heads, n_tokens, head_width)
        scores = (query @ key.transpose(-1, -2)).float() * self.head_width**-0.5
        bias = self.distance(self._bucket(mention_start, tokens.shape[1]))
        scores = scores + bias.permute(0, 3, 1, 2)
        return masked_softmax(scores, token_mask[:, None, None, :])

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, self.head_width)).transpose(1, 2)

    def _falling_off(self, locality: float) -> Tensor:
        """First weights of the distance bias (n_distances, n_heads): -slope · log2(distance) with slopes from 0 for the
        first head to `locality` for the last, so attention falls off as distance ** (-1.44 · slope)."""
        n_distances = self.distance.num_embeddings
        doublings = torch.arange(n_distances) % (n_distances // 2)
        return -doublings.unsqueeze(1) * torch.linspace(0.0, locality, self.n_heads)

    def _bucket(self, mention_start: Tensor, n_tokens: int) -> Tensor:
        """Signed distance in doublings: one half of the buckets before the mention, one after it."""
        half = self.distance.num_embeddings // 2
        position = torch.arange(n_tokens, device=mention_start.device)
        offset = position - mention_start.unsqueeze(-1)  # (n_docs, n_mentions, n_tokens)
        size = (offset.abs() + 1).float().log2().long().clamp(max=half - 1)
        return torch.where(offset < 0, size + half, size)


def pair_attention(head: Tensor, tail: Tensor) -> Tensor:
    """The tokens that both entities of a pair look at: `q = Σ_heads A_h ⊙ A_t`, normalised to sum 1.

    ATLOP, eq. 10-11. head (n_docs, n_heads, n_rows, n_tokens), tail (n_docs, n_heads, n_entities, n_tokens)
    -> (n_docs, n_rows · n_entities, n_tokens); zeros where the two have nothing in common.
    """
    # In float32: products of attentions, and their sums, are beyond what float16 can hold.
    with torch.autocast(device_type=head.device.type, enabled=False):
        both = torch.einsum("dkit,dkjt->dijt", head.float(), tail.float()).flatten(1, 2)
    return both / both.sum(-1, keepdim=True).clamp(min=1e-10)
