"""What a corpus holds and what is odd about it: counted by hand, and every problem found in its place."""

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import set_entities, set_relations
from spacy_docre.annotations import RELATIONS_KEY, TITLE_KEY, SoftLabels, set_soft_labels
from spacy_docre.scoring.survey_data import (
    DataSurvey,
    fingerprint,
    near_duplicates,
    shared_titles,
    survey_data,
)

from ..conftest import make_doc
from ..pipelines import make_hopper_doc

NLP = spacy.blank("en")
WORDS = "Ada met Bob in London .".split()


def titled(doc: Doc, title: str) -> Doc:
    doc.user_data[TITLE_KEY] = title
    return doc


def document(entities=((0,), (2,)), *, words=WORDS, types=(), relations=(), title="T", spaces=None, **settings) -> Doc:
    """entities: places of the one-word mentions of each, or pairs of start and end"""
    doc = Doc(Vocab(), words=words, spaces=spaces, **settings)
    spans = []
    for i, places in enumerate(entities):
        label = types[i] if i < len(types) else "X"
        pairs = [p if isinstance(p, tuple) else (p, p + 1) for p in places]
        spans.append([Span(doc, start, end, label=label) for start, end in pairs])
    set_entities(doc, spans)
    set_relations(doc, relations, status="complete")
    return titled(doc, title)


def survey(*docs: Doc, window: int = 320) -> DataSurvey:
    return survey_data("data", docs, NLP, window=window)


def problems(*docs: Doc, **settings) -> dict[str, list[str]]:
    return survey(*docs, **settings).problems


def test_counts_by_hand():
    """13 and 12 tokens, 3 and 3 entities of 4 and 4 mentions, 3 · 2 pairs each, 3 and 3 relations.

    In one sentence each: Ada and London, Hopper and New York, Hopper (as "She") and the Navy both ways, and Ada (as
    "She") with Babbage both ways: all 6. One relation has evidence.
    """
    found = survey(make_doc(), make_hopper_doc())
    assert (found.name, found.n_docs, found.n_tokens, found.longest) == ("data", 2, 25, 13)
    assert (found.n_entities, found.most_entities, found.n_mentions, found.longest_mention) == (6, 3, 8, 2)
    assert (found.n_pairs, found.n_relations, found.intra, found.n_with_evidence) == (12, 6, 6, 1)
    assert (found.n_with_sentences, found.n_taught) == (2, 0)
    assert found.types == {"PER": 3, "LOC": 2, "ORG": 1}
    births, deaths = {"place of birth": 1, "colleague": 2}, {"place of death": 1, "founder of": 1, "founded by": 1}
    assert found.labels == {**births, **deaths}
    assert found.statuses == {"complete": 2}
    assert found.problems == {}
    assert found.titles == ["Ada Lovelace was born in London . She", "Grace Hopper died in New York . She"]


def test_relations_across_sentences_are_not_in_one():
    doc = document([(0,), (4,)], relations=[("0", "r", "1")], sent_starts=[True, False, True, False, False, False])
    assert (survey(doc).intra, survey(doc).n_relations) == (0, 1)


def test_documents_without_sentence_boundaries():
    found = survey(document(relations=[("0", "r", "1")]))
    assert (found.n_with_sentences, found.intra, found.problems) == (0, 0, {})


def test_documents_with_soft_labels_and_their_status():
    doc = make_doc()
    set_relations(doc, [], status="none")
    ids = ("0", "1", "2")
    soft = SoftLabels(teacher="big", labels=("r",), entity_ids=ids, logits=np.zeros((6, 2)))
    set_soft_labels(doc, [soft])
    found = survey(doc, make_doc())
    assert (found.n_taught, found.statuses) == (1, {"none": 1, "complete": 1})


def test_the_summary_is_plain_data():
    found = survey(make_doc(), document([(0,)]))
    summary = srsly.json_loads(srsly.json_dumps(found.summary()))
    assert (summary["n_docs"], summary["labels"]["colleague"], summary["types"]["PER"]) == (2, 2, 2)
    assert summary["problems"] == {"documents with fewer than two entities": 1}
    assert not {"titles", "fingerprints"} & set(summary)


