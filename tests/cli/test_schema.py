"""`python -m spacy docre schema`: rules of a data set, as a file that a pipeline keeps to."""

import json

import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre.annotations import set_label_status
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, initialised, make_hopper_doc
from .test_evaluate import plain, run

FOUNDING = {"founded by": "founder of", "founder of": "founded by"}
PERSON_LOC = [["PER", "LOC"]]


def written(path) -> dict:
    return json.loads(path.read_text(encoding="utf8"))


@pytest.fixture
def data(tmp_path):
    """Ten times Ada Lovelace in one file, and five times Grace Hopper in another one."""
    (tmp_path / "data" / "more").mkdir(parents=True)
    write_shard([make_doc() for _ in range(10)], tmp_path / "data" / "ada.spacy")
    write_shard([make_hopper_doc() for _ in range(5)], tmp_path / "data" / "more" / "hopper.spacy")
    return tmp_path / "data"


def test_rules_of_all_files_in_a_folder(data, tmp_path):
    """What Grace Hopper did was seen five times: enough for inverses, not for types."""
    code, text = run("schema", data, tmp_path / "new" / "schema.json")
    assert code == 0
    assert f"Types of 2 labels, 3 inverses: {tmp_path / 'new' / 'schema.json'}" in plain(text)
    assert written(tmp_path / "new" / "schema.json") == {
        "types": {"colleague": [["PER", "PER"]], "place of birth": PERSON_LOC},
        "inverses": {"colleague": "colleague", **FOUNDING},
    }
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"schema.json"}


def test_rules_of_one_file(data, tmp_path):
    code, text = run("schema", data / "more" / "hopper.spacy", tmp_path / "schema.json")
    assert code == 0
    assert "Types of 0 labels, 2 inverses" in text
    assert written(tmp_path / "schema.json") == {"types": {}, "inverses": FOUNDING}


def test_incomplete_documents_teach_types_and_no_inverses(tmp_path):
    docs = [make_doc() for _ in range(10)]
    for doc in docs:
        set_label_status(doc, "incomplete")
    write_shard(docs, tmp_path / "train.spacy")
    code, text = run("schema", tmp_path / "train.spacy", tmp_path / "schema.json")
    assert code == 0
    assert "Types of 2 labels, 0 inverses" in text
    assert written(tmp_path / "schema.json")["inverses"] == {}


@pytest.mark.parametrize("doc", [crowd(Vocab(), 3), Doc(Vocab())], ids=["no relations", "no words"])
def test_documents_without_relations_have_no_rules(tmp_path, doc):
    write_shard([doc], tmp_path / "dev.spacy")
    code, text = run("schema", tmp_path / "dev.spacy", tmp_path / "schema.json")
    assert code == 0
    assert "Types of 0 labels, 0 inverses" in text
    assert written(tmp_path / "schema.json") == {"types": {}, "inverses": {}}


def test_a_pipeline_reads_the_file_and_learns_the_same_without_it(data, tmp_path):
    run("schema", data, tmp_path / "schema.json")
    for path in (None, str(tmp_path / "schema.json")):
        nlp = hash_pipeline(schema={"@misc": "spacy-docre.Schema.v1", "path": path})
        initialised(nlp, list(create_corpus_v1(data)(nlp)))
        assert nlp.get_pipe("docre_relations").cfg["schema"] == written(tmp_path / "schema.json")


def test_a_file_that_is_there_is_replaced_only_when_told(data, tmp_path):
    output = tmp_path / "schema.json"
    output.write_text("by hand")
    code, text = run("schema", data, output)
    assert code == 1
    assert "Nothing was written" in text
    assert "docre-E023" in text
    assert "--overwrite" in plain(text)
    assert output.read_text() == "by hand"
    assert run("schema", data, output, "--overwrite")[0] == 0
    assert written(output)["inverses"]
    assert {p.name for p in tmp_path.iterdir()} == {"data", "schema.json"}


@pytest.mark.parametrize("there", [True, False], ids=["over a file", "new"])
@pytest.mark.parametrize(("name", "code"), [("bad.spacy", "E022"), ("empty.spacy", "E021"), ("empty", "E021")])
def test_what_cannot_be_read_changes_nothing(tmp_path, name, code, there):
    (tmp_path / "bad.spacy").write_bytes(b"no document")
    write_shard([], tmp_path / "empty.spacy")
    (tmp_path / "empty").mkdir()
    output = tmp_path / "schema.json"
    if there:
        output.write_text("by hand")
    before = {p.name for p in tmp_path.iterdir()}
    exit_code, text = run("schema", tmp_path / name, output, "-f")
    assert exit_code == 1
    assert "Nothing was written" in text
    assert f"docre-{code}" in text
    assert name in plain(text)
    assert {p.name for p in tmp_path.iterdir()} == before
    assert not there or output.read_text() == "by hand"


def test_wrong_usage(data, tmp_path):
    assert run("schema", tmp_path / "nowhere", tmp_path / "schema.json")[0] == 2
    assert run("schema", data)[0] == 2
    assert run("schema", data / "ada.spacy", data)[0] == 2
    assert {p.name for p in tmp_path.iterdir()} == {"data"}
