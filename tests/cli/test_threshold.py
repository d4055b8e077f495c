"""`python -m spacy docre threshold`: what it says, what it writes, and what it leaves alone."""

import json
import re
import shutil
import struct
import sys

import pytest
import spacy

from spacy_docre import set_relations
from spacy_docre.annotations import set_label_status
from spacy_docre.inference.teacher import Teacher
from spacy_docre.readers.shards import write_shard

from ..inference.test_thresholds import evaluated, generated
from ..pipelines import hash_pipeline, overfit
from .test_evaluate import plain, run

COMPONENT = "docre_relations"
PER_LABEL = "--per-label"


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
    code, text = run("threshold", model, data, tmp_path / "new" / "out", PER_LABEL)
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
    plots = tmp_path / "a" / "plots"
    code, text = run("threshold", model, data, tmp_path / "out", PER_LABEL, "--plots", plots)
    assert code == 0, text
    assert f"Plots and thresholds: {plots}" in plain(text)
    assert {p.name for p in plots.iterdir()} == {"precision_recall.png", "reliability.png", "thresholds.json"}
    assert png_size(plots / "precision_recall.png") == png_size(plots / "reliability.png") == (750, 600)
    written = json.loads((plots / "thresholds.json").read_text(encoding="utf8"))
    for key, row in zip(("before", "after", "checked"), rows(text).values()):
        assert [100 * written[key][x] for x in ("precision", "recall", "f1")] == pytest.approx(row[:3], abs=0.01)
    pipe = component(tmp_path / "out")
    limits = [written["labels"][label]["threshold"] for label in pipe.labels]
    assert pipe.decoder.thresholds == pytest.approx(limits, abs=0.01)
    offsets = {label: x["offset"] for label, x in written["labels"].items()}
    assert pipe.cfg["calibration"]["scale"] == pytest.approx(written["scale"])
    assert pipe.cfg["calibration"]["offsets"] == pytest.approx(offsets)
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


def test_one_threshold_for_all_in_a_folder_that_is_there_and_empty(model, data, tmp_path):
    (tmp_path / "out").mkdir()
    code, text = run("threshold", model, data, tmp_path / "out", "--one-for-all")
    assert code == 0, text
    limits = set(component(tmp_path / "out").decoder.thresholds.tolist())
    assert len(limits) == 1
    assert f"(margin {limits.pop():+.2f})" in plain(text)


def test_labels_are_drawn_to_the_common_threshold(model, data, tmp_path):
    for shrinkage in (0.1, 1000):
        args = [PER_LABEL, "--shrinkage", shrinkage]
        assert run("threshold", model, data, tmp_path / f"{shrinkage}", *args)[0] == 0
    free, drawn = (component(tmp_path / name).decoder.thresholds for name in ("0.1", "1000"))
    assert 0 < drawn.max() - drawn.min() < 0.5 * (free.max() - free.min())


def test_a_wanted_precision(model, docs, data, tmp_path):
    code, text = run("threshold", model, data, tmp_path / "out", PER_LABEL, "--precision", 0.9)
    assert code == 0, text
    precision, recall, _ = rows(text)["with these thresholds"]
    assert 90 <= precision < 92
    assert recall < 100
    assert evaluated(spacy.load(tmp_path / "out"), docs)[0] == pytest.approx(0.9, abs=0.02)


def test_a_pipeline_takes_the_place_of_itself(model, docs, data, tmp_path):
    """And once more: it has become what it was told to."""
    shutil.copytree(model, tmp_path / "model")
    code, text = run("threshold", tmp_path / "model", data, tmp_path / "model", PER_LABEL, "--overwrite")
    assert code == 0, text
    assert {p.name for p in tmp_path.iterdir()} == {"data", "model"}
    once = component(tmp_path / "model").cfg
    code, again = run("threshold", tmp_path / "model", data, tmp_path / "model", PER_LABEL, "-f")
    assert code == 0, again
    assert rows(again)["before"][:3] == pytest.approx(rows(text)["with these thresholds"], abs=1)
    assert rows(again)["with these thresholds"] == rows(text)["with these thresholds"]
    assert component(tmp_path / "model").cfg == once


def incomplete(docs):
    doc = docs[-1].copy()
    set_label_status(doc, "incomplete")
    return [*docs[:-1], doc]


def without(docs):
    docs = [doc.copy() for doc in docs]
    for doc in docs:
        set_relations(doc, [])
    return docs


def half(docs):
    """Of two documents with the same margins, one has no relations: no precision above ½."""
    return [*docs, *without(docs)]


BAD = [
    (incomplete, [], "E127", "are 'incomplete': what nobody"),
    (without, [], "E128", "found none"),
    (
        half,
        ["--precision", 0.99],
        "E133",
        "No threshold gives a precision of 0.99: the highest on these documents is 0.",
    ),
]


@pytest.mark.parametrize("there", [True, False], ids=["over an old pipeline", "new"])
@pytest.mark.parametrize(("change", "args", "code", "said"), BAD)
def test_documents_that_teach_no_thresholds(model, docs, tmp_path, change, args, code, said, there):
    """An old pipeline stays as it was, and there are no plots."""
    write_shard(change(docs), tmp_path / "dev.spacy")
    if there:
        shutil.copytree(model, tmp_path / "out")
    before = files(tmp_path)
    args = [model, tmp_path / "dev.spacy", tmp_path / "out", "-f", "--plots", tmp_path / "plots", *args]
    exit_code, text = run("threshold", *args)
    assert exit_code == 1
    assert "Nothing was written" in text
    assert f"docre-{code}" in text
    assert said in plain(text)
    assert files(tmp_path) == before