def test_no_documents():
    found = survey()
    assert (found.n_docs, found.problems, found.titles) == (0, {}, [])


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_entities(n):
    assert problems(document([(0,)][:n])) == {"documents with fewer than two entities": ["'T'"]}


def test_a_document_without_text_has_no_other_problem():
    assert problems(titled(Doc(Vocab()), "Empty")) == {"documents without text": ["'Empty'"]}


def test_mentions_that_the_tokenizer_does_not_have():
    """ "cannot" is two tokens there, which is fine; "Yo" and "rk" are one."""
    words, spaces = ["cannot", "New", "Yo", "rk"], [True, True, False, False]
    assert problems(document([(0,), (1,), ((2, 4),)], words=words, spaces=spaces)) == {}
    doc = document([(0,), (2,), (3,)], words=words, spaces=spaces)
    assert problems(doc) == {"documents with mentions that are no tokens of this tokenizer": ["'T': 2"]}


def test_several_types_of_one_entity():
    doc = document([(0, 4), (2,)])
    doc.spans["docre_mentions"] = [
        Span(doc, m.start, m.end, label="Y" if m.text == "London" else "X", span_id=m.id_)
        for m in doc.spans["docre_mentions"]
    ]
    assert problems(doc) == {"entities whose mentions have several types": ["'T': 'London'"]}


def test_no_type():
    assert problems(document(types=["X", ""])) == {"entities without a type": ["'T': 'Bob'"]}
    assert survey(document(types=["X", ""])).types == {"X": 1, "(none)": 1}


def test_mentions_longer_than_the_window():
    doc = document([((0, 3),), (4,)])
    assert problems(doc, window=3) == {}
    assert problems(doc, window=2) == {"mentions longer than the encoder's window": ["'T': 'Ada met Bob'"]}


def test_white_space_at_the_ends_of_mentions():
    words = ["Ada", "\n", "met", " ", "Bob", "!"]
    found = problems(document([((0, 2),), ((3, 5),), (3,)], words=words, spaces=[False] * 6))
    places = found["mentions that begin or end in white space"]
    assert places == [r"'T': 'Ada\n'", "'T': ' Bob'", "'T': ' '"]


def test_mentions_of_two_entities():
    assert problems(document([(0, 2), (2,), (4,)])) == {"mentions of two entities": ["'T': 'Bob'"]}


def test_overlapping_mentions_are_not_the_same():
    assert problems(document([((0, 2),), ((0, 1),)])) == {}


def test_a_mention_twice_in_one_entity_is_not_of_two_entities():
    assert problems(document([(0, 0), (2,)])) == {}


def test_relations_given_twice():
    """The same label between the same two, this way round."""
    twice = [("0", "r", "1"), ("0", "r", "1", 0.5), ("1", "r", "0"), ("0", "s", "1")]
    assert problems(document(relations=twice)) == {"relations given twice": ["'T': 'Ada' -r-> 'Bob'"]}


def test_relations_between_entities_of_one_name_are_not_the_same():
    """Two people are called Ada."""
    doc = document(
        [(0,), (1,), (2,)], words=["Ada", "Ada", "London", "."], relations=[("0", "r", "2"), ("1", "r", "2")]
    )
    assert problems(doc) == {}


def test_relations_whose_status_is_none():
    doc = document(relations=[("0", "r", "1")])
    set_relations(doc, [("0", "r", "1")], status="none")
    assert problems(doc) == {"documents with relations whose label status is none": ["'T'"]}


def test_every_document_with_a_problem_is_named():
    docs = [document(types=["X", ""], title=str(i)) for i in range(5)]
    assert problems(*docs, document()) == {"entities without a type": [f"'{i}': 'Bob'" for i in range(5)]}


def test_relations_of_unknown_entities_are_said_and_other_documents_go_on():
    doc = document(relations=[("0", "r", "1")])
    doc.user_data[RELATIONS_KEY][0]["tail"] = "7"
    found = survey(doc, document())
    assert found.n_docs == 2
    assert "docre-E001" in found.problems["documents that can't be read"][0]


