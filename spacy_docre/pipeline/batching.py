"""Batches of bounded cost, and worker processes that do not hang."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from spacy.tokens import Doc

from ..annotations import entities_or_ents, get_entity_ids, has_mentions

MAX_CELLS = 16384  # entity × entity cells of documents predicted together; their logits take 400 bytes each


def batch_by_cost(docs: Sequence[Doc], max_cells: int) -> Iterator[list[Doc]]:
    """The documents by number of entities, in batches of at most `max_cells` cells, or one document."""
    sized = sorted((count_entities(doc), i) for i, doc in enumerate(docs))
    batch: list[Doc] = []
    cells = 0
    for n_entities, i in sized:
        if batch and cells + n_entities**2 > max_cells:
            yield batch
            batch, cells = [], 0
        batch.append(docs[i])
        cells += n_entities**2
    if batch:
        yield batch


def count_entities(doc: Doc) -> int:
    return len(get_entity_ids(doc) if has_mentions(doc) else entities_or_ents(doc))


@lru_cache
def single_thread_in_workers() -> None:
    """`nlp.pipe(n_process=2)` hangs when torch has several threads in forked processes."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
