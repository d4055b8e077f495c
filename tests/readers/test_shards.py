"""Shards: whole or nothing, in order, and without hidden states."""

import os

import numpy
import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre import get_relations
from spacy_docre.errors import once
from spacy_docre.readers.shards import (
    find_shards,
    read_shard,
    whole_or_nothing,
    without_hidden_states,
    write_shard,
    write_shards,
)
from tests.conftest import make_doc


def docs_named(*titles: str) -> list[Doc]:
    docs = [make_doc() for _ in titles]
    for doc, title in zip(docs, titles):
        doc.user_data["docre_title"] = title
    return docs


def titles_in(path) -> list[str]:
    return [doc.user_data["docre_title"] for doc in read_shard(path, Vocab())]


@pytest.fixture(params=["file", "folder"])
def target(request, tmp_path):
    """A target with content "old": a file, or a folder with one file."""
    path = tmp_path / "out"
    fill(path, "old", folder=request.param == "folder")
    return path


def fill(path, text: str, *, folder: bool) -> None:
    if folder:
        path.mkdir()
        path = path / f"{text}.spacy"
    path.write_text(text)


def content(path) -> list[str]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file.read_text() for file in files]


def test_shards_have_the_documents_in_order(tmp_path):
    assert write_shards(docs_named(*"abcde"), tmp_path, 2) == [2, 2, 1]
    shards = find_shards(tmp_path)
    assert [path.name for path in shards] == ["00000.spacy", "00001.spacy", "00002.spacy"]
    assert [titles_in(path) for path in shards] == [["a", "b"], ["c", "d"], ["e"]]


def test_all_plain_data_is_read_back(tmp_path, ada):
    assert write_shard([ada], tmp_path / "a.spacy") == 1
    (doc,) = read_shard(tmp_path / "a.spacy", Vocab())
    assert get_relations(doc) == get_relations(ada)


def test_memory_is_bounded_by_one_shard(tmp_path):
    """When document 5 is asked for, the two shards of the first four are on disk."""

    def docs():
        for i, doc in enumerate(docs_named(*"abcde")):
            assert len(find_shards(tmp_path)) == i // 2
            yield doc

    write_shards(docs(), tmp_path, 2)


def test_a_file_is_its_own_corpus_and_folders_are_searched(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/1.spacy", "a.spacy", ".hidden.spacy", "notes.txt"):
        (tmp_path / name).touch()
    assert find_shards(tmp_path) == [tmp_path / "a.spacy", tmp_path / "b" / "1.spacy"]
    assert find_shards(tmp_path / "a.spacy") == [tmp_path / "a.spacy"]


def test_what_a_killed_run_left_is_no_shard(tmp_path):
    leftover = tmp_path / ".train.x1y2" / "train"
    leftover.mkdir(parents=True)
    (leftover / "00000.spacy").touch()
    assert find_shards(tmp_path) == []


def test_hidden_states_are_not_written(tmp_path, ada):
    if not Doc.has_extension("trf_data"):
        Doc.set_extension("trf_data", default=None)
    write_shard([ada], tmp_path / "plain.spacy")
    ada.tensor = numpy.ones((len(ada), 96), dtype="f")
    ada._.trf_data = list(range(10_000))
    write_shard([ada], tmp_path / "a.spacy")
    (doc,) = read_shard(tmp_path / "a.spacy", Vocab())
    assert (doc.tensor.size, doc._.trf_data) == (0, None)
    assert len(get_relations(doc)) == 3
    assert (tmp_path / "a.spacy").stat().st_size < 1.2 * (tmp_path / "plain.spacy").stat().st_size


def test_other_extension_data_stays(ada):
    ada.user_data["._.", "mine", None, None] = 1
    assert without_hidden_states(ada).user_data["._.", "mine", None, None] == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"\x00" * 100])
def test_a_broken_file_is_said_with_its_path(tmp_path, content):
    (tmp_path / "x.spacy").write_bytes(content)
    with pytest.raises(ValueError, match=r"E022.*x\.spacy.*written completely"):
        list(read_shard(tmp_path / "x.spacy", Vocab()))


def test_a_cut_file_is_said_with_its_path(tmp_path, ada):
    write_shard([ada], tmp_path / "x.spacy")
    whole = (tmp_path / "x.spacy").read_bytes()
    (tmp_path / "x.spacy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"E022.*x\.spacy"):
        list(read_shard(tmp_path / "x.spacy", Vocab()))


def test_a_missing_file_is_said_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"E024\] No such file: .*no\.spacy"):
        list(read_shard(tmp_path / "no.spacy", Vocab()))