def text(n_words: int, first: int = 0, **changed: str) -> list[str]:
    """w0 w1 w2 …, all different; w5="x" changes one."""
    return [changed.get(f"w{i}", f"w{i}") for i in range(first, first + n_words)]


def of_text(words: list[str], title: str = "T") -> Doc:
    return titled(Doc(NLP.vocab, words=words), title)


def shares(first: list[list[str]], second: list[list[str]]) -> list[tuple[str, str, float]]:
    sides = [[of_text(words, f"{side}{i}") for i, words in enumerate(x)] for side, x in (("a", first), ("b", second))]
    return near_duplicates(*(survey(*docs) for docs in sides))


def test_a_copy_with_a_changed_word_by_hand():
    """40 words have 33 sequences of 8; a word within is in 8 of them: 25 of 33 are left."""
    assert shares([text(40)], [text(40, w20="x")]) == [("a0", "b0", pytest.approx(25 / 33))]


@pytest.mark.parametrize(("n_changed", "found"), [(1, 1), (2, 1), (3, 0), (5, 0)])
def test_many_changed_words_are_another_text(n_changed, found):
    """Each costs 8 of 33 sequences, where they are 8 words apart: 17 are more than half, and 9 are not."""
    changed = {f"w{4 + 8 * i + 4}": "x" for i in range(n_changed)}
    assert len(shares([text(40)], [text(40, **changed)])) == found


def test_half_of_the_shorter_document_is_enough():
    """Sequences of 20 words: 13. Of a text that ends with them, all; of one that has 14 words of them, 7 of 13."""
    assert shares([text(20, 180)], [text(200)]) == [("a0", "b0", 1)]
    assert shares([text(20, 186)], [text(200)]) == [("a0", "b0", pytest.approx(7 / 13))]
    assert shares([text(20, 187)], [text(200)]) == []


def test_different_texts_are_not_found():
    assert shares([text(50), text(50, 100)], [text(50, 200)]) == []


def test_words_in_another_order_are_another_text():
    assert shares([text(40)], [text(40)[::-1]]) == []


def test_case_punctuation_and_white_space_make_no_difference():
    other = [x for w in text(30) for x in (w.upper(), ",", "\n")]
    assert shares([text(30)], [other]) == [("a0", "b0", 1)]


def test_short_documents_are_compared_whole():
    """Those of up to 8 words are one sequence: any other word makes another."""
    assert shares([["Hello", "there", "."]], [["hello", "there"]]) == [("a0", "b0", 1)]
    assert shares([text(3)], [text(3, w1="x"), text(4), text(3, 1)]) == []
    assert shares([text(8)], [text(8)]) == [("a0", "b0", 1)]
    assert shares([text(8)], [text(8, w7="x")]) == []


@pytest.mark.parametrize("words", [[], [".", "!"], ["\n"]], ids=str)
def test_documents_without_words_are_no_duplicates(words):
    assert fingerprint(of_text(words)) == frozenset()
    assert shares([words], [words]) == []


def test_within_one_corpus_each_pair_is_named_once():
    found = survey(of_text(text(40), "a"), of_text(text(40, 100), "b"), of_text(text(40), "c"))
    assert near_duplicates(found, found) == [("a", "c", 1)]


def test_the_closest_come_first():
    found = shares([text(40), text(40, 100)], [text(40, w20="x"), text(40, 100)])
    assert [row[:2] for row in found] == [("a1", "b1"), ("a0", "b0")]


def test_long_documents_that_are_the_same():
    n = 2500
    assert shares([text(n)], [text(n)]) == [("a0", "b0", 1)]
    ((_, _, share),) = shares([text(n)], [text(n, w1000="x")])
    assert share == pytest.approx((n - 7 - 8) / (n - 7), abs=0.02)


def test_a_document_within_a_much_longer_one():
    """All of its 1,993 sequences are there, of 9,993: the longer one keeps about 400 of them among its smallest."""
    assert shares([text(2000)], [text(10_000)]) == [("a0", "b0", 1)]


def test_shared_titles():
    first = survey(*(document(title=title) for title in "bca"))
    second = survey(*(document(title=title) for title in "acdc"))
    assert shared_titles(first, second) == ["a", "c"]
    assert shared_titles(first, survey(document(title="x"))) == []
