"""Evidence: the sentences that name both entities of a relation, or else the nearest two."""

import warnings

import pytest
import spacy
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_relations, set_entities
from spacy_docre.features.evidence import WINDOW, Evidence, choose_sentences, sentence_starts

from ..conftest import make_doc
from ..pipelines import hash_pipeline, initialised, make_hopper_doc, overfit, unlabelled

VOCAB = Vocab()


def choose(head: list[int], tail: list[int]) -> list[int]:
    return choose_sentences(head, tail)


def make(sizes: list[int], *entities: list[tuple[int, int]]) -> Doc:
    """A document of sentences with so many tokens each, and entities by the (start, end) of their mentions."""
    starts = [i == 0 for size in sizes for i in range(size)]
    doc = Doc(VOCAB, words=[f"w{i}" for i in range(len(starts))], sent_starts=starts)
    set_entities(doc, [[Span(doc, start, end) for start, end in mentions] for mentions in entities])
    return doc


def without_sentences(n_tokens: int, *entities: list[tuple[int, int]]) -> Doc:
    doc = Doc(VOCAB, words=["word"] * n_tokens)
    set_entities(doc, [[Span(doc, start, end) for start, end in mentions] for mentions in entities])
    return doc


def evidence_of(doc: Doc, head: int = 0, tail: int = 1) -> list[tuple[int, int]]:
    return Evidence(doc, get_entities(doc))(head, tail)


PENCIL = {
    "both in 4": ([1, 4], [4, 6], [4]),
    "1 and 2 are nearest": ([1, 4], [2, 6], [1, 2]),
    "the tail comes first": ([4, 9], [3, 20], [3, 4]),
    "both in 2 and 5": ([0, 2, 5], [2, 3, 5], [2, 5]),
    "0 and 2, and 2 and 4, are as near: the first two": ([0, 4], [2], [0, 2]),
    "so too where the tail is first": ([2], [0, 4], [0, 2]),
    "far apart": ([0], [99], [0, 99]),
    "the same sentence": ([3], [3], [3]),
    "both once is enough, neighbours do not count": ([0, 7], [1, 7], [7]),
}


@pytest.mark.parametrize(("head", "tail", "expected"), PENCIL.values(), ids=PENCIL)
def test_sentences_by_hand(head, tail, expected):
    assert choose(head, tail) == expected


def slow(head: list[int], tail: list[int]) -> list[int]:
    both = [i for i in head if i in tail]
    if both:
        return both
    best = None
    for i in head:
        for j in tail:
            gap, pair = abs(i - j), sorted([i, j])
            if best is None or (gap, pair) < best:
                best = (gap, pair)
    return best[1]


NUMBERS = st.sets(st.integers(0, 30), min_size=1, max_size=8).map(sorted)


@given(NUMBERS, NUMBERS)
@example([0, 2, 4], [1, 3])
def test_sentences_equal_two_plain_loops(head, tail):
    found = choose(head, tail)
    assert found == slow(head, tail)
    assert found == choose(tail, head)
    assert all(type(i) is int for i in found)


@st.composite
def documents(draw) -> tuple[Doc, list[int]]:
    """Any sentences with three entities, whose mentions may cross sentence ends; and the sizes of the sentences."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    n_tokens = sum(sizes)

    def mention() -> tuple[int, int]:
        start = draw(st.integers(0, n_tokens - 1))
        return start, draw(st.integers(start + 1, n_tokens))

    return make(sizes, *([mention() for _ in range(draw(st.integers(1, 3)))] for _ in range(3))), sizes


@given(documents())
def test_ranges_equal_a_search_through_the_sentences(made):
    """A mention is in the sentence where it starts; `doc.sents` is spaCy's own idea of them."""
    doc, sizes = made
    sents = [(s.start, s.end) for s in doc.sents]
    assert [end - start for start, end in sents] == sizes
    named = [
        [i for i, (start, end) in enumerate(sents) if any(start <= m.start < end for m in e.mentions)]
        for e in get_entities(doc)
    ]
    evidence = Evidence(doc, get_entities(doc))
    for head in range(3):
        for tail in range(3):
            assert evidence(head, tail) == [sents[i] for i in slow(named[head], named[tail])]


