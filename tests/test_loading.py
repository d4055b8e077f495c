"""Loading a pipeline: what was named in its place is said."""

import pytest
import spacy

from spacy_docre.loading import load_pipeline
from spacy_docre.readers.shards import write_shards

from .cli.test_evaluate import plain, run
from .conftest import make_doc


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """As `spacy train` leaves it."""
    folder = tmp_path_factory.mktemp("training")
    for name in ("model-best", "model-last"):
        spacy.blank("en").to_disk(folder / name)
    return folder


@pytest.fixture
def documents(tmp_path):
    (tmp_path / "docs").mkdir()
    write_shards([make_doc()], tmp_path / "docs", 1)
    return tmp_path / "docs"


def test_a_folder_is_loaded(trained):
    assert load_pipeline(trained / "model-best").lang == "en"
    assert load_pipeline(str(trained / "model-last")).lang == "en"


def test_the_output_of_a_training_names_what_is_in_it(trained):
    with pytest.raises(ValueError, match=r"E159.*Name .*/model-best or .*/model-last"):
        load_pipeline(trained)


def test_documents_are_no_pipeline(documents):
    with pytest.raises(ValueError, match=r"E160.*/docs is no trained pipeline, but a folder without meta.json"):
        load_pipeline(documents)
    with pytest.raises(ValueError, match=r"E160.*00000.spacy is no trained pipeline, but a file"):
        load_pipeline(documents / "00000.spacy")


def test_what_is_not_there_is_said_by_spacy():
    with pytest.raises(OSError, match="E050"):
        load_pipeline("no_such_pipeline")


def test_a_package_is_meant_where_a_folder_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thinc").mkdir()  # installed, and no pipeline
    with pytest.raises(AttributeError, match="'thinc' has no attribute 'load'"):
        load_pipeline("thinc")


@pytest.mark.parametrize("command", ["annotate", "evaluate", "apply", "show", "threshold"])
def test_commands_say_that_the_pipeline_comes_first(trained, documents, tmp_path, command):
    output = [] if command in ("evaluate", "show") else [tmp_path / ("out.jsonl" if command == "apply" else "out")]
    for wrong, code in ((trained, "E159"), (documents, "E160")):
        exit_code, text = run(command, wrong, documents, *output)
        assert exit_code == 1
        assert f"docre-{code}" in plain(text)
        assert not any(path.exists() for path in output)
