"""Batches bounded by documents and by pairs of entities."""

import pytest
from spacy import registry
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre.training.batchers import create_batch_by_pairs_v1

from ..pipelines import crowd


def example(n_entities: int, *, known: str = "both") -> Example:
    """known: whose entities are annotated: those of "both" sides, or of the "reference" only."""
    vocab = Vocab()
    reference = crowd(vocab, n_entities)
    words = [t.text for t in reference]
    predicted = crowd(vocab, n_entities) if known == "both" else Doc(vocab, words=words)
    return Example(predicted, reference)


def sizes(batches) -> list[list[int]]:
    return [[len(eg.reference.spans["docre_mentions"]) for eg in batch] for batch in batches]


@pytest.mark.parametrize(
    ("entities", "max_docs", "max_pairs", "expected"),
    [
        ([3, 3, 3], 4, 18, [[3, 3, 3]]),  # 6 pairs each: 18 fit
        ([3, 3, 3], 4, 17, [[3, 3], [3]]),
        ([3, 3, 3], 2, 100, [[3, 3], [3]]),
        ([2, 9, 2, 2], 4, 10, [[2], [9], [2, 2]]),  # 72 pairs: a batch of its own, not dropped
        ([0, 1, 0, 1, 0], 3, 10, [[0, 1, 0], [1, 0]]),  # no pairs: documents count
        ([5, 4, 3, 2], 4, 32, [[5, 4], [3, 2]]),  # 20 + 12, then 6 + 2: the order is kept
        ([], 4, 10, []),
    ],
)
def test_batches_by_hand(entities, max_docs, max_pairs, expected):
    batcher = create_batch_by_pairs_v1(max_docs=max_docs, max_pairs=max_pairs)
    assert sizes(batcher(example(n) for n in entities)) == expected


@pytest.mark.parametrize("max_docs", [1, 2, 5])
@pytest.mark.parametrize("max_pairs", [1, 20, 1000])
def test_every_example_once_in_order_and_within_bounds(max_docs, max_pairs):
    entities = [3, 0, 7, 2, 2, 12, 1, 4, 4, 0]
    batches = sizes(create_batch_by_pairs_v1(max_docs=max_docs, max_pairs=max_pairs)(map(example, entities)))
    assert [n for batch in batches for n in batch] == entities
    assert all(len(batch) <= max_docs for batch in batches)
    assert all(len(batch) == 1 or sum(n * (n - 1) for n in batch) <= max_pairs for batch in batches)


def test_entities_that_only_the_reference_has_count():
    """With entities predicted by an earlier component, their number is estimated from the annotation."""
    batcher = create_batch_by_pairs_v1(max_docs=4, max_pairs=6)
    assert sizes(batcher([example(3, known="reference"), example(3, known="reference")])) == [[3], [3]]


def test_ents_count_where_there_are_no_mentions():
    """Three names in `doc.ents`, two of them the same: 2 entities, 2 pairs."""
    doc = Doc(Vocab(), words=["Ada", "Bob", "Ada"])
    doc.ents = [Span(doc, i, i + 1, "PER") for i in range(3)]
    examples = [Example(doc, doc.copy()) for _ in range(3)]
    batches = list(create_batch_by_pairs_v1(max_docs=9, max_pairs=4)(examples))
    assert [len(batch) for batch in batches] == [2, 1]


def test_streams_are_read_no_further_than_needed():
    read = []

    def stream():
        for i in range(100):
            read.append(i)
            yield example(2)

    next(iter(create_batch_by_pairs_v1(max_docs=4, max_pairs=1000)(stream())))
    assert len(read) == 5


@pytest.mark.parametrize("name", ["max_docs", "max_pairs"])
def test_bounds_are_positive(name):
    with pytest.raises(ValueError, match=rf"docre-E081.*{name} must be >= 1, got 0"):
        create_batch_by_pairs_v1(**{name: 0})


def test_it_is_registered():
    assert registry.batchers.get("spacy-docre.batch_by_pairs.v1") is create_batch_by_pairs_v1