RANGES = {
    "one sentence": ([6], [(0, 1)], [(5, 6)], [(0, 6)]),
    "one token": ([1], [(0, 1)], [(0, 1)], [(0, 1)]),
    "sentences of one token": ([1, 1, 1], [(0, 1)], [(2, 3)], [(0, 1), (2, 3)]),
    "the first and the last": ([4, 3, 5], [(0, 1)], [(11, 12)], [(0, 4), (7, 12)]),
    "its first token": ([4, 3, 5], [(4, 5)], [(4, 5)], [(4, 7)]),
    "its last token": ([4, 3, 5], [(3, 4)], [(2, 3)], [(0, 4)]),
    "in the order of the text": ([4, 3, 5], [(8, 9)], [(1, 2)], [(0, 4), (7, 12)]),
    "across an end: where it starts": ([4, 3, 5], [(3, 6)], [(5, 6)], [(0, 4), (4, 7)]),
    "across all of the document": ([4, 3, 5], [(0, 12)], [(10, 11)], [(0, 4), (7, 12)]),
    "several mentions in one sentence": ([4, 3], [(0, 1), (1, 2), (0, 2)], [(3, 4), (2, 3)], [(0, 4)]),
    "mentions out of order": ([2, 2, 2, 2], [(6, 7), (0, 1)], [(4, 5), (2, 3)], [(0, 2), (2, 4)]),
}


@pytest.mark.parametrize(("sizes", "head", "tail", "expected"), RANGES.values(), ids=RANGES)
def test_ranges_by_hand(sizes, head, tail, expected):
    doc = make(sizes, head, tail)
    assert evidence_of(doc) == expected
    assert evidence_of(doc, 1, 0) == expected


def test_ada_by_hand(ada):
    """Ada is in both sentences, London in the first, Babbage in the second."""
    evidence = Evidence(ada, get_entities(ada))
    assert evidence(0, 1) == [(0, 7)]
    assert evidence(0, 2) == [(7, 13)]
    assert evidence(1, 2) == [(0, 7), (7, 13)]


def test_sentences_of_a_parse():
    doc = Doc(VOCAB, words=list("abcd"), heads=[0, 0, 2, 2], deps=["ROOT", "x", "ROOT", "x"])
    assert sentence_starts(doc) == [0, 2]


def test_sentences_that_only_some_tokens_speak_of():
    doc = Doc(VOCAB, words=list("abcd"), sent_starts=[None, None, True, None])
    assert sentence_starts(doc) == [0, 2]


@pytest.mark.parametrize(("n_tokens", "starts"), [(2, [0]), (32, [0]), (33, [0, 32]), (70, [0, 32, 64])])
def test_windows_stand_in_for_sentences(n_tokens, starts):
    assert WINDOW == 32
    with pytest.warns(UserWarning, match=r"docre-W009.*32 tokens.*sentencizer"):
        assert sentence_starts(Doc(VOCAB, words=["word"] * n_tokens)) == starts


@pytest.mark.parametrize("n_tokens", [0, 1])
def test_documents_without_room_for_a_boundary_need_none(n_tokens):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sentence_starts(Doc(VOCAB, words=["word"] * n_tokens)) == [0]


def test_ranges_of_windows_by_hand():
    """70 tokens are 0–32, 32–64, 64–70: the last is shorter; a mention from 31 to 33 is in the first."""
    doc = without_sentences(70, [(0, 1), (69, 70)], [(66, 67)], [(31, 33)], [(32, 33)])
    with pytest.warns(UserWarning, match="docre-W009"):
        evidence = Evidence(doc, get_entities(doc))
    assert evidence(0, 1) == [(64, 70)]
    assert evidence(0, 2) == [(0, 32)]
    assert evidence(2, 3) == [(0, 32), (32, 64)]


