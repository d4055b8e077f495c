"""Which sentences speak for a relation: those that name both entities, or else the nearest two; and where attention has
learned from evidence, those that the pair looks at.

For the gold facts of our 100 dev documents of Re-DocRED (benchmarks/evidence.py) the rule alone has an F1 of 0.83
against the annotators' evidence, attention that was not taught 0.75, both together where it was 0.85.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import SENT_START
from spacy.tokens import Doc

from ..annotations import Entity
from ..errors import Warnings, warn_once
from ..types import TokenRange

WINDOW = 32  # tokens that stand for a sentence, where a document has none

BEYOND_RULE, WITHIN_RULE = 0.3, 0.1  # least share of attention, of other sentences, and of those that the rule names


class Evidence:
    """Evidence for the pairs of one document's entities.

    Sentences are the document's own, or windows of 32 tokens where it has none (said in a warning).
    """

    def __init__(self, doc: Doc, entities: Iterable[Entity]) -> None:
        self.starts, self.n_tokens = sentence_starts(doc), len(doc)
        self.ends = [*self.starts[1:], self.n_tokens]
        self.sentences = [self._sentences_of(entity) for entity in entities]

    def __call__(self, head: int, tail: int) -> list[TokenRange]:
        """The sentences for a pair of entities, by their numbers, as token ranges in order."""
        return self.ranges(choose_sentences(self.sentences[head], self.sentences[tail]))

    def by_attention(self, head: int, tail: int, shares: NDArray[np.float32]) -> list[TokenRange]:
        """The same, by what the pair looks at where that was learned: shares of its attention (n_sentences,)."""
        rule = choose_sentences(self.sentences[head], self.sentences[tail])
        least = np.full(len(shares), BEYOND_RULE)
        least[rule] = WITHIN_RULE
        return self.ranges(np.flatnonzero(shares > least).tolist() or rule)

    def ranges(self, sentences: Iterable[int]) -> list[TokenRange]:
        return [(self.starts[i], self.ends[i]) for i in sentences]

    def _sentences_of(self, entity: Entity) -> list[int]:
        """The numbers of the sentences that name an entity, ascending."""
        return sorted({bisect_right(self.starts, mention.start) - 1 for mention in entity.mentions})


def choose_sentences(head: Sequence[int], tail: Sequence[int]) -> list[int]:
    """All sentences that name both; or else one that names each, nearest to each other, the first such two.

    head, tail: ascending numbers of the sentences that name each entity, at least one. ([1, 4], [4, 6]) gives [4],
    ([1, 4], [2, 6]) gives [1, 2].
    """
    both = set(head).intersection(tail)
    if both:
        return sorted(both)
    # the nearest two stand side by side, one of each
    merged = sorted([*((i, True) for i in head), *((i, False) for i in tail)])
    beside = (
        (second - first, first, second)
        for (first, is_head), (second, next_is_head) in pairwise(merged)
        if is_head != next_is_head
    )
    return list(min(beside)[1:])


def sentence_starts(doc: Doc) -> list[int]:
    """The first tokens of the document's sentences, or of windows, with one warning in a process."""
    if doc.has_annotation("SENT_START"):
        return [0, *(np.flatnonzero(doc.to_array(SENT_START)[1:] == 1) + 1).tolist()]
    warn_once(Warnings.W009.format(window=WINDOW), stacklevel=2)
    return list(range(0, max(1, len(doc)), WINDOW))
