"""Batches of bounded cost, and worker processes that do not hang."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from spacy.tokens import Doc

from ..annotations import entities_or_ents

MAX_CELLS = 16384  # entity × entity cells of documents predicted together; their logits take 400 bytes each


def batch_by_cost(docs: Sequence[Doc], max_cells: int) -> Iterator[list[Doc]]:
    """The documents by number of entities, in batches of at most `max_cells` cells, or one document."""
    sized = sorted(((len(entities_or_ents(doc)), i) for i, doc in enumerate(docs)))
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


@lru_cache
def single_thread_in_workers() -> None:
    """`nlp.pipe(n_process=2)` hangs when torch has several threads in forked processes."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
