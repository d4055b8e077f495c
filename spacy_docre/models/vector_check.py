"""No silent garbage: count what the encoder left without a vector, refuse documents without any."""

import warnings
from collections import Counter
from collections.abc import Sequence
from unicodedata import category

from spacy.tokens import Doc
from thinc.api import to_numpy
from thinc.types import Floats2d

from ..errors import Errors, Warnings
from ..features.pair_batch import PairBatch


class VectorCheck:
    """Looks at the token vectors of each batch. `counts` adds up over the life of the model;
    each kind of loss is warned about once."""

    def __init__(self, max_entities: int | None = None) -> None:
        """max_entities: documents with more go without axial attention; None if there is none anyway."""
        self.max_entities = max_entities
        self.counts: Counter[str] = Counter()

    def __call__(self, docs: Sequence[Doc], vectors: Sequence[Floats2d], batch: PairBatch) -> None:
        """Raises ValueError if a document with visible text has no non-zero vector."""
        require_vectors(docs, vectors)
        lost: Counter[str] = Counter()
        if self.max_entities is not None:
            lost["docs_no_axial"] = sum(d.n_entities > self.max_entities for d in batch.docs)
        for doc, array, entities in zip(docs, vectors, batch.docs):
            if not len(array):
                continue
            empty = to_numpy(~(array != 0).any(axis=1))
            if not empty.any():
                continue
            visible = [i for i in empty.nonzero()[0].tolist() if is_visible(doc[i].text)]
            if visible:
                lost.update(tokens=len(visible), docs_tokens=1)
            spans = zip(entities.mention_start, entities.mention_end)
            n_mentions = sum(bool(empty[start:end].all()) for start, end in spans)
            if n_mentions:
                lost.update(mentions=n_mentions, docs_mentions=1)
        self.add(lost, "mentions", Warnings.W002, n_mentions="mentions", n_docs="docs_mentions")
        self.add(lost, "tokens", Warnings.W003, n_tokens="tokens", n_docs="docs_tokens")
        self.add(
            lost, "docs_no_axial", Warnings.W004.replace("{limit}", str(self.max_entities)), n_docs="docs_no_axial"
        )

    def add(self, lost: Counter[str], kind: str, message: str, **fields: str) -> None:
        """Add to the counts, and warn if this kind is new. fields: name in the message -> name of a count."""
        new = lost[kind] and not self.counts[kind]
        for name in fields.values():
            self.counts[name] += lost[name]
        if new:
            values = {field: lost[name] for field, name in fields.items()}
            warnings.warn(message.format(**values), stacklevel=6)


def require_vectors(docs: Sequence[Doc], vectors: Sequence[Floats2d]) -> None:
    """Raise ValueError if a document with visible text has no non-zero vector: no encoder has seen it; or if it has
    another number of tokens than vectors."""
    for doc, array in zip(docs, vectors):
        if len(array) and len(array) != len(doc):
            raise ValueError(Errors.E155.format(n_tokens=len(doc), n_vectors=len(array)))
    zeros = [doc for doc, array in zip(docs, vectors) if len(array) and not bool((array != 0).any())]
    blind = sum(any(is_visible(token.text) for token in doc) for doc in zeros)
    if blind:
        raise ValueError(Errors.E041.format(n_docs=blind))


def is_visible(text: str) -> bool:
    """Whether an encoder should have a vector for this token: not for white space, control characters, and
    accents that stand alone."""
    return any(c.isprintable() and category(c)[0] not in "ZM" for c in text)
