"""What a teacher says is of the documents' own entities."""

import numpy as np
import pytest
from spacy.tokens import Doc, Span

from spacy_docre import get_entities, set_entities
from spacy_docre.inference.teacher import Teacher

from ..pipelines import hash_pipeline, overfit

WORDS = "Ada met Charles in London".split()


@pytest.fixture
def folder(tmp_path):
    """A pipeline that finds entities, and puts its own in the place of others."""
    nlp = hash_pipeline()
    overfit(nlp, steps=2)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "PER", "pattern": name} for name in ("Ada", "Charles")])
    nlp.add_pipe("docre_entities", before="docre_relations", config={"overwrite": True})
    nlp.to_disk(tmp_path / "teacher")
    return tmp_path / "teacher"


def test_entities_are_the_documents_own(folder):
    teacher = Teacher(str(folder))
    doc = Doc(teacher.nlp.vocab, words=WORDS)
    set_entities(doc, [[Span(doc, i, i + 1, label="MISC")] for i in (1, 3, 4)])
    (logits,) = teacher.logits([doc])
    assert logits.shape == (6, 1 + len(teacher.labels))
    assert [e.name for e in get_entities(doc)] == ["met", "in", "London"]


def test_a_document_without_entities_has_no_pairs(folder):
    """Whatever the pipeline finds in it."""
    teacher = Teacher(str(folder))
    (logits,) = teacher.logits([Doc(teacher.nlp.vocab, words=WORDS)])
    assert logits.shape == (0, 1 + len(teacher.labels))


def test_what_one_teacher_finds_is_nothing_to_the_next(folder):
    """Both have a ruler that finds two names where nobody has set entities."""
    one, other = Teacher(str(folder)), Teacher(str(folder))
    for doc in (Doc(one.nlp.vocab, words=WORDS), Doc(one.nlp.vocab, words=WORDS, ents=["O"] * 5)):
        assert [len(teacher.logits([doc])[0]) for teacher in (one, other)] == [0, 0]
        assert get_entities(doc) == ()


def test_documents_of_another_vocabulary_get_the_same(folder):
    one, other = Teacher(str(folder)), Teacher(str(folder))
    docs = [Doc(teacher.nlp.vocab, words=WORDS) for teacher in (one, other)]
    for doc in docs:
        set_entities(doc, [[Span(doc, i, i + 1, label="MISC")] for i in (0, 2, 4)])
    assert np.array_equal(one.logits([docs[0]])[0], one.logits([docs[1]])[0])
    assert [e.name for e in get_entities(docs[1])] == ["Ada", "Charles", "London"]
