"""`python -m spacy docre apply`: what it says, what it refuses, and what it leaves behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from spacy_docre.inference.apply import apply
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..inference.test_killed import Stopped, stop_after
from ..pipelines import save_naming_pipeline
from .test_evaluate import plain, run

ADA = "Ada Lovelace was born in London. She worked with Charles Babbage."
CODE = """
from spacy.language import Language

@Language.component("test-cli-apply-fails")
def fails(doc):
    if "fails" in doc.text:
        raise RuntimeError("I said so")
    return doc
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    names = {"Ada Lovelace": "PER", "London": "LOC", "Charles Babbage": "PER"}
    return save_naming_pipeline(tmp_path_factory.mktemp("model"), names)


def write_lines(path: Path, *rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def data(tmp_path) -> Path:
    """One good document, one without text, and another good one."""
    return write_lines(tmp_path / "in.jsonl", {"text": ADA}, {"body": "Bob"}, {"text": "Bob", "body": ADA})


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").split("\n")[:-1]]


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.spacy", "out"])
def test_it_says_what_it_wrote_and_what_it_left_out(model, data, tmp_path, name):
    code, text = run("apply", model, data, tmp_path / name)
    assert code == 0
    assert f"Left out: {data}, line 2: no text: 'text' must be a string, found 'body'" in plain(text)
    assert f"1 document(s) left out, listed in {tmp_path / name}.left_out.jsonl" in plain(text)
    assert f"2 documents, 3 relations: {tmp_path / name}" in plain(text)
    assert names(tmp_path) == ["in.jsonl", name, f"{name}.left_out.jsonl"]
    (row,) = records(tmp_path / f"{name}.left_out.jsonl")
    assert row["place"] == f"{data}, line 2"
    assert row["problem"].startswith("no text")


def test_all_that_is_left_out_is_listed_and_ten_are_shown(model, tmp_path):
    data = write_lines(tmp_path / "in.jsonl", *[{}] * 12, {"text": "a"})
    _, text = run("apply", model, data, tmp_path / "out.jsonl")
    assert text.count("Left out:") == 10
    assert "12 document(s) left out" in plain(text)
    assert len(records(tmp_path / "out.jsonl.left_out.jsonl")) == 12


def test_a_list_of_an_earlier_run_goes_when_nothing_is_left_out(model, data, tmp_path):
    run("apply", model, data, tmp_path / "out.jsonl")
    code, text = run("apply", model, write_lines(data, {"text": ADA}), tmp_path / "out.jsonl", "--force")
    assert code == 0
    assert "left out" not in text.lower()
    assert names(tmp_path) == ["in.jsonl", "out.jsonl"]


def test_options_reach_the_documents(model, data, tmp_path):
    code, text = run("apply", model, data, tmp_path / "out.jsonl", "-tk", "body", "--no-text", "-b", 1)
    assert code == 0
    assert "2 documents, 3 relations" in plain(text)
    bob, ada = records(tmp_path / "out.jsonl")
    assert [r["source"] for r in (bob, ada)] == [f"{data}, line 2", f"{data}, line 3"]
    assert [e["name"] for e in ada["entities"]] == ["Ada Lovelace", "London", "Charles Babbage"]
    assert "worked" not in (tmp_path / "out.jsonl").read_text()


def test_two_processes_are_as_one_and_know_the_users_code(model, tmp_path):
    """One of eleven documents fails. The two have an interpreter of their own, where torch has not run yet."""
    (tmp_path / "code.py").write_text(CODE)
    exec(CODE)
    nlp = spacy.load(model)
    nlp.add_pipe("test-cli-apply-fails")
    nlp.to_disk(tmp_path / "model")
    texts = [*(f"{ADA} {i} " * (i % 3) for i in range(9)), "it fails", ADA]
    data = write_lines(tmp_path / "in.jsonl", *({"text": text} for text in texts))
    args = ["apply", tmp_path / "model", data, tmp_path / "2.jsonl", "-n", "2", "-b", "3", "-c", tmp_path / "code.py"]
    command = [sys.executable, "-m", "spacy", "docre", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{data}, line 10: RuntimeError: I said so" in plain(done.stdout)
    assert run("apply", tmp_path / "model", data, tmp_path / "1.jsonl")[0] == 0
    found = [records(tmp_path / name) for name in ("1.jsonl", "2.jsonl")]
    one, two = ([(d["source"], d["text"], len(d["relations"])) for d in rows] for rows in found)
    assert one == two
    assert [d[0].rpartition(" ")[2] for d in one] == [*map(str, range(1, 10)), "11"]
    scores = [[r["score"] for d in rows for r in d["relations"]] for rows in found]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


REFUSED = {
    "an unknown suffix": (["in.jsonl", "out.xml"], "docre-E035", "out.xml"),
    "a folder with a dot": (["in.jsonl", "out.v1"], "docre-E035", "a folder for .spacy files"),
    ".spacy without text": (["in.jsonl", "out.spacy", "--no-text"], "docre-E036", "out.spacy"),
    "a folder without text": (["in.jsonl", "out", "--no-text"], "docre-E036", "out"),
    "no text at all": (["in.jsonl", "out.jsonl", "-tk", "x"], "docre-E037", "None of 3 documents"),
    "an empty file": (["empty.jsonl", "out.jsonl"], "docre-E037", "None of 0 documents"),
    "an empty folder": (["empty", "out.jsonl"], "docre-E037", "nothing was found"),
    "an output that is there": (["in.jsonl", "there.jsonl"], "docre-E023", "--overwrite"),
    "a folder that is there": (["in.jsonl", "full"], "docre-E023", "--overwrite"),
}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.mark.parametrize(("args", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_said_and_nothing_changes(model, data, tmp_path, args, error, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    for name in ("empty.jsonl", "there.jsonl", "full/mine.txt"):
        (tmp_path / name).write_text("mine" if "empty" not in name else "")
    before = tree(tmp_path)
    source, output, *options = args
    code, text = run("apply", model, tmp_path / source, tmp_path / output, *options)
    assert code == 1
    assert "Nothing was written" in text
    assert error in text
    assert said in plain(text)
    assert tree(tmp_path) == before


def test_an_output_that_is_there_is_said_before_the_pipeline_is_loaded(data, tmp_path):
    (tmp_path / "there.jsonl").write_text("mine")
    code, text = run("apply", tmp_path / "no pipeline", data, tmp_path / "there.jsonl")
    assert (code, "docre-E023" in text) == (1, True)


@pytest.mark.parametrize(("output", "error"), [("full", "docre-E028"), ("full.jsonl", "docre-E032")])
def test_a_foreign_folder_is_refused_before_anything_is_done(model, data, tmp_path, output, error):
    (tmp_path / output).mkdir()
    (tmp_path / output / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    code, text = run("apply", model, data, tmp_path / output, "--force")
    assert (code, error in text) == (1, True)
    assert tree(tmp_path) == before


def test_a_new_folder_for_the_output_is_not_left_without_one(model, data, tmp_path):
    code, _ = run("apply", model, data, tmp_path / "new" / "out.jsonl", "-tk", "x")
    assert code == 1
    assert names(tmp_path) == ["in.jsonl"]


def test_pipelines_that_are_none_or_find_no_relations(blank, data, tmp_path):
    blank.to_disk(tmp_path / "blank")
    for model, said in (("blank", "docre-E102"), ("no_such_model", "no_such_model")):
        code, text = run("apply", tmp_path / model, data, tmp_path / "out.jsonl")
        assert code == 1
        assert said in plain(text)
        assert "Traceback" not in text
    assert names(tmp_path) == ["blank", "in.jsonl"]


def test_data_that_is_not_there_is_wrong_usage(model, tmp_path):
    code, text = run("apply", model, tmp_path / "no.jsonl", tmp_path / "out.jsonl")
    assert code == 2
    assert "no.jsonl" in "".join(text.split())


@pytest.mark.parametrize("name", ["out.jsonl", "out"])
def test_force_replaces_the_output(model, data, tmp_path, name):
    run("apply", model, data, tmp_path / name)
    before = tree(tmp_path)
    assert run("apply", model, data, tmp_path / name)[0] == 1
    assert tree(tmp_path) == before
    code, text = run("apply", model, write_lines(data, {"text": "Bob"}), tmp_path / name, "--force")
    assert code == 0
    assert "1 documents, 0 relations" in plain(text)
    assert names(tmp_path) == ["in.jsonl", name]


def test_what_was_begun_differently_is_refused_until_forced(model, data, tmp_path):
    """With the documents, the pipeline and the options that the parts were made with it goes on."""
    with pytest.raises(Stopped):
        apply(spacy.load(model), data, tmp_path / "out.jsonl", on_progress=stop_after(2))
    before = tree(tmp_path)
    other = tmp_path.parent / f"{tmp_path.name}.other"
    spacy.load(model).to_disk(other)
    (other / "meta.json").write_text((other / "meta.json").read_text() + " ")
    args = [model, data, tmp_path / "out.jsonl"]
    for changed, said in [
        ([other, *args[1:]], f"model {model.name} → {other.name}"),
        ([*args, "--no-text"], "with_text True → False"),
        ([*args, "-tk", "body"], "text_key text → body"),
    ]:
        code, text = run("apply", *changed)
        assert (code, "docre-E117" in text) == (1, True)
        assert f"Changed: {said}" in plain(text)
        assert tree(tmp_path) == before
    assert run("apply", *args, "--batch-size", 1)[0] == 0
    write_lines(data, {"text": ADA})
    with pytest.raises(Stopped):
        apply(spacy.load(model), data, tmp_path / "2.jsonl", on_progress=stop_after(1))
    write_lines(data, {"text": "Bob"})
    code, text = run("apply", model, data, tmp_path / "2.jsonl")
    assert "inputs in.jsonl → in.jsonl (the name is the same, the content is not)" in plain(text)
    assert run("apply", model, data, tmp_path / "2.jsonl", "--force")[0] == 0
    assert [d["text"] for d in records(tmp_path / "2.jsonl")] == ["Bob"]


@pytest.mark.parametrize(("source", "output"), [("in.jsonl", "in.jsonl"), ("shards", "shards"), (".", "out.jsonl")])
def test_an_output_is_no_input(model, data, tmp_path, source, output):
    """Refused, or the same as before."""
    (tmp_path / "shards").mkdir()
    write_shard([make_doc()], tmp_path / "shards" / "a.spacy")
    before = tree(tmp_path)
    for _ in range(2):
        code, _ = run("apply", model, tmp_path / source, tmp_path / output, "--force")
    after = tree(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert code == 1 or len(records(tmp_path / output)) == 3


MENTION = '{{"text": "a", "entities": [{{"mentions": ["x{}"]}}]}}\n'
ODD = [
    pytest.param("in", "a.jsonl", MENTION.format("\u2028"), id="a line separator"),
    pytest.param("in", "a.jsonl", MENTION.format("\x85"), id="a next line"),
    pytest.param("in", "a.jsonl", MENTION.format("\\ud800"), id="half a surrogate pair"),
    pytest.param("in", "a.jsonl", MENTION.format("\\u001b[31m"), id="an escape sequence"),
    pytest.param("in", os.fsdecode(b"\xff.json"), "{", id="a file name that is no text"),
    pytest.param(os.fsdecode(b"\xff"), "a.json", "{", id="a folder name that is no text"),
]


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
@pytest.mark.parametrize(("folder", "name", "content"), ODD)
def test_odd_characters_in_a_problem_are_listed_and_shown(model, tmp_path, folder, name, content):
    data = tmp_path / folder
    data.mkdir()
    (data / name).write_text(content, encoding="utf8")
    (data / "good.txt").write_text(ADA)
    code, text = run("apply", model, data, tmp_path / "out.jsonl")
    assert code == 0, text
    assert [d["title"] for d in records(tmp_path / "out.jsonl")] == ["good"]
    assert len(records(tmp_path / "out.jsonl.left_out.jsonl")) == 1
    assert "1 document(s) left out" in plain(text)
