"""Docs to index arrays: everything the model knows of a batch beside its token vectors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import Entity, entities_or_ents

Ints = NDArray[np.int64]
N_TYPE_HASHES = 4  # rows of the type embedding that one entity type adds up


@dataclass(frozen=True)
class DocEntities:
    """One document's entities as arrays; mentions are sorted by entity.

    n_tokens: length of the document
    ids: entity ids (n_entities,)
    types: hash of each entity's type (n_entities,), uint64
    mention_start, mention_end: token offsets, end exclusive (n_mentions,)
    mention_entity: index of the mention's entity (n_mentions,)
    """

    n_tokens: int
    ids: tuple[str, ...]
    types: NDArray[np.uint64]
    mention_start: Ints
    mention_end: Ints
    mention_entity: Ints

    @classmethod
    def from_doc(cls, doc: Doc, entities: Sequence[Entity] | None = None) -> "DocEntities":
        if entities is None:
            entities = entities_or_ents(doc)
        mentions = [(m.start, m.end, i) for i, e in enumerate(entities) for m in e.mentions]
        columns = np.array(mentions, dtype=np.int64).reshape(-1, 3)
        types = [doc.vocab.strings[e.label] if e.label else 0 for e in entities]
        return cls(
            n_tokens=len(doc),
            ids=tuple(e.id for e in entities),
            types=np.array(types, dtype=np.uint64),
            mention_start=columns[:, 0],
            mention_end=columns[:, 1],
            mention_entity=columns[:, 2],
        )

    @property
    def n_entities(self) -> int:
        return len(self.ids)

    @property
    def n_pairs(self) -> int:
        return self.n_entities * (self.n_entities - 1)

    @cached_property
    def distances(self) -> Ints:
        """Tokens between the nearest mentions of two entities (n_entities, n_entities); 0 if they touch or overlap."""
        if not self.n_entities:
            return np.zeros((0, 0), dtype=np.int64)
        start, end = self.mention_start, self.mention_end
        gap = np.maximum(start[None, :] - end[:, None], start[:, None] - end[None, :]).clip(0)
        first = np.flatnonzero(np.diff(self.mention_entity, prepend=-1))
        return np.minimum.reduceat(np.minimum.reduceat(gap, first, axis=0), first, axis=1)


def off_diagonal(n_entities: int) -> tuple[Ints, Ints]:
    """Head and tail index of every ordered pair of different entities, row-major: each (n·(n-1),)."""
    pair = np.arange(n_entities * (n_entities - 1))
    head, tail = np.divmod(pair, max(1, n_entities - 1))
    return head, tail + (tail >= head)


@dataclass(frozen=True)
class PairBatch:
    """The entities of a batch of documents, and their pairs: row-major, document after document."""

    docs: tuple[DocEntities, ...]

    @classmethod
    def from_docs(cls, docs: Iterable[Doc], entities: Iterable[Sequence[Entity]] | None = None) -> "PairBatch":
        """entities: those of each document, where they have been read already"""
        read = repeat(None) if entities is None else entities
        return cls(tuple(DocEntities.from_doc(doc, given) for doc, given in zip(docs, read)))

    @cached_property
    def n_pairs(self) -> Ints:
        """Pairs in each document (n_docs,)."""
        return np.array([d.n_pairs for d in self.docs], dtype=np.int64)

    def split(self, rows: NDArray) -> list[NDArray]:
        """Split an array of all pairs (n_pairs, …) into one for each document."""
        return np.split(rows, np.cumsum(self.n_pairs)[:-1]) if self.docs else []

    def groups(self, *, max_cells: int, max_tokens: int, max_padding: float, never_across: int = 0) -> Iterator[Ints]:
        """Indices of documents to be computed together, the small ones first.

        Documents without a pair are left out. A group has at most `max_cells` cells (entity × entity,
        padded to its largest document) and `max_tokens` tokens (padded too), unless it is one document, and at
        most `max_padding` of padding
        (0.25: a quarter more cells than without). Documents with up to `never_across` entities are not mixed
        with larger ones.
        """
        sizes = np.array([d.n_entities for d in self.docs], dtype=np.int64)
        lengths = np.array([d.n_tokens for d in self.docs], dtype=np.int64)
        group: list[int] = []
        cells = longest = 0
        for i in np.lexsort((lengths, sizes)):
            n = int(sizes[i])
            if n < 2:
                continue
            longest = max(longest, int(lengths[i]))
            padded = (len(group) + 1) * n * n
            crossed = bool(group) and sizes[group[-1]] <= never_across < n
            too_long = (len(group) + 1) * longest > max_tokens
            too_large = padded > max_cells or padded > (1 + max_padding) * (cells + n * n)
            if group and (crossed or too_long or too_large):
                yield np.array(group)
                group, cells, longest = [], 0, int(lengths[i])
            group.append(int(i))
            cells += n * n
        if group:
            yield np.array(group)


@dataclass(frozen=True)
class EntityGrid:
    """The arrays of one group of documents, padded to the largest. Padding has token and entity -1.

    tokens: row of each token among the batch's token vectors (n_docs, n_tokens)
    mention_start, mention_end: token offsets, 0 for padding (n_docs, n_mentions)
    mention_entity: index of the entity, -1 for padding (n_docs, n_mentions)
    types: rows of the type embedding (n_docs, n_entities, N_TYPE_HASHES)
    entity_mask: which entities are there (n_docs, n_entities)
    distance_bucket: 0 for touching or overlapping, then one more for each doubling (n_docs, n_entities, n_entities)
    pair_doc, pair_head, pair_tail: the cells that are pairs, document after document (n_pairs,)
    pair_row: place of each of those in the batch's PairLogits (n_pairs,)
    """

    tokens: Ints
    mention_start: Ints
    mention_end: Ints
    mention_entity: Ints
    types: Ints
    entity_mask: NDArray[np.bool_]
    distance_bucket: Ints
    pair_doc: Ints
    pair_head: Ints
    pair_tail: Ints
    pair_row: Ints


def build_grid(batch: PairBatch, group: Ints, *, n_type_rows: int, n_buckets: int) -> EntityGrid:
    """The padded arrays of the documents `group` of a batch."""
    docs = [batch.docs[i] for i in group]
    first_token = np.cumsum([0] + [d.n_tokens for d in batch.docs])[group]
    first_row = np.cumsum([0, *batch.n_pairs])[group]
    pairs = [off_diagonal(d.n_entities) for d in docs]
    n_pairs = [len(head) for head, _ in pairs]
    return EntityGrid(
        tokens=pad([start + np.arange(d.n_tokens) for start, d in zip(first_token, docs)], -1),
        mention_start=pad([d.mention_start for d in docs], 0),
        mention_end=pad([d.mention_end for d in docs], 0),
        mention_entity=pad([d.mention_entity for d in docs], -1),
        types=pad([hash_types(d.types, n_type_rows) for d in docs], 0),
        entity_mask=pad([np.ones(d.n_entities, dtype=bool) for d in docs], False),
        distance_bucket=pad_squares([bucket(d.distances, n_buckets) for d in docs]),
        pair_doc=np.repeat(np.arange(len(docs)), n_pairs),
        pair_head=np.concatenate([head for head, _ in pairs]),
        pair_tail=np.concatenate([tail for _, tail in pairs]),
        pair_row=np.concatenate([row + np.arange(n) for row, n in zip(first_row, n_pairs)]),
    )


def bucket(distance: Ints, n_buckets: int) -> Ints:
    """0, 1, 2-3, 4-7, … tokens -> 0, 1, 2, 3, …, at most n_buckets - 1."""
    return np.minimum(np.frexp(distance.astype(np.float64))[1], n_buckets - 1).astype(np.int64)


def hash_types(types: NDArray[np.uint64], n_rows: int) -> Ints:
    """Rows of a Bloom embedding: N_TYPE_HASHES for each type (n_entities, N_TYPE_HASHES).

    Any type has rows, so there is no vocabulary; two types share all rows practically never.
    """
    shifts = np.arange(N_TYPE_HASHES, dtype=np.uint64) * np.uint64(16)
    mixed = (types[:, None] >> shifts) & np.uint64(0xFFFF)
    return (mixed % np.uint64(n_rows)).astype(np.int64)


def pad(rows: Sequence[NDArray], value: int | bool) -> NDArray:
    """Stack arrays of different lengths: (n, longest, …)."""
    longest = max(len(r) for r in rows)
    out = np.full((len(rows), longest, *rows[0].shape[1:]), value, dtype=rows[0].dtype)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def pad_squares(squares: Sequence[Ints]) -> Ints:
    longest = max(len(s) for s in squares)
    out = np.zeros((len(squares), longest, longest), dtype=np.int64)
    for i, square in enumerate(squares):
        out[i, : len(square), : len(square)] = square
    return out
