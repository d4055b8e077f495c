"""Relations: every form they are given in, what is refused, and what users read."""

import json

import pytest
from spacy.tokens import Doc, Span

from spacy_docre import get_label_status, get_relations, relations_to_json, set_entities, set_relations
from spacy_docre.annotations import RELATIONS_KEY, STATUSES, get_title, get_triples, set_label_status
from tests.conftest import make_doc


def test_relations_name_their_entities(ada):
    found = [(r.head.name, r.label_, r.tail.name, r.score) for r in get_relations(ada)]
    assert found == [
        ("Ada Lovelace", "place of birth", "London", 1.0),
        ("Ada Lovelace", "colleague", "Charles Babbage", 1.0),
        ("Charles Babbage", "colleague", "Ada Lovelace", 1.0),
    ]
    assert [s.text for s in get_relations(ada)[0].evidence] == ["Ada Lovelace was born in London ."]


FORMS = {
    "tuple of three": lambda doc: ("0", "r", "1"),
    "tuple of four": lambda doc: ("0", "r", "1", 1.0),
    "tuple of five": lambda doc: ("0", "r", "1", 1, []),
    "list": lambda doc: ["0", "r", "1"],
    "integer ids": lambda doc: (0, "r", 1),
    "entities": lambda doc: (doc._.docre_entities[0], "r", doc._.docre_entities[1]),
    "dict": lambda doc: {"head": "0", "label": "r", "tail": "1"},
    "dict with more": lambda doc: {"head": "0", "label": "r", "tail": "1", "score": 1, "seen": True},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_is_stored_as_the_same_plain_data(ada, form):
    set_relations(ada, [form(ada)])
    assert ada.user_data[RELATIONS_KEY] == [{"head": "0", "label": "r", "tail": "1", "score": 1.0, "evidence": []}]


@pytest.mark.parametrize("evidence", [[(0, 7)], [[0, 7]], ((0, 7),), "span"])
def test_evidence_is_ranges_or_spans(ada, evidence):
    evidence = [ada[0:7]] if evidence == "span" else evidence
    set_relations(ada, [("0", "r", "1", 0.5, evidence)])
    (relation,) = get_relations(ada)
    assert [(s.start, s.end) for s in relation.evidence] == [(0, 7)]


def test_views_can_be_assigned_back(ada):
    before = get_relations(ada)
    ada._.relations = before
    assert ada._.relations == before
    ada._.relations = [r for r in before if r.label_ == "colleague"]
    assert get_triples(ada) == [("0", "colleague", "2"), ("2", "colleague", "0")]


BAD = [
    ([("0", "r", "9")], "E001.*'9'.*'0', '1', '2'"),
    ([("0", "r", "1"), ("8", "r", "9")], "E001.*'8', '9'"),
    ([("1", "r", "1")], "E002.*'1'"),
    ([("0", "", "1")], "E004"),
    ([("0", None, "1")], "E004"),
    ([("0", "r")], "E004.*'0', 'r'"),
    ([{"head": "0", "tail": "1"}], "E004"),
    ("0r1", "E004"),
    ([("0", "r", "1", 1.0, [(0, 14)])], "E007.*14.*13 tokens"),
    ([("0", "r", "1", 1.0, [(3, 3)])], "E007"),
    ([("0", "r", "1", 1.0, [(-1, 3)])], "E007"),
    ([("0", "r", "1", 1.0, [3])], "E007"),
    ([("0", "r", "1", 1.0, [(1, 2, 3)])], "E007"),
    ([("0", "r", "1", 1.0, [(0.7, 2.9)])], "E007"),
    ([("0", "r", "1", 7.0)], "E008"),
    ([("0", "r", "1", float("nan"))], "E008"),
    ([("0", "r", "1", 10**400)], "E008"),
    ([("0", "r", "1", None)], "E008"),
]


@pytest.mark.parametrize(("relations", "message"), BAD)
def test_bad_relations_are_refused_and_nothing_changes(ada, relations, message):
    before = get_relations(ada)
    with pytest.raises(ValueError, match=message):
        set_relations(ada, relations, status="distant")
    assert get_relations(ada) == before
    assert get_label_status(ada) == "complete"


def test_an_unknown_status_is_refused_and_nothing_changes(ada):
    before = get_relations(ada)
    with pytest.raises(ValueError, match=r"E003.*'gold'.*complete, incomplete, distant, none"):
        set_relations(ada, [], status="gold")
    assert get_relations(ada) == before


@pytest.mark.parametrize("status", STATUSES)
def test_status_is_kept_until_it_is_said_anew(ada, status):
    set_label_status(ada, status)
    set_relations(ada, [("0", "r", "1")])
    assert get_label_status(ada) == ada._.docre_labels == status


def test_a_fresh_doc_has_no_relations_and_no_status(blank):
    doc = blank("Ada was born.")
    assert get_relations(doc) == ()
    assert get_label_status(doc) == "none"
    with pytest.raises(ValueError, match=r"E001.*no entities"):
        set_relations(doc, [("0", "r", "1")])


def test_relations_of_entities_that_are_gone_are_an_error(ada):
    set_entities(ada, [[Span(ada, 0, 2, label="PER")]])
    with pytest.raises(ValueError, match=r"E001.*'1', '2'.*has '0'"):
        get_relations(ada)


def test_views_are_read_only(ada):
    with pytest.raises(AttributeError):
        get_relations(ada).append("x")
    with pytest.raises(AttributeError):
        get_relations(ada)[0].score = 0.0


@pytest.mark.parametrize(
    "other",
    [("1", "r", "0", 0.5, [(0, 7)]), ("0", "s", "1", 0.5, [(0, 7)]), ("0", "r", "1", 0.6, [(0, 7)]),
     ("0", "r", "1", 0.5, [(0, 6)])],
)  # fmt: skip
def test_relations_are_equal_by_value(ada, other):
    twin = make_doc()
    for doc in (ada, twin):
        set_relations(doc, [("0", "r", "1", 0.5, [(0, 7)])])
    assert get_relations(ada) == get_relations(twin)
    assert hash(get_relations(ada)) == hash(get_relations(twin))
    set_relations(twin, [other])
    assert get_relations(ada) != get_relations(twin)


def test_to_dict_has_offsets_of_mentions_and_evidence(ada):
    data = json.loads(json.dumps(get_relations(ada)[0].to_dict()))
    assert data["head"]["mentions"][0]["end_char"] == 12
    assert data["tail"]["name"] == "London"
    (evidence,) = data["evidence"]
    assert [evidence[k] for k in ("start", "end", "start_char", "end_char")] == [0, 7, 0, 33]


def test_the_graph_of_a_document_as_json(ada):
    data = json.loads(json.dumps(relations_to_json(ada)))
    assert data["text"] == ada.text
    assert [e["name"] for e in data["entities"]] == ["Ada Lovelace", "London", "Charles Babbage"]
    assert [(r["head"], r["label"], r["tail"]) for r in data["relations"]] == get_triples(ada)
    evidence = data["relations"][0]["evidence"][0]
    assert data["text"][evidence["start_char"] : evidence["end_char"]] == "Ada Lovelace was born in London ."


def test_a_doc_without_title_is_named_by_its_first_words(ada):
    assert get_title(ada) == "Ada Lovelace was born in London . She"
    ada.user_data["docre_title"] = "Ada"
    assert get_title(ada) == "Ada"


def test_evidence_needs_no_sentence_boundaries(ada):
    doc = Doc(ada.vocab, words=["a", "b"])
    set_entities(doc, [[doc[0:1]], [doc[1:2]]])
    set_relations(doc, [("0", "r", "1", 1.0, [(0, 2)])])
    assert not doc.has_annotation("SENT_START")
    assert [s.text for s in get_relations(doc)[0].evidence] == ["a b"]
