"""`python -m spacy docre evaluate --meta`: the figures go into the package that `spacy package` makes."""

import shutil
import sys
from pathlib import Path

import pytest
import srsly
from spacy.cli.package import package

from spacy_docre import set_relations
from spacy_docre.cli.evaluate import evaluate, with_performance
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..test_old_models import TINY
from .test_evaluate import plain, run, write


@pytest.fixture
def data(tmp_path) -> Path:
    """The document that the pipeline knows, with one of its three relations missing."""
    doc = make_doc()
    set_relations(doc, [("0", "place of birth", "1", 1.0, [(0, 7)]), ("0", "colleague", "2")], status="complete")
    write_shard([doc], tmp_path / "dev.spacy")
    return tmp_path / "dev.spacy"


@pytest.fixture
def meta(data, tmp_path) -> Path:
    assert run("evaluate", TINY, data, "--meta", tmp_path / "meta.json")[0] == 0
    return tmp_path / "meta.json"


def pack(meta: Path, folder: Path) -> Path:
    """The inside of the package that spaCy makes of the pipeline and this meta.json."""
    folder.mkdir()
    package(TINY, folder, meta_path=meta, create_sdist=False, create_wheel=False, silent=True)
    inside = folder / "en_pipeline-0.0.0" / "en_pipeline"
    shutil.copyfile(inside.parent / "meta.json", inside / "meta.json")  # as its setup.py does
    return inside


def test_the_pipelines_meta_has_the_figures(data, tmp_path):
    """Three are predicted, two are in gold and both found."""
    code, text = run("evaluate", TINY, data, "--meta", tmp_path / "new" / "meta.json")
    assert code == 0
    assert str(tmp_path / "new" / "meta.json") in "".join(text.split("\n"))
    meta = srsly.read_json(tmp_path / "new" / "meta.json")
    performance = meta.pop("performance")
    assert meta == srsly.read_json(TINY / "meta.json")
    assert performance["rel_micro_p"] == pytest.approx(2 / 3)
    assert performance["rel_micro_r"] == 1
    assert performance["rel_micro_f"] == pytest.approx(0.8)
    assert performance["rel_counts"] == {"docs": 1, "gold": 2, "predicted": 3, "correct": 2}
    assert set(performance["rel_per_label"]) == {"colleague", "place of birth"}


def test_a_card_without_a_meta_json_to_go_into(data, tmp_path):
    (tmp_path / "card.json").write_text("{}", encoding="utf8")
    code, text = run("evaluate", TINY, data, "--card", tmp_path / "card.json")
    assert code == 1
    assert "docre-E139" in text


@pytest.mark.parametrize(("content", "said"), [("{", "docre-E093"), ("[]", "docre-E094"), (None, "does not exist")])
def test_a_card_that_is_none_is_said_before_anything_is_scored(data, tmp_path, content, said):
    if content:
        (tmp_path / "card.json").write_text(content, encoding="utf8")
    args = ("--card", tmp_path / "card.json", "--meta", tmp_path / "meta.json", "-o", tmp_path / "scores.json")
    code, text = run("evaluate", TINY, data, *args)
    assert code != 0
    assert said in " ".join(text.split())
    assert not (tmp_path / "scores.json").exists()


def test_a_card_says_what_was_measured_and_with_which_seed(data, tmp_path):
    srsly.write_json(tmp_path / "card.json", {"license": "MIT", "notes": "Of our own."})
    args = ("--card", tmp_path / "card.json", "--meta", tmp_path / "meta.json")
    assert run("evaluate", TINY, data, *args)[0] == 0
    meta = srsly.read_json(tmp_path / "meta.json")
    assert meta["license"] == "MIT"
    own, measured = meta["notes"].split("\n\n")
    assert own == "Of our own."
    assert measured.startswith("On 1 documents (dev.spacy, 2 relations): F1 80.0 with the data's entities; ")
    assert "trained once, with seed 0." in measured


def test_speed_and_figures_that_nobody_measured_stay_out(meta):
    """Without --facts there is no Ign F1; the speed is this machine's."""
    performance = srsly.read_json(meta)["performance"]
    assert all(key.startswith("rel_") for key in performance)
    assert None not in performance.values()
    assert "rel_ign_f" not in performance


def test_they_are_the_figures_of_the_output_file(data, tmp_path):
    srsly.write_json(tmp_path / "facts.json", [["Ada Lovelace", "London", "place of birth"]])
    paths = ["--output", tmp_path / "scores.json", "--meta", tmp_path / "meta.json"]
    assert run("evaluate", TINY, data, "--facts", tmp_path / "facts.json", *paths)[0] == 0
    scores = srsly.read_json(tmp_path / "scores.json")
    performance = srsly.read_json(tmp_path / "meta.json")["performance"]
    assert performance["rel_ign_f"] == scores["rel_ign_f"]
    assert performance == {key: value for key, value in scores.items() if key in performance}


def test_the_pipeline_itself_stays_as_it_was(data, tmp_path):
    before = (TINY / "meta.json").read_bytes()
    run("evaluate", TINY, data, "--meta", tmp_path / "meta.json")
    assert (TINY / "meta.json").read_bytes() == before


def test_earlier_figures_are_replaced(blank, tmp_path):
    blank.meta["performance"] = {"rel_micro_f": 0.1, "speed": 7}
    blank.to_disk(tmp_path / "model")
    assert with_performance(str(tmp_path / "model"), {"rel_micro_f": 0.5})["performance"] == {"rel_micro_f": 0.5}


def test_a_package_is_made_with_them(meta, tmp_path):
    inside = pack(meta, tmp_path / "packages")
    packed = srsly.read_json(inside / "meta.json")
    assert packed["performance"]["rel_micro_f"] == pytest.approx(0.8)
    assert packed["name"] == "pipeline"


def test_an_installed_package_is_evaluated_by_its_name(data, meta, tmp_path, monkeypatch):
    """A folder on the path with its dist-info is what pip makes of a wheel."""
    site = pack(meta, tmp_path / "packages").parent
    info = site / "en_pipeline-0.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en-pipeline\nVersion: 0.0.0\n", encoding="utf8")
    monkeypatch.syspath_prepend(site)
    try:
        scores = evaluate("en_pipeline", data)
        found = with_performance("en_pipeline", scores)
    finally:
        sys.modules.pop("en_pipeline", None)
    assert (found["lang"], found["name"]) == ("en", "pipeline")
    assert found["performance"]["rel_counts"] == scores["rel_counts"]


def test_where_evaluation_fails_no_meta_is_written(tmp_path):
    data = write(tmp_path / "distant.spacy", "distant")
    code, text = run("evaluate", TINY, data, "--meta", tmp_path / "new" / "meta.json")
    assert code == 1
    assert "docre-E100" in plain(text)
    assert {path.name for path in tmp_path.iterdir()} == {"distant.spacy"}
