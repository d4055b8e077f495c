"""Labels of a machine in a file of their own, joined to documents by title."""

import copy
import json

import pytest

from spacy_docre import get_label_status
from spacy_docre.annotations import get_title, get_triples
from spacy_docre.readers.distant import DistantLabels
from spacy_docre.readers.json_stream import CorpusError

from .test_docred import ADA, read, record

ROW = {"title": "Ada", "labels": [{"h": 2, "r": "P19", "t": 1}]}


@pytest.fixture
def write(tmp_path):
    """Write rows as JSONL, or lines as they are; returns the path."""

    def write_rows(*rows):
        path = tmp_path / "labels.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines), encoding="utf8")
        return path

    return write_rows


def row(title: str, *labels) -> dict:
    return {"title": title, "labels": [{"h": h, "r": r, "t": t} for h, r, t in labels]}


def test_labels_take_the_place_of_the_documents_own(tmp_path, write):
    (doc,) = read(tmp_path, ADA, distant=DistantLabels(write(ROW)))
    assert get_triples(doc) == [("2", "P19", "1")]
    assert get_label_status(doc) == "distant"


def test_titles_join_them_whatever_the_order(tmp_path, write):
    distant = DistantLabels(write(row("c", (0, "P1", 1)), row("a", (1, "P2", 0), (0, "P3", 2)), row("b")))
    docs = read(tmp_path, *(record(title=t) for t in "abcd"), distant=distant)
    assert {get_title(doc): get_triples(doc) for doc in docs} == {
        "a": [("1", "P2", "0"), ("0", "P3", "2")],
        "b": [],
        "c": [("0", "P1", "1")],
        "d": [],
    }
    assert [get_label_status(doc) for doc in docs] == ["distant", "distant", "distant", "none"]


def test_documents_without_a_row_may_have_no_labels_of_their_own(tmp_path, write):
    """Their own labels are not read either: the status is "none", whatever was asked for."""
    bare = {k: v for k, v in record(title="bare").items() if k != "labels"}
    named = {**bare, "title": "Ada"}
    docs = read(tmp_path, bare, named, record(title="own"), distant=DistantLabels(write(ROW)), status="incomplete")
    assert [get_label_status(doc) for doc in docs] == ["none", "distant", "none"]
    assert [len(get_triples(doc)) for doc in docs] == [0, 1, 0]


def test_rows_may_have_other_fields_and_lines_may_be_empty(write):
    full = {**ROW, "source": "wikidata", "labels": [{**ROW["labels"][0], "evidence": [0], "score": 0.5}]}
    distant = DistantLabels(write("", full, "   ", row("b"), ""))
    assert distant.by_title.keys() == {"Ada", "b"}


def test_evidence_is_read(tmp_path, write):
    from spacy_docre import get_relations

    full = {**ROW, "labels": [{**ROW["labels"][0], "evidence": [1]}]}
    (doc,) = read(tmp_path, ADA, distant=DistantLabels(write(full)))
    assert [(e.start, e.end) for e in get_relations(doc)[0].evidence] == [(6, 10)]


def test_the_record_stays_as_it_is(write):
    original = record()
    joined, status = DistantLabels(write(ROW)).join(original)
    assert original == ADA
    assert status == "distant"
    assert joined == {**copy.deepcopy(ADA), "labels": ROW["labels"]}


def test_rows_without_a_document_are_told(tmp_path, write):
    distant = DistantLabels(write(row("x"), ROW, row("y")))
    assert distant.unused == ["x", "Ada", "y"]
    read(tmp_path, ADA, record(title="other"), distant=distant)
    assert distant.unused == ["x", "y"]


def test_names_make_labels_readable(tmp_path, write):
    """And a label that is not among them is said with the document."""
    distant = DistantLabels(write(row("Ada", (0, "P19", 1)), row("b", (0, "P999", 1))))
    names = {"P19": "place of birth"}
    (doc,) = read(tmp_path, ADA, distant=distant, names=names)
    assert get_triples(doc) == [("0", "place of birth", "1")]
    with pytest.raises(CorpusError, match=r"document 1 \('b'\): labels\[0\]\.r: .*'P999'"):
        read(tmp_path, record(title="b"), distant=distant, names=names)


