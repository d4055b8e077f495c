"""Which sentences speak for a relation: those that name both entities, or else the nearest two.

On our 100 dev documents of Re-DocRED this rule, applied to the gold facts, gives 0.83 F1
against the annotators' evidence; the attention that pairs pay to sentences gives 0.42
(benchmarks/evidence.py).
"""

import warnings
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import Entity
from ..errors import Warnings

WINDOW = 32  # tokens that stand for a sentence, where a document has none

TokenRange = tuple[int, int]


class Evidence:
    """Evidence for the pairs of one document's entities.

    Sentences are the document's own, or windows of 32 tokens where it has none (said in a warning).
    """

    def __init__(self, doc: Doc, entities: Iterable[Entity]) -> None:
        self.starts, self.n_tokens = sentence_starts(doc), len(doc)
        self.sentences = [self._sentences_of(entity) for entity in entities]

    def __call__(self, head: int, tail: int) -> list[TokenRange]:
        """The sentences for a pair of entities, by their numbers, as token ranges in order."""
        chosen = choose_sentences(self.sentences[head], self.sentences[tail])
        ends = [*self.starts[1:], self.n_tokens]
        return [(self.starts[i], ends[i]) for i in chosen]

    def _sentences_of(self, entity: Entity) -> NDArray[np.int64]:
        """The numbers of the sentences that name an entity, ascending."""
        return np.unique([bisect_right(self.starts, mention.start) - 1 for mention in entity.mentions])


def choose_sentences(head: NDArray[np.int64], tail: NDArray[np.int64]) -> list[int]:
    """All sentences that name both; or else one that names each, nearest to each other, the first such two.

    head, tail: ascending numbers of the sentences that name each entity, at least one. ([1, 4], [4, 6]) gives [4],
    ([1, 4], [2, 6]) gives [1, 2].
    """
    both = np.intersect1d(head, tail, assume_unique=True)
    if len(both):
        return both.tolist()
    merged = np.concatenate([head, tail])
    is_head = np.arange(len(merged)) < len(head)
    order = np.argsort(merged, kind="stable")
    merged, is_head = merged[order], is_head[order]
    # the nearest two stand side by side, one of each
    gaps = np.where(is_head[1:] != is_head[:-1], np.diff(merged), np.iinfo(np.int64).max)
    nearest = int(gaps.argmin())
    return merged[nearest : nearest + 2].tolist()


def sentence_starts(doc: Doc) -> list[int]:
    """The first tokens of the document's sentences, or of windows, with a warning (shown once by default)."""
    if doc.has_annotation("SENT_START"):
        return [0, *(token.i for token in doc[1:] if token.is_sent_start)]
    warnings.warn(Warnings.W009.format(window=WINDOW), stacklevel=2)
    return list(range(0, max(1, len(doc)), WINDOW))
