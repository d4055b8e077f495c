"""Docs to DocRED JSON, by hand."""

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_relations, set_entities, set_label_status, set_relations
from spacy_docre.readers.docred import make_doc as read_record
from spacy_docre.readers.docred_export import to_docred, to_docred_predictions
from spacy_docre.readers.docred_schema import check_document


def test_a_document_by_hand(ada):
    """Sentences of 7 and 6 tokens: "She", token 7, is [0, 1] of sentence 1; evidence (0, 7) is sentence 0."""
    ada.user_data["docre_title"] = "Ada"
    assert to_docred(ada) == {
        "title": "Ada",
        "sents": [
            ["Ada", "Lovelace", "was", "born", "in", "London", "."],
            ["She", "worked", "with", "Charles", "Babbage", "."],
        ],
        "vertexSet": [
            [{"name": "Ada Lovelace", "pos": [0, 2], "sent_id": 0, "type": "PER"},
             {"name": "She", "pos": [0, 1], "sent_id": 1, "type": "PER"}],
            [{"name": "London", "pos": [5, 6], "sent_id": 0, "type": "LOC"}],
            [{"name": "Charles Babbage", "pos": [3, 5], "sent_id": 1, "type": "PER"}],
        ],
        "labels": [
            {"h": 0, "t": 1, "r": "place of birth", "evidence": [0]},
            {"h": 0, "t": 2, "r": "colleague", "evidence": []},
            {"h": 2, "t": 0, "r": "colleague", "evidence": []},
        ],
    }  # fmt: skip


def test_what_is_exported_is_read_back_equal(ada):
    record = to_docred(ada)
    check_document(record, labels_required=True)
    back = read_record(record, Vocab(), status="complete")
    assert get_entities(back) == get_entities(ada)
    assert get_relations(back) == get_relations(ada)


def test_predictions_are_rows_with_scores(ada):
    ada.user_data["docre_title"] = "Ada"
    set_relations(ada, [("0", "place of birth", "1", 0.75, [(0, 7)])], status="none")
    assert to_docred_predictions(ada, names={"place of birth": "P19"}) == [
        {"title": "Ada", "h_idx": 0, "t_idx": 1, "r": "P19", "evidence": [0], "score": 0.75}
    ]


def test_entities_are_numbered_by_position_whatever_their_ids(ada):
    set_entities(ada, [[Span(ada, 10, 12, label="PER")], [Span(ada, 0, 2, label="PER")]], ids=["cb", "al"])
    set_relations(ada, [("al", "colleague", "cb")])
    assert [(r["h"], r["t"]) for r in to_docred(ada)["labels"]] == [(1, 0)]


@pytest.mark.parametrize(
    ("status", "relations", "expected"),
    [("none", [], False), ("none", [("0", "r", "1")], True), ("complete", [], True)],
)
def test_labels_are_written_where_there_is_something_to_say(ada, status, relations, expected):
    set_relations(ada, relations)
    set_label_status(ada, status)
    assert ("labels" in to_docred(ada)) == expected
    assert len(to_docred_predictions(ada)) == len(relations)


def test_a_mention_across_a_sentence_end_joins_the_sentences():
    """Sentences ab, cd, ef, and the mention bc: 4 and 2 tokens are left; f is [1, 2] of the second."""
    doc = Doc(Vocab(), words=list("abcdef"), sent_starts=[True, False] * 3)
    set_entities(doc, [[Span(doc, 1, 3, label="X")], [Span(doc, 5, 6, label="X")]])
    record = to_docred(doc)
    assert record["sents"] == [["a", "b", "c", "d"], ["e", "f"]]
    assert [(m[0]["sent_id"], m[0]["pos"]) for m in record["vertexSet"]] == [(0, [1, 3]), (1, [1, 2])]


def test_without_sentence_boundaries_the_document_is_one_sentence(blank):
    doc = blank("Ada met Babbage. He smiled.")
    set_entities(doc, [[doc[0:1]], [doc[2:3]]])
    set_relations(doc, [("0", "met", "1", 1.0, [(0, 4)])])
    record = to_docred(doc)
    assert [len(sent) for sent in record["sents"]] == [7]
    assert record["labels"][0]["evidence"] == [0]


EVIDENCE = [([(0, 13)], [0, 1]), ([(8, 9), (7, 13)], [1]), ([(6, 8)], [0, 1]), ([], [])]


@pytest.mark.parametrize(("evidence", "expected"), EVIDENCE)
def test_evidence_is_the_sentences_it_touches(ada, evidence, expected):
    set_relations(ada, [("0", "r", "1", 1.0, evidence)])
    assert to_docred(ada)["labels"][0]["evidence"] == expected


def test_a_document_without_tokens():
    doc = Doc(Vocab())
    assert to_docred(doc) == {"title": "", "sents": [], "vertexSet": []}
    assert to_docred_predictions(doc) == []
