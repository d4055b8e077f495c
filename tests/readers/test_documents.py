"""Documents to be processed: every kind of file, and every kind of bad input said with its place."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_docre import get_entities, get_relations
from spacy_docre.annotations import (
    TEACHERS_KEY,
    TITLE_KEY,
    SoftLabels,
    get_title,
    has_mentions,
    relations_to_json,
    set_soft_labels,
)
from spacy_docre.readers.docred_export import to_docred
from spacy_docre.readers.documents import count_inputs, read_inputs, require_doc
from spacy_docre.readers.json_stream import CorpusError
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc

TEXT = "Ada Lovelace was born in London. She worked with Charles Babbage."
TOKENS = [*TEXT.replace(".", " .").split()]
DEEP = b"[" * 100_000 + b"]" * 100_000
WITHOUT_LABEL = {"start_char": 0, "end_char": 3}
MENTION = {**WITHOUT_LABEL, "label": "PER"}


def lines(*records) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def docred(*records) -> bytes:
    return json.dumps(records).encode()


def titled(title: str = "Ada"):
    doc = make_doc()
    doc.user_data[TITLE_KEY] = title
    return doc


def packed(*docs) -> bytes:
    bin_ = DocBin(store_user_data=True)
    for doc in docs:
        bin_.add(doc)
    return bin_.to_bytes()


def read(path: Path, **options) -> list[tuple[str, str]]:
    """The place of each document, from its file on, and its text or its problem."""
    found = read_inputs(path, spacy.blank("en"), **options)
    root = f"{path if path.is_dir() else path.parent}/"
    return [(x.place.replace(root, ""), x.doc.text if x.doc is not None else x.problem) for x in found]


def read_one(path: Path, **options):
    (item,) = read_inputs(path, spacy.blank("en"), **options)
    return require_doc(item)


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


KINDS = {
    "a.txt": TEXT.encode(),
    "a.csv": TEXT.encode(),
    "a": TEXT.encode(),
    "a.jsonl": lines({"text": TEXT}),
    "a.spacy": packed(titled()),
    "a.json": docred(to_docred(titled())),
    "a.json.gz": gzip.compress(docred(to_docred(titled()))),
}


PLACES = {"a.jsonl": ", line 1", "a.spacy": ", document 1", "a.json": " ('Ada')", "a.json.gz": " ('Ada')"}
ANNOTATED = ("a.spacy", "a.json", "a.json.gz")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_has_the_document(tmp_path, name):
    path = put(tmp_path / name, KINDS[name])
    doc = read_one(path)
    assert [t.text for t in doc] == TOKENS
    assert get_title(doc) == ("Ada" if name in ANNOTATED else "a.jsonl:1" if name == "a.jsonl" else "a")
    assert get_relations(doc) == ()
    assert get_entities(doc) == (get_entities(make_doc()) if name in ANNOTATED else ())
    assert has_mentions(doc) == doc.has_annotation("SENT_START") == (name in ANNOTATED)
    assert [place for place, _ in read(path)] == [name + PLACES.get(name, "")]


def test_labels_of_any_kind_stay_outside(tmp_path):
    """Relations are the pipeline's to find; soft labels belong to pairs of entities that may change."""
    doc = titled()
    set_soft_labels(doc, [SoftLabels("t", ("x",), ("0", "1", "2"), np.zeros((6, 2), dtype=np.float16))])
    write_shard([doc], tmp_path / "a.spacy")
    found = read_one(tmp_path / "a.spacy")
    assert TEACHERS_KEY not in found.user_data
    assert "place of birth" not in str(found.user_data)