def test_a_document_is_warned_of_once_for_all_its_pairs():
    doc = without_sentences(40, *([(i, i + 1)] for i in range(6)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evidence = Evidence(doc, get_entities(doc))
        _ = [evidence(head, tail) for head in range(6) for tail in range(6)]
    assert len(caught) == 1


@pytest.fixture(scope="module")
def nlp() -> Language:
    nlp = hash_pipeline()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        overfit(nlp)
    return nlp


def ranges(doc: Doc) -> dict[tuple[str, str, str], list[tuple[int, int]]]:
    return {(r.head.id, r.label_, r.tail.id): [(s.start, s.end) for s in r.evidence] for r in get_relations(doc)}


ADA_EVIDENCE = {
    ("0", "place of birth", "1"): [(0, 7)],
    ("0", "colleague", "2"): [(7, 13)],
    ("2", "colleague", "0"): [(7, 13)],
}
HOPPER_EVIDENCE = {
    ("0", "place of death", "1"): [(0, 7)],
    ("0", "founder of", "2"): [(7, 12)],
    ("2", "founded by", "0"): [(7, 12)],
}


def test_predicted_relations_have_evidence(nlp):
    """The gold document has evidence for one of its three relations: the others' is the component's."""
    assert ranges(nlp(make_doc(nlp.vocab))) == ADA_EVIDENCE
    assert ranges(nlp(make_hopper_doc(nlp.vocab))) == HOPPER_EVIDENCE
    (spans,) = {r.evidence for r in get_relations(nlp(make_doc(nlp.vocab))) if r.label_ == "place of birth"}
    assert [span.text for span in spans] == ["Ada Lovelace was born in London ."]


def test_predicted_evidence_is_the_same_in_batches_and_when_saved(nlp, tmp_path):
    docs = [make_doc(nlp.vocab), make_hopper_doc(nlp.vocab)]
    assert [ranges(doc) for doc in nlp.pipe(docs)] == [ADA_EVIDENCE, HOPPER_EVIDENCE]
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    doc = again(make_doc(again.vocab))
    assert ranges(doc) == ADA_EVIDENCE
    assert ranges(Doc(again.vocab).from_bytes(doc.to_bytes())) == ADA_EVIDENCE


def test_a_sentencizer_gives_sentences_to_documents_without(nlp, tmp_path):
    nlp.to_disk(tmp_path)
    split = spacy.load(tmp_path)
    split.add_pipe("sentencizer", before="docre_relations")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ranges(split(unlabelled(make_doc(split.vocab)))) == ADA_EVIDENCE


def test_many_documents_without_sentences_are_warned_of_once_by_default(nlp):
    docs = [unlabelled(doc, sentences=False) for doc in (make_doc(nlp.vocab), make_hopper_doc(nlp.vocab))]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        docs = [*nlp.pipe(docs), nlp(unlabelled(make_doc(nlp.vocab), sentences=False))]
    assert ["W009" in str(w.message) for w in caught] == [True]
    found = [{span for spans in ranges(doc).values() for span in spans} for doc in docs]
    assert found == [{(0, 13)}, {(0, 12)}, {(0, 13)}]


def test_where_nothing_is_predicted_nobody_is_warned(nlp, monkeypatch):
    monkeypatch.setattr(nlp.get_pipe("docre_relations"), "threshold_offset", 1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get_relations(nlp(unlabelled(make_doc(nlp.vocab), sentences=False))) == ()


def test_every_pair_of_entities_has_evidence(monkeypatch):
    """All 6 pairs are predicted: London and Babbage share no sentence, so theirs are both."""
    nlp = initialised(hash_pipeline())
    monkeypatch.setattr(nlp.get_pipe("docre_relations"), "threshold_offset", -1e6)
    found = {(head, tail): evidence for (head, _, tail), evidence in ranges(nlp(make_doc(nlp.vocab))).items()}
    assert len(found) == 6
    assert found["1", "2"] == found["2", "1"] == [(0, 7), (7, 13)]
    assert found["1", "0"] == [(0, 7)]