BAD_ROWS = {
    "cut off": ('{"title": "b", "labels": [', "not valid JSON"),
    "two on a line": ('{"title": "b", "labels": []} {}', "not valid JSON"),
    "a list": ("[]", "expected"),
    "null": ("null", "expected"),
    "no title": ('{"labels": []}', "expected"),
    "no labels": ('{"title": "b"}', "expected"),
    "a number as title": ('{"title": 7, "labels": []}', "expected"),
    "labels in an object": ('{"title": "b", "labels": {}}', "expected"),
    "a title that came before": (json.dumps(ROW), "'Ada' has labels in an earlier line"),
}


@pytest.mark.parametrize(("line", "problem"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_said_with_file_and_line(write, line, problem):
    """Empty lines count."""
    path = write(ROW, "", line)
    with pytest.raises(CorpusError) as error:
        DistantLabels(path)
    assert str(error.value).startswith(f"[docre-E020] {path}, line 3: {problem}")


BAD_LABELS = [
    ({"h": 9, "r": "P19", "t": 1}, "labels[0].h: 9 is out of range: the document has 3 entities"),
    ({"h": 0, "r": "P19", "t": 3}, "labels[0].t: 3 is out of range"),
    ({"h": -1, "r": "P19", "t": 1}, "labels[0].h: -1 is out of range"),
    ({"h": 1, "r": "P19", "t": 1}, "labels[0]: head and tail are the same entity"),
    ({"h": 0, "t": 1}, "labels[0].r: missing"),
    ({"h": "0", "r": "P19", "t": 1}, "labels[0].h: expected int, got str"),
    ("P19", "labels[0]: expected an object, got str"),
]


@pytest.mark.parametrize(("label", "problem"), BAD_LABELS)
def test_bad_labels_are_said_with_document_and_field(tmp_path, write, label, problem):
    """They may be left out, as other invalid documents."""
    distant = DistantLabels(write({"title": "b", "labels": [label]}))
    with pytest.raises(CorpusError) as error:
        read(tmp_path, ADA, record(title="b"), distant=distant)
    assert f"document 2 ('b'): {problem}" in str(error.value)
    left_out: list[CorpusError] = []
    docs = read(tmp_path, ADA, record(title="b"), distant=distant, on_invalid=left_out.append)
    assert [get_title(doc) for doc in docs] == ["Ada"]
    assert len(left_out) == 1


@pytest.mark.parametrize("bad", [7, "text", None, [], {"sents": []}, {"title": ["Ada"]}])
def test_what_is_no_document_is_said_as_ever(tmp_path, write, bad):
    with pytest.raises(CorpusError, match="document 2"):
        read(tmp_path, ADA, bad, distant=DistantLabels(write(ROW)))


def test_a_title_that_two_documents_have_joins_the_first_only(tmp_path, write):
    """The row numbers the entities of one of them."""
    with pytest.raises(CorpusError, match=r"document 2 \('a'\).*title.*an earlier document has the same one"):
        read(tmp_path, record(title="a"), record(title="a"), distant=DistantLabels(write(row("a", (0, "P1", 1)))))
    problems: list[CorpusError] = []
    distant = DistantLabels(write(row("a", (0, "P1", 1))))
    docs = read(tmp_path, *(record(title=t) for t in "aab"), distant=distant, on_invalid=problems.append)
    assert [get_title(doc) for doc in docs] == ["a", "b"]
    assert len(problems) == 1


def test_a_line_that_is_no_utf8_is_said_with_its_place(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"title": "Ada", "labels": []}\n{"title": "Ren\xe9", "labels": []}\n')
    with pytest.raises(CorpusError, match=r"labels\.jsonl, line 2: not valid JSON in UTF-8.*0xe9"):
        DistantLabels(path)


def test_a_byte_order_mark_is_no_part_of_the_labels(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"title": "Ada", "labels": []}\n')
    assert DistantLabels(path).by_title.keys() == {"Ada"}