def test_jsonl_titles_text_keys_blank_lines_and_line_ends(tmp_path):
    """A byte order mark, lines that end as on Windows, blank ones, no end of the last."""
    rows = [{"body": "a", "title": "A, \ud800"}, {"body": "b", "title": ""}, {"body": "c", "title": 7}]
    content = b"\xef\xbb\xbf" + b"\r\n \r\n".join(json.dumps(row).encode() for row in rows)
    found = list(read_inputs(put(tmp_path / "a.jsonl", content), spacy.blank("en"), text_key="body"))
    assert [x.place.rpartition(", ")[2] for x in found] == ["line 1", "line 3", "line 5"]
    assert [get_title(x.doc) for x in found] == ["A, \\ud800", "a.jsonl:3", "a.jsonl:5"]
    assert [x.doc.text for x in found] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", pytest.param("a.json")])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, name):
    doc = read_one(put(tmp_path / name, b"\xef\xbb\xbf" + KINDS[name]))
    assert [t.text for t in doc] == TOKENS


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 12, "Ada Lovelace"), (1, 5, "Ada Lovelace"), (25, 26, "London"), (0, len(TEXT), TEXT), (12, 16, "was")],
)
def test_mentions_by_characters_are_widened_to_tokens(tmp_path, start, end, expected):
    entities = [{"mentions": [{"start_char": start, "end_char": end, "label": "PER"}]}]
    (entity,) = get_entities(read_one(put(tmp_path / "a.jsonl", lines({"text": TEXT, "entities": entities}))))
    assert [(m.text, m.label_) for m in entity.mentions] == [(expected, "PER")]


def test_the_type_is_the_mentions_or_else_the_entitys(tmp_path):
    entities = [{"label": "X", "mentions": [MENTION, {**MENTION, "label": None}, WITHOUT_LABEL]}]
    (entity,) = get_entities(read_one(put(tmp_path / "a.jsonl", lines({"text": TEXT, "entities": entities}))))
    assert [m.label_ for m in entity.mentions] == ["PER", "X", "X"]


def test_what_is_written_as_json_is_read_again(tmp_path):
    (before,) = read_inputs(put(tmp_path / "a.spacy", packed(titled())), spacy.blank("en"))
    record = relations_to_json(before.doc)
    after = read_one(put(tmp_path / "a.jsonl", lines(record)))
    assert [e.to_dict() for e in get_entities(after)] == record["entities"]


def test_an_empty_list_of_entities_is_an_answer_and_null_is_none(tmp_path):
    """With the one, the pipeline looks for no others; with the other, it does."""
    rows = [{"text": "a", "entities": []}, {"text": "a", "entities": None}, {"text": "a"}]
    found = read_inputs(put(tmp_path / "a.jsonl", lines(*rows)), spacy.blank("en"))
    assert [has_mentions(x.doc) for x in found] == [True, False, False]


def test_a_folder_is_read_in_order_without_what_is_hidden(tmp_path):
    """Also where the folder itself is hidden."""
    root = tmp_path / ".cache"
    for name in ("b.txt", "a/2.txt", "a/10.jsonl", ".hidden.txt", ".parts/1.txt", "a/.x/1.txt", "empty.jsonl"):
        put(root / name, lines({"text": name}) if name == "a/10.jsonl" else b"" if "empty" in name else name.encode())
    expected = [("a/10.jsonl, line 1", "a/10.jsonl"), ("a/2.txt", "a/2.txt"), ("b.txt", "b.txt")]
    assert (read(root), count_inputs(root)) == (expected, 3)


BAD_LINES = {
    "no JSON": (b"{", "not valid JSON: Expecting property name"),
    "cut off": (b'{"text": "a', "not valid JSON: Unterminated string"),
    "too deep": (DEEP, "not valid JSON: maximum recursion depth"),
    "too large a number": (b'{"text": ' + b"1" * 5000 + b"}", "not valid JSON: Exceeds the limit"),
    "not UTF-8": (b'{"text": "\xe9"}', "not UTF-8 (invalid continuation byte at byte 10)"),
    "half a surrogate": (b'{"text": "a\\udc00"}', "character 1 of the text is half of a surrogate pair"),
    "a list": (b"[1]", "expected an object with 'text', found list"),
    "null": (b"null", "expected an object with 'text', found NoneType"),
    "nothing in it": (b"{}", "no text: 'text' must be a string, found nothing"),
    "another key": (b'{"body": "a", "b": 1}', "found 'body', 'b' (choose another with --text-key)"),
    "a number": (b'{"text": 3}', "no text: 'text' must be a string"),
}
BAD_ENTITIES = {
    "an object": ({}, "'entities' must be a list, found dict"),
    "false": (False, "'entities' must be a list, found bool"),
    "no entity": ([{"mentions": [MENTION]}, 7], "entities[1]: expected an object with a list of 'mentions'"),
    "empty mentions": ([{"mentions": []}], "entities[0]: expected an object with a list"),
    "a mention that is none": ([{"mentions": [MENTION, "Ada"]}], "entities[0].mentions[1]: expected 'start_char'"),
    "no type": ([{"label": 7, "mentions": [WITHOUT_LABEL]}], "entities[0].mentions[0]: expected"),
    "no end": ([{"mentions": [{"start_char": 0, "label": "PER"}]}], "entities[0].mentions[0]: expected"),
}
OFFSETS = [
    (-1, 2), (0, 6), (5, 6), (2, 2), (3, 2), (0.0, 1.0), (False, True), ("0", "1"), (0, 10**30), (float("nan"), 1),
]  # fmt: skip


