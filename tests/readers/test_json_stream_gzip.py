"""DocRED JSON in gzip: read like the bare file, and said with its place where it is broken."""

import gzip
import json
import random
from pathlib import Path

import pytest
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_docre.annotations import get_title, get_triples
from spacy_docre.cli import app
from spacy_docre.readers.docred import read_docred
from spacy_docre.readers.docred_export import to_docred
from spacy_docre.readers.json_stream import CorpusError, iter_json_array
from spacy_docre.readers.shards import read_shard

from .test_docred import ADA, changed, record

PACKED = gzip.compress(json.dumps([ADA]).encode())


def write_gz(path: Path, *records) -> Path:
    path.write_bytes(gzip.compress(json.dumps(records).encode()))
    return path


@pytest.fixture
def large(tmp_path) -> Path:
    """10,000 records that pack badly: many times what is unpacked at once."""
    rng = random.Random(0)
    return write_gz(tmp_path / "large.json.gz", *({"i": i, "x": rng.random()} for i in range(10_000)))


def error(path: Path) -> str:
    with pytest.raises(CorpusError, match="E020") as caught:
        list(iter_json_array(path))
    return str(caught.value)


def test_there_and_back_is_the_same(tmp_path):
    path = write_gz(tmp_path / "train.json.gz", ADA, record(title="Ada é"))
    docs = list(read_docred(path, Vocab()))
    assert [get_title(doc) for doc in docs] == ["Ada", "Ada é"]
    assert get_triples(docs[0]) == [("0", "P19", "1"), ("0", "P737", "2")]
    back = [to_docred(doc) for doc in docs]
    for mention in (m for document in back for entity in document["vertexSet"] for m in entity):
        mention.pop("name")
    bare = [{**ADA, "vertexSet": [[{k: m[k] for k in m if k != "name"} for m in e] for e in ADA["vertexSet"]]}]
    assert back == [*bare, {**bare[0], "title": "Ada é"}]


def test_packed_and_bare_files_have_the_same_items(tmp_path, large):
    bare = tmp_path / "large.json"
    bare.write_bytes(gzip.decompress(large.read_bytes()))
    assert list(iter_json_array(large)) == list(iter_json_array(bare))


def test_a_file_of_several_members(tmp_path):
    """What `cat a.gz b.gz` makes is one file."""
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'[{"a": 1}, ') + gzip.compress(b'{"a": 2}]'))
    assert list(iter_json_array(tmp_path / "a.json.gz")) == [{"a": 1}, {"a": 2}]


def test_it_is_converted(tmp_path):
    path = write_gz(tmp_path / "train.json.gz", ADA, record(title="second"))
    result = CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "out.spacy")])
    assert result.exit_code == 0
    assert [get_title(doc) for doc in read_shard(tmp_path / "out.spacy", Vocab())] == ["Ada", "second"]


def test_bad_fields_are_said_with_file_number_and_title(tmp_path):
    path = write_gz(tmp_path / "train.json.gz", ADA, changed("labels.1.h", 3))
    with pytest.raises(CorpusError) as caught:
        list(read_docred(path, Vocab()))
    assert str(caught.value).startswith(f"[docre-E020] {path}, document 2 ('Ada'): labels[1].h: 3 is out of range")


BAD_FILES = {
    "not packed": (json.dumps([ADA]).encode(), "not valid gzip, or cut off (Not a gzipped file"),
    "text": (b"title: Ada", "not valid gzip, or cut off (Not a gzipped file"),
    "cut in the header": (PACKED[:5], "not valid gzip, or cut off"),
    "cut in the middle": (PACKED[:60], "not valid gzip, or cut off"),
    "cut at the end": (PACKED[:-4], "not valid gzip, or cut off"),
    "bytes changed": (PACKED[:20] + b"\xff" * 40 + PACKED[60:], "not valid gzip, or cut off"),
    "another checksum": (PACKED[:-8] + b"\0" * 8, "not valid gzip, or cut off (CRC check failed"),
    "something after the end": (PACKED + b"more", "not valid gzip, or cut off"),
    "nothing": (b"", "not valid JSON"),
    "nothing, packed": (gzip.compress(b""), "not valid JSON"),
    "no JSON, packed": (gzip.compress(b"title: Ada"), "not valid JSON"),
    "an object, packed": (gzip.compress(b'{"title": "Ada"}'), "expected a JSON array of documents"),
    "cut before it was packed": (gzip.compress(b'[{"a": 1}, {"a": '), "not valid JSON, or cut off"),
    "not UTF-8, packed": (gzip.compress(b'[{"a": "\xe9"}]'), "not valid JSON"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_are_said_with_their_place(tmp_path, content, message):
    path = tmp_path / "train.json.gz"
    path.write_bytes(content)
    said = error(path)
    assert said.startswith(f"[docre-E020] {path}")
    assert message in said


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_large_file_that_is_cut_gives_what_came_before(large, share):
    content = large.read_bytes()
    large.write_bytes(content[: int(share * len(content))])
    found = []
    with pytest.raises(CorpusError) as caught:
        found.extend(iter_json_array(large))  # keeps what came before the error
    assert [item["i"] for item in found] == list(range(len(found)))
    assert 0 < len(found) < 10_000
    assert str(caught.value).startswith(
        f"[docre-E020] {large}, after document {len(found)}: not valid gzip, or cut off"
    )


def test_a_cut_file_is_not_converted(tmp_path):
    path = write_gz(tmp_path / "train.json.gz", ADA)
    path.write_bytes(path.read_bytes()[:-20])
    result = CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "out.spacy"), "--skip-invalid"])
    assert result.exit_code == 1
    assert "Nothing was written" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["train.json.gz"]
