"""`gold_sentences` of the reader `spacy-docre.Corpus.v1`: whose sentence boundaries the predicted side has."""

import pytest
import spacy
from spacy.tokens import Doc
from spacy.util import registry
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_relations
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc


def read(tmp_path, doc: Doc, nlp=None, **settings) -> Doc:
    """The predicted side of a corpus of one document."""
    write_shard([doc], tmp_path / "a.spacy")
    (example,) = create_corpus_v1(tmp_path / "a.spacy", **settings)(nlp or spacy.blank("en"))
    return example.predicted


def bare(**annotations) -> Doc:
    doc = Doc(Vocab(), words=["Ada", "left", "Bob", "stayed"], **annotations)
    set_relations(doc, [], status="complete")
    return doc


def starts(doc: Doc) -> list[bool | None]:
    return [token.is_sent_start for token in doc]


def test_sentences_are_the_annotated_ones(tmp_path, ada):
    doc = read(tmp_path, ada)
    assert [(s.start, s.end) for s in doc.sents] == [(0, 7), (7, 13)]
    assert get_entities(doc) == get_entities(ada)


def test_they_are_taken_by_the_registered_reader_unless_told(tmp_path, ada):
    write_shard([ada], tmp_path / "a.spacy")
    reader = registry.readers.get("spacy-docre.Corpus.v1")
    for settings, expected in [({}, 2), ({"gold_sentences": True}, 2), ({"gold_sentences": False}, 0)]:
        (example,) = reader(str(tmp_path / "a.spacy"), **settings)(spacy.blank("en"))
        assert example.predicted.has_annotation("SENT_START") == bool(expected)
        assert sum(start is True for start in starts(example.predicted)[1:]) == max(0, expected - 1)
        assert len(list(example.reference.sents)) == 2


@pytest.mark.parametrize("gold_entities", [True, False])
def test_without_them_they_are_left_to_the_pipeline(tmp_path, ada, gold_entities):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer", config={"punct_chars": ["London"]})
    doc = read(tmp_path, ada, nlp, gold_sentences=False, gold_entities=gold_entities)
    assert not doc.has_annotation("SENT_START")
    assert [s.start for s in nlp(doc).sents] == [0, 7]  # punctuation goes with the sentence that it ends
    assert [t.text for t in doc] == [t.text for t in ada]


def test_a_sentencizer_keeps_the_annotated_ones(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer", config={"punct_chars": ["left"]})
    doc = read(tmp_path, bare(sent_starts=[True, False, False, True]), nlp)
    assert [s.start for s in nlp(doc).sents] == [0, 3]


def test_a_document_without_sentences_gets_none(tmp_path):
    doc = read(tmp_path, bare())
    assert not doc.has_annotation("SENT_START")
    assert starts(doc)[1:] == [None] * 3


def test_one_sentence_is_an_annotation_too(tmp_path):
    doc = read(tmp_path, bare(sent_starts=[True, False, False, False]))
    assert doc.has_annotation("SENT_START")
    assert len(list(doc.sents)) == 1


def test_what_is_unknown_stays_unknown(tmp_path):
    assert starts(read(tmp_path, bare(sent_starts=[True, None, True, None]))) == [True, None, True, None]


def test_sentences_of_a_parse_are_taken_without_the_parse(tmp_path):
    doc = read(tmp_path, bare(heads=[1, 1, 3, 3], deps=["nsubj", "ROOT", "nsubj", "ROOT"]))
    assert [s.start for s in doc.sents] == [0, 2]
    assert not doc.has_annotation("DEP")


def test_other_tokens_have_no_sentences(tmp_path, ada):
    """Boundaries belong to the annotated tokens: without those they are left to the pipeline."""
    assert not read(tmp_path, ada, gold_tokens=False, gold_sentences=True).has_annotation("SENT_START")


def test_the_reference_is_left_as_it_is(tmp_path):
    write_shard([make_doc()], tmp_path / "a.spacy")
    (example,) = create_corpus_v1(tmp_path / "a.spacy", gold_sentences=False)(spacy.blank("en"))
    assert [(s.start, s.end) for s in example.reference.sents] == [(0, 7), (7, 13)]
