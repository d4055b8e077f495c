"""The manifest of a folder that is written little by little, and readers that do not take half of it."""

import hashlib
import json

import pytest
import spacy

from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.manifest import (
    MANIFEST,
    Manifest,
    create_teacher_labels_v1,
    read_manifest,
    require_finished,
    sha256,
)
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc

SETTINGS = {"teachers": [{"name": "tëacher/best", "sha256": "1f"}], "docs_per_shard": 2}


def manifest(*, complete: bool = True, n_shards: int = 2) -> Manifest:
    shards = [{"file": f"{i:05}.spacy", "n_docs": 2 + i, "n_pairs": 6, "sha256": "0"} for i in range(n_shards)]
    return Manifest(SETTINGS, ["place of birth", "né à"], shards, complete)


def write_folder(folder, stored: Manifest):
    for shard in stored.shards:
        write_shard([make_doc() for _ in range(shard["n_docs"])], folder / shard["file"])
        shard["sha256"] = sha256(folder / shard["file"])
    stored.write(folder)
    return folder


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("n_shards", [0, 2])
def test_written_and_read_is_the_same(tmp_path, complete, n_shards):
    stored = manifest(complete=complete, n_shards=n_shards)
    stored.write(tmp_path)
    assert read_manifest(tmp_path) == stored
    assert [p.name for p in tmp_path.iterdir()] == [MANIFEST]


def test_it_counts_documents():
    assert manifest().n_docs == 2 + 3
    assert Manifest({}, []).n_docs == 0


def test_writing_replaces_the_earlier_one_and_what_a_killed_run_left(tmp_path):
    manifest(complete=False).write(tmp_path)
    (tmp_path / f".{MANIFEST}").write_text('{"format": 1, "sett', encoding="utf8")
    assert read_manifest(tmp_path) == manifest(complete=False)
    manifest().write(tmp_path)
    assert read_manifest(tmp_path).complete
    assert [p.name for p in tmp_path.iterdir()] == [MANIFEST]


def test_a_person_can_read_it(tmp_path):
    manifest().write(tmp_path)
    text = (tmp_path / MANIFEST).read_text(encoding="utf8")
    assert "né à" in text
    assert json.loads(text)["labels"] == ["place of birth", "né à"]


def test_there_is_none(tmp_path):
    assert read_manifest(tmp_path) is None
    require_finished(tmp_path)


BAD = {
    "no JSON": "{",
    "nothing": "",
    "another format": '{"format": 2, "settings": {}, "labels": [], "shards": []}',
    "no labels": '{"format": 1, "settings": {}, "shards": []}',
    "something more": '{"format": 1, "settings": {}, "labels": [], "shards": [], "icons": []}',
}
FOREIGN = {
    "a list": "[]",
    "text": '"manifest"',
    "no format": '{"settings": {}, "labels": [], "shards": []}',
    "an app's": '{"format": 1, "name": "app", "icons": []}',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_manifest_is_said_with_its_path(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text, encoding="utf8")
    for read in (read_manifest, require_finished):
        with pytest.raises(ValueError, match=r"docre-E112") as error:
            read(tmp_path)
        assert str(tmp_path / MANIFEST) in str(error.value)


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_somebody_elses_manifest_is_nothing_to_a_corpus(tmp_path, blank, text):
    write_shard([make_doc()], tmp_path / "a.spacy")
    (tmp_path / MANIFEST).write_text(text, encoding="utf8")
    assert read_manifest(tmp_path) is None
    assert len(list(create_corpus_v1(tmp_path)(blank))) == 1


def test_bytes_that_are_no_text_are_said_too(tmp_path):
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"docre-E112"):
        read_manifest(tmp_path)


def test_a_shard_that_goes_missing_between_passes_is_said(tmp_path, blank):
    """Checksums are looked at once, what is there each time."""
    stored = manifest()
    corpus = create_corpus_v1(write_folder(tmp_path, stored))
    assert len(list(corpus(blank))) == stored.n_docs
    write_shard([make_doc()], tmp_path / "00001.spacy")
    assert len(list(corpus(blank))) == 3
    (tmp_path / "00001.spacy").unlink()
    with pytest.raises(ValueError, match=r"docre-E113.*00001"):
        list(corpus(blank))


def test_the_corpus_reads_a_finished_folder(tmp_path, blank):
    write_folder(tmp_path, manifest())
    assert len(list(create_corpus_v1(tmp_path)(blank))) == 5


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_corpus_refuses_an_unfinished_folder(tmp_path, blank, shuffle):
    write_folder(tmp_path, manifest(complete=False))
    with pytest.raises(ValueError, match=r"docre-E114.*5 documents so far.*docre annotate` again") as error:
        next(iter(create_corpus_v1(tmp_path, shuffle=shuffle)(blank)))
    assert str(tmp_path) in str(error.value)


def test_the_corpus_refuses_a_folder_with_missing_shards(tmp_path, blank):
    """It would train on less than it says, in silence."""
    write_folder(tmp_path, manifest())
    (tmp_path / "00001.spacy").unlink()
    with pytest.raises(ValueError, match=r"docre-E113.*lacks files that its manifest lists: 00001\.spacy"):
        list(create_corpus_v1(tmp_path)(blank))


def test_the_corpus_refuses_a_shard_that_was_changed(tmp_path, blank):
    write_folder(tmp_path, manifest())
    write_shard([make_doc()], tmp_path / "00001.spacy")
    with pytest.raises(ValueError, match=r"docre-E138.*not as its manifest says.*00001\.spacy"):
        list(create_corpus_v1(tmp_path)(blank))


def test_the_corpus_looks_into_folders_of_folders(tmp_path, blank):
    """As it reads their shards."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_folder(tmp_path / "a", manifest())
    write_folder(tmp_path / "b", manifest())
    assert len(list(create_corpus_v1(tmp_path)(blank))) == 10
    manifest(complete=False, n_shards=0).write(tmp_path / "b")
    with pytest.raises(ValueError, match=r"docre-E114") as error:
        list(create_corpus_v1(tmp_path)(blank))
    assert str(tmp_path / "b") in str(error.value)


def test_single_shards_of_an_unfinished_folder_can_be_read(tmp_path, blank):
    """By their name: who asks for a file gets it."""
    write_folder(tmp_path, manifest(complete=False))
    assert len(list(create_corpus_v1(tmp_path / "00000.spacy")(blank))) == 2


def test_folders_without_a_manifest_are_read_as_ever(tmp_path):
    write_shard([make_doc()], tmp_path / "a.spacy")
    assert len(list(create_corpus_v1(tmp_path)(spacy.blank("en")))) == 1


def test_sha256_is_of_all_contents_in_order(tmp_path):
    big = b"x" * (3 << 20)
    (tmp_path / "a").write_bytes(big)
    (tmp_path / "b").write_bytes(b"y")
    assert sha256(tmp_path / "a", tmp_path / "b") == hashlib.sha256(big + b"y").hexdigest()
    assert sha256(tmp_path / "b", tmp_path / "a") != sha256(tmp_path / "a", tmp_path / "b")
    assert sha256() == hashlib.sha256().hexdigest()


def test_a_students_labels_are_its_teachers(tmp_path):
    folder = write_folder(tmp_path, manifest())
    assert create_teacher_labels_v1(str(folder)) == ["place of birth", "né à"]


def test_without_a_teacher_the_documents_have_the_labels(tmp_path):
    write_shard([make_doc()], tmp_path / "a.spacy")
    for path in (tmp_path, tmp_path / "a.spacy"):
        assert create_teacher_labels_v1(path) is None
