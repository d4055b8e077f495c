"""Docs to arrays: pair order, distances, groups, padding."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import set_entities
from spacy_docre.features.pair_batch import (
    N_TYPE_HASHES,
    DocEntities,
    PairBatch,
    bucket,
    build_grid,
    hash_types,
    off_diagonal,
)

VOCAB = Vocab()


def make_doc(n_entities: int, n_tokens: int = 60, seed: int = 0) -> Doc:
    """Entities with 1 to 4 mentions of 1 to 3 tokens, anywhere."""
    rng = random.Random(seed)
    doc = Doc(VOCAB, words=["word"] * n_tokens)
    starts = [[rng.randrange(n_tokens - 3) for _ in range(rng.randint(1, 4))] for _ in range(n_entities)]
    set_entities(doc, [[Span(doc, s, s + rng.randint(1, 3), label="PER") for s in entity] for entity in starts])
    return doc


def batch_of(*sizes: int) -> PairBatch:
    return PairBatch.from_docs(make_doc(n, seed=seed) for seed, n in enumerate(sizes))


def test_entities_of_a_doc(ada):
    """She (7-8) belongs to Ada Lovelace (0-2); mentions are sorted by entity."""
    entities = DocEntities.from_doc(ada)
    assert (entities.n_tokens, entities.ids, entities.n_entities, entities.n_pairs) == (
        13,
        ("0", "1", "2"),
        3,
        6,
    )
    assert entities.mention_start.tolist() == [0, 7, 5, 10]
    assert entities.mention_end.tolist() == [2, 8, 6, 12]
    assert entities.mention_entity.tolist() == [0, 0, 1, 2]
    assert [ada.vocab.strings[int(t)] for t in entities.types] == ["PER", "LOC", "PER"]


def test_interleaved_mentions_are_sorted_by_entity():
    doc = Doc(VOCAB, words=["a", "b", "c", "d"])
    doc.spans["docre_mentions"] = [Span(doc, i, i + 1, span_id=id_) for i, id_ in enumerate("xyxy")]
    entities = DocEntities.from_doc(doc)
    assert entities.ids == ("x", "y")
    assert entities.mention_entity.tolist() == [0, 0, 1, 1]
    assert entities.mention_start.tolist() == [0, 2, 1, 3]
    assert entities.types.tolist() == [0, 0]


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_pairs_are_row_major_without_the_diagonal(n):
    head, tail = off_diagonal(n)
    assert list(zip(head, tail)) == [(h, t) for h in range(n) for t in range(n) if h != t]


def test_distances_by_hand(ada):
    """Ada (0-2), she (7-8); London (5-6); Babbage (10-12): she is 1 token from London and 2 from Babbage"""
    assert DocEntities.from_doc(ada).distances.tolist() == [[0, 1, 2], [1, 0, 4], [2, 4, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_distances_equal_loops_over_mentions(seed):
    doc = make_doc(6, seed=seed)
    entities = doc._.docre_entities
    distances = DocEntities.from_doc(doc).distances
    for i, head in enumerate(entities):
        for j, tail in enumerate(entities):
            gaps = [max(0, a.start - b.end, b.start - a.end) for a in head.mentions for b in tail.mentions]
            assert distances[i, j] == min(gaps)


def test_buckets_double():
    distance = np.array([0, 1, 2, 3, 4, 7, 8, 15, 16, 1000, 1 << 29])
    assert bucket(distance, 100).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 5, 10, 30]
    assert bucket(distance, 4).tolist() == [0, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3]


def test_type_rows_are_stable_within_bounds_and_apart():
    names = [f"TYPE{i}" for i in range(200)]
    hashes = np.array([VOCAB.strings.add(name) for name in names], dtype=np.uint64)
    rows = hash_types(hashes, 512)
    assert rows.shape == (200, N_TYPE_HASHES)
    assert rows.min() >= 0
    assert rows.max() < 512
    assert len({tuple(sorted(row)) for row in rows.tolist()}) == 200
    assert np.array_equal(hash_types(hashes[:3], 512), rows[:3])


def test_batch_counts_and_splits_pairs():
    batch = batch_of(3, 0, 1, 2)
    assert batch.n_pairs.tolist() == [6, 0, 0, 2]
    assert [part.tolist() for part in batch.split(np.arange(8))] == [[0, 1, 2, 3, 4, 5], [], [], [6, 7]]


def test_an_empty_batch_has_nothing():
    batch = PairBatch.from_docs([])
    assert batch.n_pairs.sum() == 0
    assert batch.split(np.zeros((0, 3))) == []
    assert list(batch.groups(max_cells=10, max_tokens=10**9, max_padding=0.25)) == []


def test_groups_by_hand():
    """Sorted 2, 2, 3, 4. 2, 2, 3 pad 4 + 4 + 9 cells to 27, 3, 4 pad 9 + 16 to 32: more than a quarter."""
    batch = batch_of(3, 2, 4, 2, 1)
    assert [g.tolist() for g in batch.groups(max_cells=100, max_tokens=10**9, max_padding=0.25)] == [[1, 3], [0], [2]]
    assert [g.tolist() for g in batch.groups(max_cells=100, max_tokens=10**9, max_padding=10)] == [[1, 3, 0, 2]]
    assert [g.tolist() for g in batch.groups(max_cells=27, max_tokens=10**9, max_padding=10)] == [[1, 3, 0], [2]]
    assert [g.tolist() for g in batch.groups(max_cells=1, max_tokens=10**9, max_padding=10)] == [[1], [3], [0], [2]]


def fake_batch(sizes: list[int]) -> PairBatch:
    """Entities without mentions: grouping asks for their number only."""
    nothing = np.zeros(0, dtype=np.int64)
    docs = (DocEntities(9, tuple(map(str, range(n))), nothing, nothing, nothing, nothing) for n in sizes)
    return PairBatch(tuple(docs))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 3000), st.floats(0, 1))
def test_groups_keep_their_bounds(sizes, max_cells, max_padding):
    groups = [
        g.tolist() for g in fake_batch(sizes).groups(max_cells=max_cells, max_tokens=10**9, max_padding=max_padding)
    ]
    assert sorted(i for g in groups for i in g) == [i for i, n in enumerate(sizes) if n >= 2]
    assert [sizes[i] for g in groups for i in g] == sorted(n for n in sizes if n >= 2)
    for group in groups:
        padded = len(group) * max(sizes[i] for i in group) ** 2
        assert len(group) == 1 or padded <= max_cells
        assert padded <= (1 + max_padding) * sum(sizes[i] ** 2 for i in group)


def test_grid_by_hand(ada):
    """A document of 2 tokens and 2 entities first: Ada's tokens are rows 2 to 14, her pairs 2 to 7."""
    small = Doc(VOCAB, words=["a", "b"])
    set_entities(small, [[Span(small, 0, 1)], [Span(small, 1, 2)]])
    batch = PairBatch.from_docs([small, Doc(VOCAB), ada])
    grid = build_grid(batch, np.array([0, 2]), n_type_rows=512, n_buckets=14)
    assert grid.tokens.tolist() == [[0, 1] + [-1] * 11, list(range(2, 15))]
    assert grid.mention_start.tolist() == [[0, 1, 0, 0], [0, 7, 5, 10]]
    assert grid.mention_end.tolist() == [[1, 2, 0, 0], [2, 8, 6, 12]]
    assert grid.mention_entity.tolist() == [[0, 1, -1, -1], [0, 0, 1, 2]]
    assert grid.entity_mask.tolist() == [[True, True, False], [True] * 3]
    assert grid.distance_bucket.tolist() == [[[0] * 3] * 3, [[0, 1, 2], [1, 0, 3], [2, 3, 0]]]
    assert grid.pair_doc.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert grid.pair_head.tolist() == [0, 1, 0, 0, 1, 1, 2, 2]
    assert grid.pair_tail.tolist() == [1, 0, 1, 2, 0, 2, 0, 1]
    assert grid.pair_row.tolist() == list(range(8))


