"""Batcher `spacy-docre.batch_by_pairs.v1`."""

from collections.abc import Callable, Iterable, Iterator

from spacy.training import Example

from ..annotations import entities_or_ents
from ..errors import Errors


def create_batch_by_pairs_v1(
    max_docs: int = 4, max_pairs: int = 4000
) -> Callable[[Iterable[Example]], Iterator[list[Example]]]:
    """Batches of at most `max_docs` documents and `max_pairs` pairs of entities.

    The documents keep their order. One document with more pairs is a batch of its own: none is dropped.
    """
    for name, value in (("max_docs", max_docs), ("max_pairs", max_pairs)):
        if value < 1:
            raise ValueError(Errors.E081.format(name=name, expected=">= 1", value=value))

    def batch_by_pairs(examples: Iterable[Example]) -> Iterator[list[Example]]:
        batch: list[Example] = []
        n_pairs = 0
        for example in examples:
            n_entities = len(entities_or_ents(example.predicted)) or len(entities_or_ents(example.reference))
            pairs = n_entities * (n_entities - 1)
            if batch and (len(batch) == max_docs or n_pairs + pairs > max_pairs):
                yield batch
                batch, n_pairs = [], 0
            batch.append(example)
            n_pairs += pairs
        if batch:
            yield batch

    return batch_by_pairs
