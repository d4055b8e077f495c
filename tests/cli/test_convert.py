"""`spacy docre convert`: DocRED JSON to .spacy and back, as a command and as functions."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_docre import get_label_status, get_relations
from spacy_docre.annotations import get_title, set_relations
from spacy_docre.cli import app
from spacy_docre.cli.conversion import convert_to_json, convert_to_spacy
from spacy_docre.readers.json_stream import CorpusError
from spacy_docre.readers.shards import find_shards, read_shard, write_shard
from tests.conftest import make_doc
from tests.readers.test_docred import ADA, changed, record, write

NAMES = {"P19": "place of birth", "P737": "influenced by"}


@pytest.fixture
def source(tmp_path) -> Path:
    """Five documents, whose titles are their numbers."""
    return write(tmp_path / "source.json", *(record(title=str(i)) for i in range(5)))


@pytest.fixture
def mixed(tmp_path) -> Path:
    """Documents 2 and 4 of four are invalid."""
    bad = [changed("labels.0.h", 9), changed("vertexSet.1", [])]
    return write(tmp_path / "mixed.json", record(title="a"), bad[0], record(title="b"), bad[1])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def said(result: Result, text: str) -> bool:
    """Whether the output has `text`, wherever its lines are broken."""
    return "".join(text.split()) in "".join(result.output.split())


def docs_in(path: Path) -> list:
    vocab = Vocab()
    return [doc for shard in find_shards(path) for doc in read_shard(shard, vocab)]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_file(source, tmp_path):
    result = run(source, tmp_path / "out.spacy")
    assert result.exit_code == 0
    assert said(result, f"5 documents, 10 relations: {tmp_path / 'out.spacy'}")
    docs = docs_in(tmp_path / "out.spacy")
    assert [get_title(doc) for doc in docs] == list("01234")
    assert {r.label_ for doc in docs for r in get_relations(doc)} == {"P19", "P737"}
    assert {get_label_status(doc) for doc in docs} == {"complete"}


@pytest.mark.parametrize(("n", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_a_folder_of_shards(source, tmp_path, n, sizes):
    result = run(source, tmp_path / "shards", "--docs-per-shard", n)
    assert result.exit_code == 0
    shards = sorted((tmp_path / "shards").iterdir())
    assert [path.name for path in shards] == [f"{i:05}.spacy" for i in range(len(sizes))]
    assert [len(docs_in(path)) for path in shards] == sizes
    assert said(result, f"in {len(sizes)} files") == (len(sizes) > 1)


def test_labels_get_readable_names(source, tmp_path):
    names = tmp_path / "names.json"
    names.write_text(json.dumps(NAMES))
    assert run(source, tmp_path / "out.spacy", "--labels", names).exit_code == 0
    labels = [r.label_ for r in get_relations(docs_in(tmp_path / "out.spacy")[0])]
    assert labels == ["place of birth", "influenced by"]


@pytest.mark.parametrize("status", ["complete", "incomplete", "distant", "none"])
def test_labels_are(source, tmp_path, status):
    assert run(source, tmp_path / "out.spacy", "--labels-are", status).exit_code == 0
    doc = docs_in(tmp_path / "out.spacy")[0]
    assert get_label_status(doc) == status
    assert len(get_relations(doc)) == (0 if status == "none" else 2)


def test_there_and_back_is_the_same(source, tmp_path):
    names = tmp_path / "names.json"
    names.write_text(json.dumps(NAMES))
    run(source, tmp_path / "shards", "-n", 2, "--labels", names)
    assert run(tmp_path / "shards", tmp_path / "back.json", "--labels", names).exit_code == 0
    assert json.loads((tmp_path / "back.json").read_text()) == json.loads(source.read_text())


@pytest.mark.parametrize("status", ["distant", "complete"])
def test_json_has_no_place_for_the_status_of_labels(tmp_path, status):
    """A machine's labels would come back as complete ones."""
    doc = make_doc()
    set_relations(doc, [("0", "colleague", "2")], status=status)
    write_shard([doc], tmp_path / "in.spacy")
    result = run(tmp_path / "in.spacy", tmp_path / "out.json")
    assert result.exit_code == 0
    assert said(result, "--labels-are distant") == (status == "distant")


def test_predictions_are_rows_for_the_official_evaluation(tmp_path):
    doc = make_doc()
    doc.user_data["docre_title"] = "Ada"
    set_relations(doc, [("0", "place of birth", "1", 0.75, [(0, 7)]), ("2", "influenced by", "0", 0.5)])
    write_shard([doc], tmp_path / "in.spacy")
    (tmp_path / "names.json").write_text(json.dumps(NAMES))
    result = run(tmp_path / "in.spacy", tmp_path / "out.json", "--predictions", "-l", tmp_path / "names.json")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "out.json").read_text()) == [
        {"title": "Ada", "h_idx": 0, "t_idx": 1, "r": "P19", "evidence": [0], "score": 0.75},
        {"title": "Ada", "h_idx": 2, "t_idx": 0, "r": "P737", "evidence": [], "score": 0.5},
    ]


def test_skip_invalid_lists_what_it_left_out(mixed, tmp_path):
    result = run(mixed, tmp_path / "out.spacy", "--skip-invalid")
    assert result.exit_code == 0
    assert said(result, f"Left out: [docre-E020] {mixed}, document 2 ('Ada'): labels[0].h: 9 is out of range")
    assert said(result, f"{mixed}, document 4 ('Ada'): vertexSet[1]: the entity has no mention")
    assert said(result, "2 invalid document(s) left out")
    assert said(result, "2 documents, 4 relations")
    assert [get_title(doc) for doc in docs_in(tmp_path / "out.spacy")] == ["a", "b"]