def test_groups_together_have_every_pair_once():
    batch = batch_of(4, 0, 7, 2, 1, 5, 4)
    groups = list(batch.groups(max_cells=60, max_tokens=10**9, max_padding=0.25))
    grids = [build_grid(batch, group, n_type_rows=512, n_buckets=14) for group in groups]
    assert len(grids) > 1
    rows = np.concatenate([grid.pair_row for grid in grids])
    assert sorted(rows.tolist()) == list(range(batch.n_pairs.sum()))
    first_row = np.cumsum([0, *batch.n_pairs])
    for group, grid in zip(groups, grids):
        n = np.array([d.n_entities for d in batch.docs])[group[grid.pair_doc]]
        within = grid.pair_head * (n - 1) + grid.pair_tail - (grid.pair_tail > grid.pair_head)
        assert np.array_equal(grid.pair_row, first_row[group[grid.pair_doc]] + within)


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_any_number_of_entities(n):
    batch = PairBatch.from_docs([make_doc(n, n_tokens=2000)])
    assert batch.n_pairs.tolist() == [n * (n - 1)]
    assert batch.docs[0].distances.shape == (n, n)
    groups = list(batch.groups(max_cells=4096, max_tokens=10**9, max_padding=0.25))
    assert [g.tolist() for g in groups] == ([[0]] if n >= 2 else [])
    for group in groups:
        grid = build_grid(batch, group, n_type_rows=512, n_buckets=14)
        assert grid.distance_bucket.shape == (1, n, n)
        assert grid.pair_row.tolist() == list(range(n * (n - 1)))


def test_entities_that_are_given_win():
    doc = make_doc(3)
    given = doc._.docre_entities[1:]
    assert DocEntities.from_doc(doc, given).ids == ("1", "2")
    assert DocEntities.from_doc(doc, []).n_pairs == 0


def test_doc_ents_where_nobody_set_entities():
    doc = Doc(VOCAB, words=["Ada", "met", "Babbage", ".", "Ada", "left"])
    doc.ents = [Span(doc, i, i + 1, label="PER") for i in (0, 2, 4)]
    entities = DocEntities.from_doc(doc)
    assert entities.ids == ("0", "1")
    assert entities.mention_entity.tolist() == [0, 0, 1]


def test_one_long_document_does_not_make_the_others_long():
    """20 documents of 10 tokens and one of 1,000, two entities each: at most 100 padded tokens, or one document"""
    nothing = np.zeros(0, dtype=np.int64)
    docs = tuple(DocEntities(n, ("0", "1"), *[nothing] * 4) for n in [10] * 20 + [1000])
    groups = list(PairBatch(docs).groups(max_cells=1000, max_tokens=100, max_padding=0.25))
    assert [len(group) for group in groups] == [10, 10, 1]
    assert groups[-1].tolist() == [20]
