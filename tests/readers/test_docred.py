"""DocRED JSON: what is read, and that every kind of bad input is said with its place."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_label_status, get_relations
from spacy_docre.annotations import get_title, get_triples
from spacy_docre.readers.docred import read_docred
from spacy_docre.readers.docred_export import to_docred
from spacy_docre.readers.json_stream import CorpusError, iter_json_array

ADA = {
    "title": "Ada",
    "sents": [["Ada", "was", "born", "in", "London", "."], ["She", "met", "Babbage", "."]],
    "vertexSet": [
        [{"name": "Ada", "pos": [0, 1], "sent_id": 0, "type": "PER"},
         {"name": "She", "pos": [0, 1], "sent_id": 1, "type": "PER"}],
        [{"name": "London", "pos": [4, 5], "sent_id": 0, "type": "LOC"}],
        [{"name": "Babbage", "pos": [2, 3], "sent_id": 1, "type": "PER"}],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P19", "evidence": [0]}, {"h": 0, "t": 2, "r": "P737", "evidence": []}],
}  # fmt: skip


def record(**fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(ADA), **fields}


def write(path: Path, *records: Any) -> Path:
    path.write_text(json.dumps(records), encoding="utf8")
    return path


def read(folder: Path, *records: Any, **settings: Any) -> list[Doc]:
    return list(read_docred(write(folder / "train.json", *records), Vocab(), **settings))


def test_a_document_by_hand(tmp_path):
    """The second sentence starts at token 6: "She" is token 6, "Babbage" 6 + 2 = 8; evidence 0 is 0 to 6."""
    (doc,) = read(tmp_path, ADA)
    assert get_title(doc) == "Ada"
    assert [s.text for s in doc.sents] == ["Ada was born in London .", "She met Babbage ."]
    entities = [(e.id, e.label, [(m.start, m.end) for m in e.mentions]) for e in get_entities(doc)]
    assert entities == [("0", "PER", [(0, 1), (6, 7)]), ("1", "LOC", [(4, 5)]), ("2", "PER", [(8, 9)])]
    assert get_triples(doc) == [("0", "P19", "1"), ("0", "P737", "2")]
    assert [(s.start, s.end) for s in get_relations(doc)[0].evidence] == [(0, 6)]
    assert [(e.text, e.label_) for e in doc.ents][-1] == ("Babbage", "PER")


@pytest.mark.parametrize("status", ["complete", "incomplete", "distant"])
def test_status_is_what_the_user_says(tmp_path, status):
    (doc,) = read(tmp_path, ADA, status=status)
    assert get_label_status(doc) == status
    assert len(get_relations(doc)) == 2


@pytest.mark.parametrize("labels", [..., ADA["labels"]], ids=["without", "with"])
def test_labels_are_neither_needed_nor_read_where_the_status_is_none(tmp_path, labels):
    (doc,) = read(tmp_path, changed("labels", labels), status="none")
    assert (get_label_status(doc), get_relations(doc)) == ("none", ())


def test_names_make_labels_readable(tmp_path):
    (doc,) = read(tmp_path, ADA, names={"P19": "place of birth", "P737": "influenced by"})
    assert [r.label_ for r in get_relations(doc)] == ["place of birth", "influenced by"]
    with pytest.raises(CorpusError, match=r"labels\[1\]\.r: .*'P737' is not among the names"):
        read(tmp_path, ADA, names={"P19": "place of birth"})


def changed(field: str, value: Any) -> dict[str, Any]:
    """ADA with another value at a path like "vertexSet.0.1.pos"; a value of ... deletes the key."""
    bad = record()
    *parents, last = [int(key) if key.isdigit() else key for key in field.split(".")]
    place: Any = bad
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return bad


BAD_FIELDS = [
    ("sents.1.2", "", "sents[1][2]: the token is empty"),
    ("title", ..., "title: missing"),
    ("title", 7, "title: expected str, got int '7'"),
    ("title", None, "title: expected str, got NoneType"),
    ("sents", ..., "sents: missing"),
    ("sents", "Ada was", "sents: expected list, got str"),
    ("sents.1", "She met", "sents[1]: expected a list of tokens, got str"),
    ("sents.1.2", 7, "sents[1][2]: expected a token (str), got int '7'"),
    ("vertexSet", ..., "vertexSet: missing"),
    ("vertexSet", {}, "vertexSet: expected list, got dict"),
    ("vertexSet.1", [], "vertexSet[1]: the entity has no mention"),
    ("vertexSet.1", {}, "vertexSet[1]: expected a list of mentions, got dict"),
    ("vertexSet.1.0", "London", "vertexSet[1][0]: expected an object, got str"),
    ("vertexSet.1.0.type", ..., "vertexSet[1][0].type: missing"),
    ("vertexSet.1.0.type", 5, "vertexSet[1][0].type: expected str, got int"),
    ("vertexSet.1.0.sent_id", ..., "vertexSet[1][0].sent_id: missing"),
    ("vertexSet.1.0.sent_id", 2, "vertexSet[1][0].sent_id: 2 is out of range: the document has 2 sentences"),
    ("vertexSet.1.0.sent_id", -1, "vertexSet[1][0].sent_id: -1 is out of range"),
    ("vertexSet.1.0.sent_id", False, "vertexSet[1][0].sent_id: expected int, got bool"),
    ("vertexSet.1.0.sent_id", 0.0, "vertexSet[1][0].sent_id: expected int, got float"),
    ("vertexSet.1.0.pos", ..., "vertexSet[1][0].pos: missing"),
    ("vertexSet.1.0.pos", 4, "vertexSet[1][0].pos: expected list, got int"),
    ("vertexSet.1.0.pos", [4], "vertexSet[1][0].pos: expected [start, end], two integers, got [4]"),
    ("vertexSet.1.0.pos", [False, True], "vertexSet[1][0].pos: expected [start, end], two integers"),
    ("vertexSet.1.0.pos", [4.0, 5], "vertexSet[1][0].pos: expected [start, end], two integers"),
    ("vertexSet.1.0.pos", [5, 7], "vertexSet[1][0].pos: [5, 7] is not within sentence 0, which has 6 tokens"),
    ("vertexSet.1.0.pos", [4, 4], "vertexSet[1][0].pos: [4, 4] is not within sentence 0"),
    ("vertexSet.1.0.pos", [-1, 1], "vertexSet[1][0].pos: [-1, 1] is not within sentence 0"),
    ("labels", ..., "labels: missing"),
    ("labels", {}, "labels: expected list, got dict"),
    ("labels.1", "P19", "labels[1]: expected an object, got str"),
    ("labels.1.h", ..., "labels[1].h: missing"),
    ("labels.1.h", 3, "labels[1].h: 3 is out of range: the document has 3 entities"),
    ("labels.1.h", -1, "labels[1].h: -1 is out of range"),
    ("labels.1.h", True, "labels[1].h: expected int, got bool"),
    ("labels.1.t", 1.0, "labels[1].t: expected int, got float '1.0'"),
    ("labels.1.t", "1", "labels[1].t: expected int, got str"),
    ("labels.1.t", 0, "labels[1]: head and tail are the same entity (0)"),
    ("labels.1.r", ..., "labels[1].r: missing"),
    ("labels.1.r", 19, "labels[1].r: expected str, got int"),
    ("labels.1.r", "", "labels[1].r: the relation has no name"),
    ("labels.1.evidence", None, "labels[1].evidence: expected a list of sentence numbers, got NoneType"),
    ("labels.1.evidence", [0, 2], "labels[1].evidence[1]: no sentence 2: the document has 2 sentences"),
    ("labels.1.evidence", [True], "labels[1].evidence[0]: no sentence True"),
]


@pytest.mark.parametrize(("field", "value", "problem"), BAD_FIELDS)
def test_bad_fields_are_said_with_file_number_title_and_field(tmp_path, field, value, problem):
    title = repr(str(changed(field, value).get("title", "")))
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, ADA, changed(field, value))
    place = f"{tmp_path / 'train.json'}, document 2 ({title})"
    assert str(caught.value).startswith(f"[docre-E020] {place}: {problem}")


@pytest.mark.parametrize("bad", ["text", 7, None, []])
def test_what_is_no_document_is_said_with_its_number(tmp_path, bad):
    with pytest.raises(CorpusError, match=r"document 2 \(''\): document: expected an object, got"):
        read(tmp_path, ADA, bad)


def test_good_documents_come_before_the_error(tmp_path):
    docs = read_docred(write(tmp_path / "a.json", ADA, 7), Vocab())
    assert get_title(next(docs)) == "Ada"
    with pytest.raises(CorpusError):
        next(docs)


def test_invalid_documents_can_be_left_out_and_are_told(tmp_path):
    errors: list[CorpusError] = []
    records = [record(title="0"), changed("labels.1.h", 9), record(title="2"), 7]
    docs = read(tmp_path, *records, on_invalid=errors.append)
    assert [get_title(doc) for doc in docs] == ["0", "2"]
    found = [str(error).removeprefix(f"[docre-E020] {tmp_path / 'train.json'}, ") for error in errors]
    assert [message.split(":")[0] for message in found] == ["document 2 ('Ada')", "document 4 ('')"]


BAD_FILES = {
    "nothing": (b"", "train.json: not valid JSON"),
    "not JSON": (b"title: Ada", "train.json: not valid JSON"),
    "an object": (b'{"title": "Ada"}', "train.json: expected a JSON array of documents"),
    "cut in the second": (b'[{"a": 1}, {"a": ', "train.json, after document 1: not valid JSON, or cut off"),
    "cut before the end": (b'[{"a": 1}', "train.json, after document 1: not valid JSON, or cut off"),
    "one object per line": (b'{"a": 1}\n{"a": 2}\n', "train.json: expected a JSON array of documents"),
    "something after the end": (b'[{"a": 1}] 7', "train.json, after document 1: not valid JSON"),
    "not UTF-8": (b'[{"a": "\xe9"}]', "train.json: not valid JSON"),
    "not a number": (b'[{"a": NaN}]', "train.json: not valid JSON"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_are_said_with_their_place(tmp_path, content, message):
    path = tmp_path / "train.json"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="E020") as caught:
        list(iter_json_array(path))
    assert message in str(caught.value)


TOKENS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
NAMES = st.text("PXé 1", min_size=1, max_size=3)


@st.composite
def records(draw) -> dict[str, Any]:
    """A valid document: any tokens, overlapping and repeated mentions, repeated labels."""
    sents = draw(st.lists(st.lists(TOKENS, min_size=1, max_size=4), max_size=3))

    def mention() -> dict[str, Any]:
        sent_id = draw(st.integers(0, len(sents) - 1))
        start = draw(st.integers(0, len(sents[sent_id]) - 1))
        end = draw(st.integers(start + 1, len(sents[sent_id])))
        return {"pos": [start, end], "sent_id": sent_id, "type": draw(NAMES)}

    n_entities = draw(st.integers(0, 3)) if sents else 0
    entities = [[mention() for _ in range(draw(st.integers(1, 2)))] for _ in range(n_entities)]
    labels = []
    for _ in range(draw(st.integers(0, 3)) if n_entities > 1 else 0):
        head, tail = draw(st.permutations(range(n_entities)))[:2]
        evidence = sorted(draw(st.sets(st.integers(0, len(sents) - 1))))
        labels.append({"h": head, "t": tail, "r": draw(NAMES), "evidence": evidence})
    return {"title": draw(TOKENS), "sents": sents, "vertexSet": entities, "labels": labels}


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=2))
def test_docred_to_docs_to_docred_is_the_same(originals):
    with tempfile.TemporaryDirectory() as folder:
        back = [to_docred(doc) for doc in read(Path(folder), *originals)]
    for mention in (m for document in back for entity in document["vertexSet"] for m in entity):
        del mention["name"]
    assert back == originals