def no_pipeline(path):
    path.mkdir()
    (path / "config.cfg").write_text("[nlp]")
    (path / "thesis.md").write_text("mine")


def a_pipeline(path):
    spacy.blank("en").to_disk(path)


@pytest.mark.parametrize(
    ("make", "args", "code"),
    [(a_pipeline, [], "E134"), (no_pipeline, [], "E134"), (no_pipeline, ["--overwrite"], "E135")],
)
def test_what_is_there_is_not_replaced(model, data, tmp_path, make, args, code):
    make(tmp_path / "out")
    before = files(tmp_path)
    exit_code, text = run("threshold", model, data, tmp_path / "out", "--plots", tmp_path / "plots", *args)
    assert exit_code == 1
    assert "Nothing was written" in text
    assert f"docre-{code}" in text
    assert str(tmp_path / "out") in plain(text)
    assert "Traceback" not in text
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("make_args", "code", "said"),
    [
        (lambda model, data, tmp: [tmp / "blank", data, tmp / "out"], 1, "docre-E102"),
        (lambda model, data, tmp: ["no_such_model", data, tmp / "out"], 1, "no_such_model"),
        (lambda model, data, tmp: [model, tmp / "bad.spacy", tmp / "out"], 1, "docre-E022"),
        (lambda model, data, tmp: [model, tmp / "empty", tmp / "out"], 1, "docre-E021"),
        (lambda model, data, tmp: [model, data, tmp / "out", "--plots", tmp / "bad.spacy"], 1, "bad.spacy"),
        (lambda model, data, tmp: [model, tmp / "no.spacy", tmp / "out"], 2, "no.spacy"),
        (lambda model, data, tmp: [model, data, tmp / "bad.spacy"], 2, "bad.spacy"),
        (lambda model, data, tmp: [model, data, tmp / "out", "--precision", 90], 2, "--precision"),
        (lambda model, data, tmp: [model, data, tmp / "out", "--shrinkage", 0], 2, "--shrinkage"),
    ],
    ids="blank model bad empty plots no-data output precision shrinkage".split(),
)
def test_wrong_usage_is_said_and_nothing_is_written(model, data, tmp_path, make_args, code, said):
    a_pipeline(tmp_path / "blank")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.spacy").write_bytes(b"no document")
    before = files(tmp_path)
    exit_code, text = run("threshold", *make_args(model, data, tmp_path))
    assert exit_code == code
    assert said in plain(text)
    assert "Traceback" not in text
    assert files(tmp_path) == before


def test_plots_need_matplotlib_and_without_plots_it_is_not_needed(model, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    exit_code, text = run("threshold", model, data, tmp_path / "out", "--plots", tmp_path / "plots")
    assert exit_code == 1
    assert "docre-E123" in text
    assert not (tmp_path / "out").exists()
    assert run("threshold", model, data, tmp_path / "out")[0] == 0


def test_without_matplotlib_no_folder_is_left(model, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run("threshold", model, data, tmp_path / "out", "--plots", tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_plots_within_the_pipeline_are_there_afterwards(model, data, tmp_path):
    shutil.copytree(model, tmp_path / "out")
    plots = tmp_path / "out" / "plots"
    exit_code, _ = run("threshold", model, data, tmp_path / "out", "-f", "--plots", plots)
    assert (exit_code == 1) != (plots / "reliability.png").exists()


def test_other_files_beside_a_pipeline_are_not_deleted(model, data, tmp_path):
    """Documents, perhaps: refused as E028, or kept."""
    shutil.copytree(model, tmp_path / "out")
    shutil.copy(data, tmp_path / "out" / "dev.spacy")
    run("threshold", model, tmp_path / "out" / "dev.spacy", tmp_path / "out", "--overwrite")
    assert (tmp_path / "out" / "dev.spacy").exists()


def test_scores_of_a_pipeline_with_rules_are_those_of_an_evaluation(model, docs, data, tmp_path):
    """Most of what it has learned is between other types."""
    rules = {"types": {x: [["PER", "LOC"], ["ORG", "ORG"]] for x in component(model).labels}, "inverses": {}}
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf8")
    schema = {"@misc": "spacy-docre.Schema.v1", "path": str(tmp_path / "rules.json")}
    nlp = spacy.load(model, config={"components": {COMPONENT: {"schema": schema}}})
    nlp.to_disk(tmp_path / "with rules")
    _, text = run("threshold", tmp_path / "with rules", data, tmp_path / "out")
    assert rows(text)["before"][:3] == pytest.approx([100 * x for x in evaluated(nlp, docs)], abs=0.01)


def test_one_document_leaves_none_to_check_on(model, docs, tmp_path):
    """No zeros as if they were measured; in JSON null."""
    write_shard(docs[:1], tmp_path / "one.spacy")
    code, text = run("threshold", model, tmp_path / "one.spacy", tmp_path / "out", "--plots", tmp_path / "plots")
    assert code == 0, text
    assert re.search(r"on documents left out +- +- +- +-", text)
    stored = json.loads((tmp_path / "plots" / "thresholds.json").read_text(encoding="utf8"))
    assert stored["checked"] == {"precision": None, "recall": None, "f1": None}
    assert stored["calibration_error"]["checked"] is None


def test_a_strength_without_labels_of_their_own_is_refused(model, data, tmp_path):
    code, text = run("threshold", model, data, tmp_path / "out", "--shrinkage", 8)
    assert code == 1
    assert "--shrinkage has no effect" in text
