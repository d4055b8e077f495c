"""`python -m spacy docre threshold`: what it says, what it writes, and what it leaves alone."""

import json
import re
import shutil
import struct
import sys

import pytest
import spacy
from spacy.training import Example

from spacy_docre.annotations import set_label_status
from spacy_docre.inference.teacher import Teacher
from spacy_docre.readers.shards import write_shard
from spacy_docre.scoring.relation_scorer import score_relations

from ..inference.test_thresholds import evaluated, generated
from ..pipelines import hash_pipeline, overfit, unlabelled
from .test_evaluate import plain, run

COMPONENT = "docre_relations"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    nlp = hash_pipeline(max_labels_per_pair=9)
    overfit(nlp, steps=20)
    nlp.to_disk(path := tmp_path_factory.mktemp("model") / "first")
    return path


@pytest.fixture(scope="module")
def docs(model):
    return generated(Teacher(str(model)), 30)


@pytest.fixture
def data(docs, tmp_path):
    (tmp_path / "data").mkdir()
    write_shard(docs, tmp_path / "data" / "dev.spacy")
    return tmp_path / "data" / "dev.spacy"


def files(folder) -> dict[str, bytes]:
    """Of all files below, and the names of folders."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def component(path):
    return spacy.load(path).get_pipe(COMPONENT)


def rows(text: str) -> dict[str, list[float]]:
    """The figures of the table."""
    found = re.findall(r"^(before|with these thresholds|on documents left out)((?:\s+[\d.]+)+)\s*$", text, re.MULTILINE)
    return {name: [float(x) for x in figures.split()] for name, figures in found}


def png_size(path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert 8_000 < len(content) < 300_000
    return struct.unpack(">II", content[16:24])


def test_it_writes_a_pipeline_that_predicts_better_and_says_so(model, docs, data, tmp_path):
    before = files(model)
    code, text = run("threshold", model, data, tmp_path / "new" / "out")
    assert code == 0, text
    found = rows(text)
    assert found["before"][:3] == pytest.approx([100 * x for x in evaluated(spacy.load(model), docs)], abs=0.01)
    after = [100 * x for x in evaluated(spacy.load(tmp_path / "new" / "out"), docs)]
    assert found["with these thresholds"] == pytest.approx(after, abs=1)
    assert found["before"][2] < found["on documents left out"][2] < found["with these thresholds"][2]
    assert len(found["before"]) == len(found["on documents left out"]) == 4
    assert f"Pipeline with these thresholds and scores: {tmp_path}" in plain(text)
    assert "Plots" not in text
    assert {p.name for p in tmp_path.iterdir()} == {"data", "new"}
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"out"}
    assert files(model) == before


def test_plots_and_figures(model, data, tmp_path):
    """The file says what the table says, and what the pipeline has."""
    code, text = run("threshold", model, data, tmp_path / "out", "--plots", tmp_path / "a" / "plots")
    assert code == 0, text
    assert f"Plots and thresholds: {tmp_path / 'a' / 'plots'}" in plain(text).replace(" /", " /")
    plots = tmp_path / "a" / "plots"
    assert {p.name for p in plots.iterdir()} == {"precision_recall.png", "reliability.png", "thresholds.json"}
    assert png_size(plots / "precision_recall.png") == png_size(plots / "reliability.png") == (750, 600)
    written = json.loads((plots / "thresholds.json").read_text(encoding="utf8"))
    for key, row in zip(("before", "after", "checked"), rows(text).values()):
        assert [100 * written[key][x] for x in ("precision", "recall", "f1")] == pytest.approx(row[:3], abs=0.01)
    pipe = component(tmp_path / "out")
    limits = [written["labels"][label]["threshold"] for label in pipe.labels]
    assert pipe.decoder.thresholds == pytest.approx(limits, abs=0.01)
    offsets = {label: x["offset"] for label, x in written["labels"].items()}
    assert pipe.cfg["calibration"] == {"scale": written["scale"], "offsets": offsets}
    assert f"its probability is above {written['probability']:.2f}" in plain(text)
    assert f"margins {min(limits):+.2f} to {max(limits):+.2f}" in plain(text)


def test_a_pipeline_that_predicts_nothing(model, data, tmp_path):
    """Before, there is nothing to draw."""
    never = spacy.load(model, config={"components": {COMPONENT: {"threshold_offset": 1e6}}})
    never.to_disk(tmp_path / "never")
    code, text = run("threshold", tmp_path / "never", data, tmp_path / "out", "--plots", tmp_path / "plots")
    assert code == 0, text
    assert rows(text)["before"] == [0, 0, 0, 0]
    assert rows(text)["with these thresholds"][2] > 50
    assert png_size(tmp_path / "plots" / "reliability.png")


def test_one_threshold_for_all(model, data, tmp_path):
    code, text = run("threshold", model, data, tmp_path / "out", "--one-for-all")
    assert code == 0, text
    limits = set(component(tmp_path / "out").decoder.thresholds.tolist())
    assert len(limits) == 1
    assert f"(margin {limits.pop():+.2f})" in plain(text)


def test_labels_are_drawn_to_the_common_threshold(model, data, tmp_path):
    for shrinkage in (0.1, 1000):
        assert run("threshold", model, data, tmp_path / f"{shrinkage}", "--shrinkage", shrinkage)[0] == 0
    free, drawn = (component(tmp_path / name).decoder.thresholds for name in ("0.1", "1000"))
    assert 0 < drawn.max() - drawn.min() < 0.5 * (free.max() - free.min())


def test_a_wanted_precision(model, docs, data, tmp_path):
    code, text = run("threshold", model, data, tmp_path / "out", "--precision", 0.9)
    assert code == 0, text
    precision, recall, _ = rows(text)["with these thresholds"]
    assert 90 <= precision < 92
    assert recall < 100
    assert evaluated(spacy.load(tmp_path / "out"), docs)[0] == pytest.approx(0.9, abs=0.02)


def test_a_pipeline_takes_the_place_of_itself(model, docs, data, tmp_path):
    """And once more: it has become what it was told to."""
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "data").mkdir()
    code, text = run("threshold", tmp_path / "model", data, tmp_path / "model", "--overwrite")
    assert code == 0, text
    assert {p.name for p in tmp_path.iterdir()} == {"data", "model"}
    once = component(tmp_path / "model").cfg
    code, again = run("threshold", tmp_path / "model", data, tmp_path / "model", "-f")
    assert code == 0, again
    assert rows(again)["before"][:3] == pytest.approx(rows(text)["with these thresholds"], abs=1)
    assert rows(again)["with these thresholds"] == rows(text)["with these thresholds"]
    assert component(tmp_path / "model").cfg == once


def test_an_empty_folder_is_no_pipeline_that_is_lost(model, data, tmp_path):
    (tmp_path / "out").mkdir()
    assert run("threshold", model, data, tmp_path / "out")[0] == 0
    assert component(tmp_path / "out").cfg["calibration"]


def incomplete(docs, path):
    doc = docs[-1].copy()
    set_label_status(doc, "incomplete")
    write_shard([*docs[:-1], doc], path)


def broken(docs, path):
    path.write_bytes(b"no document")


def no_relations(docs, path):
    write_shard([unlabelled(docs[0])], path)