@pytest.mark.parametrize("folder", [True, False])
def test_whole_appears_only_at_the_end(tmp_path, folder):
    target = tmp_path / "deep" / "out"
    with whole_or_nothing(target) as tmp:
        fill(tmp, "new", folder=folder)
        assert not target.exists()
    assert content(target) == ["new"]
    assert list(target.parent.iterdir()) == [target]


def write_then_fail(target, error, *, folder: bool) -> None:
    with whole_or_nothing(target, overwrite=True, replaces=("*.spacy",) if folder else ()) as tmp:
        fill(tmp, "new", folder=folder)
        raise error


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failing_in_the_middle_leaves_nothing(tmp_path, folder, error):
    with pytest.raises(error):
        write_then_fail(tmp_path / "out", error, folder=folder)
    assert list(tmp_path.iterdir()) == []


def test_failing_in_the_middle_keeps_the_older_target(target):
    with pytest.raises(RuntimeError):
        write_then_fail(target, RuntimeError, folder=target.is_dir())
    assert content(target) == ["old"]
    assert list(target.parent.iterdir()) == [target]


def test_an_older_target_is_replaced_only_when_asked(target):
    is_folder = target.is_dir()
    exists = pytest.raises(FileExistsError, match=r"E023.*out already exists.*--overwrite")
    with exists, whole_or_nothing(target):
        pass
    with whole_or_nothing(target, overwrite=True, replaces=("*.spacy",) if is_folder else ()) as tmp:
        fill(tmp, "new", folder=is_folder)
    assert content(target) == ["new"]


def test_a_file_is_never_replaced_by_a_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with (
        pytest.raises(FileExistsError, match=r"E038.*out is a file, and a folder was to be written"),
        whole_or_nothing(tmp_path / "out", overwrite=True, replaces=("*.spacy",)),
    ):
        pass
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_of_shards_is_never_replaced_by_one_file(tmp_path):
    """`-o FOLDER` by mistake, for a command that writes one file: the shards stay."""
    fill(tmp_path / "out", "old", folder=True)
    with pytest.raises(FileExistsError, match="E032"), whole_or_nothing(tmp_path / "out", overwrite=True):
        pass
    assert content(tmp_path / "out") == ["old"]


def test_an_empty_folder_is_a_free_place(tmp_path):
    (tmp_path / "out").mkdir()
    with whole_or_nothing(tmp_path / "out") as tmp:
        fill(tmp, "new", folder=True)
    assert content(tmp_path / "out") == ["new"]


def test_a_folder_with_the_name_of_a_shard_is_searched_and_is_none(tmp_path):
    (tmp_path / "soft.spacy").mkdir()
    write_shard(docs_named("a"), tmp_path / "soft.spacy" / "0.spacy")
    assert [path.name for path in find_shards(tmp_path)] == ["0.spacy"]


@pytest.mark.parametrize("name", ["before", "now"])
def test_a_folder_may_have_any_name(tmp_path, name):
    fill(tmp_path / name, "old", folder=True)
    with whole_or_nothing(tmp_path / name, overwrite=True, replaces=["*.spacy"]) as tmp:
        fill(tmp, "new", folder=True)
    assert content(tmp_path / name) == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_older_folder_comes_back_if_the_new_one_cannot_be_put_there(tmp_path):
    """Here there is none."""
    fill(tmp_path / "out", "old", folder=True)
    with pytest.raises(FileNotFoundError), whole_or_nothing(tmp_path / "out", overwrite=True, replaces=["*.spacy"]):
        pass
    assert content(tmp_path / "out") == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_no_file_is_never_replaced_by_one(tmp_path):
    """A pipe, or /dev/stdout."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="docre-E150"), whole_or_nothing(tmp_path / "pipe", overwrite=True):
        pass
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_leads_to_what_is_replaced(tmp_path):
    fill(tmp_path / "file", "old", folder=False)
    (tmp_path / "link").symlink_to("file")
    with whole_or_nothing(tmp_path / "link", overwrite=True) as tmp:
        fill(tmp, "new", folder=False)
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "file") == ["new"]


def test_a_place_below_a_file_is_refused_before_any_work(tmp_path):
    fill(tmp_path / "file", "old", folder=False)
    with pytest.raises(NotADirectoryError, match="docre-E151"), whole_or_nothing(tmp_path / "file" / "a" / "b"):
        raise AssertionError("too late")


def test_data_that_no_file_can_take_is_left_out_and_said(tmp_path, ada, monkeypatch):
    monkeypatch.setattr(once, "_given", set())
    ada.user_data["chains"] = object()
    with pytest.warns(UserWarning, match=r"docre-W023.*chains"):
        write_shard([ada], tmp_path / "a.spacy")
    (doc,) = read_shard(tmp_path / "a.spacy", Vocab())
    assert "chains" not in doc.user_data
    assert get_relations(doc) == get_relations(ada)
