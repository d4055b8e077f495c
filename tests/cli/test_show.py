"""`python -m spacy docre show`: what a pipeline finds in text, .spacy files and DocRED JSON."""

import gzip
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import spacy

from spacy_docre import get_entities, get_relations
from spacy_docre.annotations import TITLE_KEY, get_title
from spacy_docre.cli.show import show
from spacy_docre.readers.docred_export import to_docred
from spacy_docre.readers.documents import read_inputs, require_doc
from spacy_docre.readers.shards import write_shard, write_shards

from ..conftest import make_doc
from ..pipelines import make_hopper_doc
from ..test_old_models import TINY
from .test_evaluate import plain, run

EXPECTED = """\
Ada
===
Ada Lovelace was born in London. She worked with Charles Babbage.

3 entities, 3 relations
  Charles Babbage —colleague→ Ada Lovelace   0.99
      “She worked with Charles Babbage.”
  Ada Lovelace —colleague→ Charles Babbage   0.99
      “She worked with Charles Babbage.”
  Ada Lovelace —place of birth→ London   0.99
      “Ada Lovelace was born in London.”"""
SILENT = "Ada\n===\nAda Lovelace was born in London. She worked with Charles Babbage.\n\n3 entities, 0 relations"
NAMES = ["ada.json", "ada.json.gz", "ada.spacy", "shards"]


@pytest.fixture(scope="module")
def silent(tmp_path_factory) -> Path:
    """The tiny pipeline with a threshold that nothing passes."""
    folder = tmp_path_factory.mktemp("silent")
    spacy.load(TINY, config={"components.docre_relations.threshold_offset": 1e6}).to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def finder(tmp_path_factory) -> Path:
    """The tiny pipeline, which finds its own entities and sentences."""
    folder = tmp_path_factory.mktemp("finder")
    nlp = spacy.load(TINY)
    nlp.add_pipe("sentencizer", first=True)
    ruler = nlp.add_pipe("entity_ruler", before="docre_relations")
    patterns = {"Ada Lovelace": "PER", "She": "PER", "London": "LOC", "Charles Babbage": "PER"}
    ruler.add_patterns([{"label": label, "pattern": name} for name, label in patterns.items()])
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    """The same document, with its gold relations and evidence, in every format that has them."""
    doc = make_doc()
    doc.user_data[TITLE_KEY] = "Ada"
    content = json.dumps([to_docred(doc)]).encode()
    (tmp_path / "ada.json").write_bytes(content)
    (tmp_path / "ada.json.gz").write_bytes(gzip.compress(content))
    write_shard([doc], tmp_path / "ada.spacy")
    (tmp_path / "shards").mkdir()
    write_shard([doc], tmp_path / "shards" / "00000.spacy")
    (tmp_path / "ada.txt").write_text("Ada Lovelace was born in London. She worked with Charles Babbage.\n", "utf8")
    return tmp_path


@pytest.fixture
def many(tmp_path) -> Path:
    """Seven documents in three files; their titles are their numbers."""
    docs = [make_doc() if i % 2 else make_hopper_doc() for i in range(7)]
    for i, doc in enumerate(docs):
        doc.user_data[TITLE_KEY] = str(i)
    (tmp_path / "many").mkdir()
    write_shards(docs, tmp_path / "many", 3)
    return tmp_path / "many"


def printed(*args) -> str:
    """What `show` prints, without spaCy's line about the processor."""
    code, text = run("show", *args)
    assert code == 0
    first, rest = text.split("\n", 1)
    assert "Using CPU" in first
    return rest


def titles(text: str) -> list[str]:
    rows = text.split("\n")
    return [title for title, rule in pairwise(rows) if title and rule == "=" * len(title)]


@pytest.mark.parametrize("name", NAMES)
def test_relations_to_the_letter(folder, name):
    assert printed(TINY, folder / name) == EXPECTED + "\n\n"
    assert list(show(str(TINY), folder / name)) == [EXPECTED]


def test_text_is_a_document_whose_entities_the_pipeline_finds(folder, finder):
    """ "Ada Lovelace" and "She" have no link: they are two entities here."""
    text = printed(finder, folder / "ada.txt")
    assert "\nAda Lovelace was born in London. She worked with Charles Babbage.\n\n4 entities, " in text
    assert "  Ada Lovelace —place of birth→ London   0." in text
    assert "      “Ada Lovelace was born in London.”" in text