@pytest.mark.parametrize(("line", "problem"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_said_and_the_others_are_read(tmp_path, line, problem):
    content = lines({"text": "before"}) + line + b"\n" + lines({"text": "after"})
    first, (place, found), last = read(put(tmp_path / "a.jsonl", content))
    assert (first, last) == (("a.jsonl, line 1", "before"), ("a.jsonl, line 3", "after"))
    assert place == "a.jsonl, line 2"
    assert problem in found


@pytest.mark.parametrize(("entities", "problem"), BAD_ENTITIES.values(), ids=BAD_ENTITIES)
def test_bad_entities_are_said_with_their_field(tmp_path, entities, problem):
    content = lines({"text": "Ada b"}, {"text": "Ada b", "entities": entities}, {"text": "Ada b"})
    first, (place, found), last = read(put(tmp_path / "a.jsonl", content))
    assert (first[1], place, last[1]) == ("Ada b", "a.jsonl, line 2", "Ada b")
    assert problem in found


@pytest.mark.parametrize(("start", "end"), OFFSETS)
def test_offsets_must_be_characters_of_the_text(tmp_path, start, end):
    mention = {"start_char": start, "end_char": end, "label": "PER"}
    ((_, found),) = read(put(tmp_path / "a.jsonl", lines({"text": "Ada b", "entities": [{"mentions": [mention]}]})))
    assert found.startswith("entities[0].mentions[0]: expected 'start_char' and 'end_char' within the text's 5 ")
    assert f"'start_char': {start!r}" in found


@pytest.mark.parametrize("mention", [{**MENTION, "label": "\ud800"}, {**MENTION, "start_char": 3, "end_char": 4}])
def test_a_mention_without_characters_is_said_with_its_field(tmp_path, mention):
    """Half a surrogate pair as its type, and the blank between two words as its text."""
    record = {"text": "Ada b", "entities": [{"mentions": [MENTION, mention]}]}
    ((_, found),) = read(put(tmp_path / "a.jsonl", lines(record)))
    assert found.startswith("entities[0].mentions[1]")


GOOD = docred(to_docred(titled("good")))[1:-1]
FILES = {
    "text in Latin-1": ("b.txt", "é".encode("latin1"), "b.txt", "not UTF-8 (unexpected end of data at byte 0)"),
    "no .spacy": ("b.spacy", b"text", "b.spacy", "docre-E022"),
    "half a .spacy": ("b.spacy", packed(titled())[:-9], "b.spacy", "docre-E022"),
    "no JSON": ("b.json", b"text", "b.json", "not valid JSON"),
    "no array": ("b.json", b"{}", "b.json", "expected a JSON array of documents"),
    "no gzip": ("b.json.gz", b"[]", "b.json.gz", "not valid gzip, or cut off"),
    "half a gzip": ("b.json.gz", gzip.compress(b"[" + GOOD + b"]")[:-12], "b.json.gz", "not valid gzip, or cut off"),
    "no title": ("b.json", docred({}), "b.json, document 1 ('')", "title: missing"),
}


@pytest.mark.parametrize(("name", "content", "place", "problem"), FILES.values(), ids=FILES)
def test_a_bad_file_is_said_and_the_others_are_read(tmp_path, name, content, place, problem):
    for other in ("a.txt", "c.txt"):
        put(tmp_path / other, b"good")
    put(tmp_path / name, content)
    first, bad, last = read(tmp_path)
    assert (first, bad[0], last) == (("a.txt", "good"), place, ("c.txt", "good"))
    assert problem in bad[1]


def test_what_is_wrong_in_docred_json_is_said_between_the_documents(tmp_path):
    """One of three has a mention behind its sentence of seven tokens; then the file is cut off."""
    bad = GOOD.replace(b'"good"', b'"bad"').replace(b"[5, 6]", b"[5, 9]")
    content = b"[" + b", ".join([GOOD, bad, GOOD.replace(b'"good"', b'"more"'), GOOD[:-9]])
    (first, _), wrong, (third, _), cut = read(put(tmp_path / "a.json", content))
    assert (first, third) == ("a.json ('good')", "a.json ('more')")
    problem = "vertexSet[1][0].pos: [5, 9] is not within sentence 0, which has 7 tokens"
    assert wrong == ("a.json, document 2 ('bad')", problem)
    assert cut[0] == "a.json, after document 3"
    assert "cut off" in cut[1]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_text_that_is_too_long_is_said(tmp_path, name):
    nlp = spacy.blank("en")
    nlp.max_length = 64
    (item,) = read_inputs(put(tmp_path / name, KINDS[name]), nlp)
    assert item.problem == "65 characters, and the pipeline takes 64 (nlp.max_length): split it"


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_file_names_may_be_no_text(tmp_path):
    put(tmp_path / os.fsdecode(b"\xff.txt"), b"a")
    ((place, text),) = read(tmp_path)
    assert (place, text) == ("\\udcff.txt", "a")
    assert get_title(read_one(tmp_path)) == "\\udcff"


@pytest.mark.parametrize(
    ("name", "content", "n"),
    [("a.txt", b"", 1), ("a.jsonl", b"\n{}\r\n  \nbad\n{}", 3), ("b.jsonl", b"", 0)]
    + [(name, b"", None) for name in ANNOTATED],
)
def test_documents_are_counted_where_that_is_cheap(tmp_path, name, content, n):
    assert count_inputs(put(tmp_path / name, content)) == n
    put(tmp_path / ".hidden.txt", b"")
    put(tmp_path / "more.txt", b"")
    assert count_inputs(tmp_path) == (None if n is None else n + 1)


def test_require_doc_raises_with_the_place(tmp_path):
    good, bad = read_inputs(put(tmp_path / "a.jsonl", lines({"text": "a"}, {})), spacy.blank("en"))
    assert require_doc(good) is good.doc
    with pytest.raises(CorpusError, match=r"docre-E020.*a\.jsonl, line 2: no text"):
        require_doc(bad)


@pytest.mark.parametrize("name", ["a.JSONL", "a.jsonl.gz", "a.Jsonl.GZ"])
def test_lines_may_be_packed_and_endings_large(tmp_path, name):
    content = lines({"text": TEXT}, {"text": "Grace"})
    (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith("gz") else content)
    assert [text for _, text in read(tmp_path / name)] == [TEXT, "Grace"]
    assert count_inputs(tmp_path / name) == 2


def test_broken_packing_is_said_and_counted_later(tmp_path):
    whole = gzip.compress(lines({"text": TEXT}) * 50)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.jsonl.gz").write_bytes(b"not packed")
    assert count_inputs(tmp_path) is None
    found = list(read_inputs(tmp_path, spacy.blank("en")))
    assert [Path(x.place.split(",")[0]).name for x in found if x.doc is None] == ["a.jsonl.gz", "b.jsonl.gz"]


def test_a_pipe_is_refused_with_the_reason(tmp_path):
    os.mkfifo(tmp_path / "texts.jsonl")
    for use in (count_inputs, lambda path: list(read_inputs(path, spacy.blank("en")))):
        with pytest.raises(ValueError, match=r"docre-E153.*read again"):
            use(tmp_path / "texts.jsonl")
    assert count_inputs(tmp_path) == 0, "in a folder it is no file"


def test_ids_may_be_numbers_and_labels_null(tmp_path):
    entities = [{"id": 17, "label": None, "mentions": [WITHOUT_LABEL]}]
    (tmp_path / "a.jsonl").write_bytes(lines({"text": TEXT, "entities": entities}))
    (found,) = read_inputs(tmp_path / "a.jsonl", spacy.blank("en"))
    assert [(e.id, e.label) for e in get_entities(require_doc(found))] == [("17", "")]