def test_a_conversion_counts_what_it_did(mixed, tmp_path):
    result = convert_to_spacy(mixed, tmp_path / "out", docs_per_shard=1, skip_invalid=True)
    assert (result.n_docs, result.n_files, result.n_relations, len(result.left_out)) == (2, 2, 4, 2)
    back = convert_to_json(tmp_path / "out", tmp_path / "back.json")
    assert (back.n_docs, back.n_files, back.n_relations, back.left_out) == (2, 1, 4, [])


@pytest.mark.parametrize("target", ["out.spacy", "out"])
def test_bad_input_leaves_no_partial_output(mixed, tmp_path, target):
    result = run(mixed, tmp_path / target, "-n", 1)
    assert result.exit_code == 1
    assert said(result, "Nothing was written")
    assert said(result, f"{mixed}, document 2 ('Ada'): labels[0].h: 9 is out of range")
    assert names_in(tmp_path) == {"mixed.json"}


@pytest.mark.parametrize("skip", [True, False])
def test_a_cut_file_is_always_an_error(source, tmp_path, skip):
    source.write_text(source.read_text()[:-100])
    with pytest.raises(CorpusError, match="after document 4: not valid JSON, or cut off"):
        convert_to_spacy(source, tmp_path / "out.spacy", skip_invalid=skip)
    assert names_in(tmp_path) == {"source.json"}


def test_where_nothing_is_valid_nothing_is_written(tmp_path):
    bad = write(tmp_path / "bad.json", changed("labels.0.h", 9), 7)
    with pytest.raises(ValueError, match=r"E027.*2 of 2 documents .*The first: .*document 1"):
        convert_to_spacy(bad, tmp_path / "out.spacy", skip_invalid=True)
    assert names_in(tmp_path) == {"bad.json"}


@pytest.mark.parametrize("target", ["out.spacy", "out"])
def test_an_existing_target_is_replaced_only_with_overwrite(source, tmp_path, target):
    run(source, tmp_path / target)
    other = write(tmp_path / "other.json", record(title="new"))
    result = run(other, tmp_path / target)
    assert result.exit_code == 1
    assert said(result, "E023")
    assert said(result, "--overwrite")
    assert len(docs_in(tmp_path / target)) == 5
    assert run(other, tmp_path / target, "--overwrite").exit_code == 0
    assert [get_title(doc) for doc in docs_in(tmp_path / target)] == ["new"]


def test_overwrite_does_not_delete_what_it_has_not_written(tmp_path):
    source = write(tmp_path / "source.json", ADA)
    (tmp_path / "thesis.txt").write_text("mine")
    result = run(source, tmp_path, "--overwrite")
    assert said(result, "thesis.txt")
    assert {"source.json", "thesis.txt"} <= names_in(tmp_path)


WRONG = {
    "JSON to JSON": (["source.json", "out.json"], "E025"),
    ".spacy to .spacy": (["in.spacy", "out.spacy"], "E025"),
    "a folder to a folder": (["folder", "out"], "E025"),
    "other to JSON": (["in.txt", "out.json"], "E025"),
    "to something else": (["source.json", "out.jsonl"], "E025"),
    "no such JSON": (["no.json", "out.spacy"], "E024"),
    "no such .spacy": (["no.spacy", "out.json"], "E024"),
    "an empty folder": (["folder", "out.json"], "E021"),
    "no documents": (["empty.json", "out.spacy"], "no documents"),
    "not JSON": (["in.txt", "out.spacy"], "E025"),
    "not JSON in a .json": (["text.json", "out.spacy"], "not valid JSON"),
    "a broken .spacy": (["in.spacy", "out.json"], "E022"),
    "an unknown status": (["source.json", "out.spacy", "-a", "gold"], "complete, incomplete, distant, none"),
    "no such names": (["source.json", "out.spacy", "-l", "no.json"], "E024"),
    "names in a list": (["source.json", "out.spacy", "-l", "empty.json"], "expected an object of labels"),
    "spaces in JSON": (["in.spacy", "out.json", "--no-spaces"], "--no-spaces has no effect"),
    "a status in JSON": (["in.spacy", "out.json", "-a", "none", "-s"], "--labels-are, --skip-invalid has no effect"),
    "predictions in .spacy": (["source.json", "out.spacy", "-p"], "--predictions has no effect"),
    "a name that is missing": (["source.json", "out.spacy", "-l", "few.json"], "E026"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_converted_is_said_and_nothing_written(source, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name, text in {
        "in.txt": "text",
        "text.json": "text",
        "in.spacy": "text",
        "empty.json": "[]",
        "few.json": '{"P19": "x"}',
    }.items():
        Path(name).write_text(text)
    before = names_in(tmp_path)
    result = run(*arguments)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert said(result, "Nothing was written")
    assert said(result, message)
    assert names_in(tmp_path) == before


def test_a_label_without_id_is_said_when_writing_json(tmp_path):
    write_shard([make_doc()], tmp_path / "in.spacy")
    (tmp_path / "names.json").write_text(json.dumps(NAMES))
    result = run(tmp_path / "in.spacy", tmp_path / "out.json", "--labels", tmp_path / "names.json")
    assert said(result, "Nothing was written")
    assert said(result, "colleague")


@pytest.mark.parametrize("arguments", [[], ["only-one"], ["a.json", "b.spacy", "-n", "0"]])
def test_wrong_usage_is_said_by_the_command_line(arguments):
    assert run(*arguments).exit_code == 2