@pytest.mark.parametrize("name", [*NAMES, "ada.txt"])
def test_the_data_gives_no_relations(folder, blank, name):
    """Tokens, entities, sentences and title are the data's; its relations never reach the pipeline."""
    doc = require_doc(*read_inputs(folder / name, blank))
    assert get_relations(doc) == ()
    assert all("place of birth" not in str(value) for value in doc.user_data.values())
    if name != "ada.txt":
        assert get_title(doc) == "Ada"
        assert get_entities(doc) == get_entities(make_doc())
        assert [(s.start, s.end) for s in doc.sents] == [(0, 7), (7, 13)]


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_that_predicts_nothing_shows_nothing(folder, silent, name):
    assert printed(silent, folder / name) == SILENT + "\n\n"


def test_a_pipeline_without_the_component_shows_nothing_of_the_data(folder, blank):
    blank.to_disk(folder / "blank")
    for name in NAMES:
        code, text = run("show", folder / "blank", folder / name)
        assert "place of birth" not in text
        assert "colleague" not in text
        assert code == 1 or "0 relations" in text


@pytest.mark.parametrize(("limit", "n"), [([], 5), (["-n", 2], 2), (["--limit", 0], 7), (["--limit", 99], 7)])
def test_limit_is_a_number_of_documents(many, limit, n):
    assert titles(printed(TINY, many, *limit)) == [str(i) for i in range(n)]


def test_a_limit_spares_what_comes_after(many):
    """The broken last file is not opened."""
    (many / "00002.spacy").write_bytes(b"broken")
    assert titles(printed(TINY, many, "-n", 2)) == ["0", "1"]
    assert run("show", TINY, many, "-n", 0)[0] == 1


def test_the_output_file_has_what_is_printed(folder, many):
    output = folder / "new" / "out.txt"
    for data in (many, folder / "ada.json"):  # the second replaces the first
        text = printed(TINY, data, "--output", output)
        assert output.read_text(encoding="utf8") == text.removesuffix("\n")


def test_json_needs_no_labels(folder):
    (document,) = json.loads((folder / "ada.json").read_text())
    del document["labels"]
    (folder / "ada.json").write_text(json.dumps([document]))
    assert printed(TINY, folder / "ada.json") == EXPECTED + "\n\n"


def test_a_text_without_words(folder):
    (folder / "ada.txt").write_text("")
    assert printed(TINY, folder / "ada.txt") == "ada\n===\n\n0 entities, 0 relations\n\n"


@pytest.mark.parametrize("name", ["ada.csv", "ada"])
def test_any_other_file_is_the_text_of_one_document(folder, finder, name):
    text = (folder / "ada.txt").read_bytes()
    (folder / name).write_bytes(text)
    assert printed(finder, folder / name) == printed(finder, folder / "ada.txt")


WRONG = {
    "text in Latin-1": ("bad.csv", b"caf\xe9", "E020", "bad.csv: not UTF-8"),
    "a bad line": ("bad.jsonl", b"{}", "E020", "bad.jsonl, line 1: no text"),
    "no JSON": ("bad.json", b"text", "E020", "bad.json: not valid JSON"),
    "no gzip": ("bad.json.gz", b"[]", "E020", "bad.json.gz: not valid gzip, or cut off"),
    "no .spacy": ("bad.spacy", b"text", "E022", "bad.spacy"),
    "a document that is none": ("bad.json", b"[7]", "E020", "bad.json, document 1"),
}


@pytest.mark.parametrize(("name", "content", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_read_is_said_with_its_path(folder, name, content, code, message):
    (folder / name).write_bytes(content)
    exit_code, text = run("show", TINY, folder / name, "--output", folder / "new" / "out.txt")
    assert exit_code == 1
    assert "Can't show relations" in text
    assert f"docre-{code}" in text
    assert message in plain(text)
    assert "Traceback" not in text
    assert not (folder / "new").exists()


def test_an_empty_folder_is_said(tmp_path):
    code, text = run("show", TINY, tmp_path)
    assert code == 1
    assert "docre-E021" in text


def test_a_pipeline_that_is_not_there_is_said(folder):
    code, text = run("show", "no_such_pipeline", folder / "ada.json")
    assert code == 1
    assert "no_such_pipeline" in text
    assert "Traceback" not in text


def test_data_that_is_not_there_is_wrong_usage(tmp_path):
    code, text = run("show", TINY, tmp_path / "no.json")
    assert code == 2
    assert "no.json" in "".join(text.split())


def test_a_terminal_without_the_letters_still_shows_it(finder, tmp_path):
    """And the file has them all."""
    text, output = tmp_path / "in.txt", tmp_path / "out.txt"
    text.write_text("Ada Lovelace was born in London. She worked with Charles Babbage.")
    command = [sys.executable, "-m", "spacy", "docre", "show", finder, text, "-o", output]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"Ada Lovelace ?place of birth? London" in done.stdout
    assert "Ada Lovelace —place of birth→ London" in output.read_text(encoding="utf8")
