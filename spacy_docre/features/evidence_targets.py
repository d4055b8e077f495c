"""Which tokens annotators name as evidence for a pair of entities: what attention can learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import char_offsets, get_relations, same_tokens
from .pair_batch import Ints
from .targets import reference_ids


@dataclass(frozen=True)
class EvidenceRows:
    """One row for each token range that speaks for a pair of entities of a batch, in the order of the documents.

    doc, head, tail: index of the document, and of the two of its entities (n_rows,)
    start, end: tokens of the document, end exclusive (n_rows,)
    weight: 1 / number of ranges of the pair (n_rows,)
    """

    doc: Ints
    head: Ints
    tail: Ints
    start: Ints
    end: Ints
    weight: NDArray[np.float32]

    @classmethod
    def from_docs(cls, predicted: Sequence[Doc], references: Sequence[Doc]) -> "EvidenceRows":
        """Evidence of the references, for the entities and tokens of the predicted documents."""
        rows: list[tuple[int, int, int, int, int]] = []
        weights: list[float] = []
        for i, (doc, reference) in enumerate(zip(predicted, references)):
            for (head, tail), ranges in evidence_by_pair(doc, reference).items():
                rows += [(i, head, tail, start, end) for start, end in ranges]
                weights += [1 / len(ranges)] * len(ranges)
        columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
        doc, head, tail, start, end = columns
        return cls(doc, head, tail, start, end, np.array(weights, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.doc)


def evidence_by_pair(doc: Doc, reference: Doc) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Token ranges of `doc` for pairs of its entities, by index: the evidence of all relations of a pair together."""
    relations = [r for r in get_relations(reference) if r.evidence]
    if not relations:
        return {}
    index = {id_: i for i, id_ in enumerate(reference_ids(doc, reference)) if id_}
    tokens = token_map(reference, doc)
    found: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for r in relations:
        if r.head.id in index and r.tail.id in index:
            ranges = ((int(tokens[span.start]), int(tokens[span.end])) for span in r.evidence)
            pair = found.setdefault((index[r.head.id], index[r.tail.id]), set())
            pair.update((start, end) for start, end in ranges if start < end)
    return {pair: sorted(ranges) for pair, ranges in found.items() if ranges}


def token_map(source: Doc, target: Doc) -> Ints:
    """The first token of `target` that begins with, or after, each token of `source`, and its length at last:
    (n_source + 1,)"""
    if same_tokens(source, target):
        return np.arange(len(source) + 1)
    starts = [start for start, _ in char_offsets(target)]
    wanted = [start for start, _ in char_offsets(source)]
    return np.append(np.searchsorted(starts, wanted), len(target))
