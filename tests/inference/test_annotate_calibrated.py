"""Soft labels with a calibration: in every document, in the manifest, over an interruption, on the command line."""

import re

import pytest
from spacy.vocab import Vocab

from spacy_docre import set_relations
from spacy_docre.annotations import get_soft_labels, set_label_status
from spacy_docre.inference.annotate import annotate, read_examples
from spacy_docre.inference.calibration import calibrate
from spacy_docre.inference.teacher import Teacher
from spacy_docre.readers.manifest import read_manifest, sha256
from spacy_docre.readers.shards import write_shard

from ..cli.test_annotate import unfinished
from ..cli.test_evaluate import plain, run
from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, make_hopper_doc, overfit
from .test_annotate import contents, docs_in, soft_labels_of


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two of different training: "first" and "second"."""
    folder = tmp_path_factory.mktemp("models")
    for name, steps in (("first", 5), ("second", 15)):
        nlp = hash_pipeline()
        overfit(nlp, steps=steps)
        nlp.to_disk(folder / name)
    return folder


@pytest.fixture
def first(models) -> Teacher:
    return Teacher(str(models / "first"))


@pytest.fixture
def source(tmp_path):
    """Five documents that nobody has labelled completely."""
    docs = [make_doc(), crowd(Vocab(), 4), make_hopper_doc(), crowd(Vocab(), 0), crowd(Vocab(), 2)]
    for doc in docs:
        set_label_status(doc, "incomplete")
    write_shard(docs, tmp_path / "in.spacy")
    return tmp_path / "in.spacy"


@pytest.fixture
def dev(tmp_path):
    write_shard([make_doc(), make_hopper_doc(), crowd(Vocab(), 3, status="complete")], tmp_path / "dev.spacy")
    return tmp_path / "dev.spacy"


def calibrations_in(path) -> list[list[tuple[float, float]]]:
    return [[s.calibration for s in get_soft_labels(doc)] for doc in docs_in(path)]


def calibration_of(model, path) -> tuple[float, float]:
    teacher = Teacher(str(model))
    return calibrate(teacher, read_examples(teacher.nlp, [path]))


def test_every_document_says_how_its_logits_are_calibrated(models, first, source, dev, tmp_path):
    annotate([first], [source], tmp_path / "out", docs_per_shard=2, calibrate_on=dev)
    expected = calibration_of(models / "first", dev)
    assert expected != (1.0, 0.0)
    assert calibrations_in(tmp_path / "out") == [[expected]] * 5


def test_without_documents_to_calibrate_on_margins_are_log_odds(first, source, tmp_path):
    annotate([first], [source], tmp_path / "out")
    assert calibrations_in(tmp_path / "out") == [[(1.0, 0.0)]] * 5


def test_logits_are_the_same_as_without(models, source, dev, tmp_path):
    for name, path in (("plain", None), ("calibrated", dev)):
        annotate([Teacher(str(models / "first"))], [source], tmp_path / name, calibrate_on=path)
    assert soft_labels_of(tmp_path / "calibrated") == soft_labels_of(tmp_path / "plain")


def test_each_teacher_has_its_own(models, source, dev, tmp_path):
    paths = [models / "first", models / "second"]
    annotate([Teacher(str(path)) for path in paths], [source], tmp_path / "out", calibrate_on=dev)
    expected = [calibration_of(path, dev) for path in paths]
    assert expected[0] != expected[1]
    assert calibrations_in(tmp_path / "out") == [expected] * 5


def test_a_second_teacher_leaves_the_calibration_of_the_first(models, first, source, dev, tmp_path):
    annotate([first], [source], tmp_path / "a", calibrate_on=dev)
    annotate([Teacher(str(models / "second"))], [tmp_path / "a"], tmp_path / "b")
    assert calibrations_in(tmp_path / "b") == [[calibration_of(models / "first", dev), (1.0, 0.0)]] * 5


def test_the_manifest_lists_what_was_calibrated_on(first, source, dev, tmp_path):
    annotate([first], [source], tmp_path / "out", calibrate_on=dev)
    settings = read_manifest(tmp_path / "out").settings
    assert settings["calibrate_on"] == [{"file": "dev.spacy", "sha256": sha256(dev)}]
    assert [x["file"] for x in settings["inputs"]] == ["in.spacy"]


def test_a_folder_to_calibrate_on_is_all_of_its_files(models, first, source, dev, tmp_path):
    (tmp_path / "dev").mkdir()
    for name, doc in (("a", make_doc()), ("b", make_hopper_doc()), ("c", crowd(Vocab(), 3, status="complete"))):
        write_shard([doc], tmp_path / "dev" / f"{name}.spacy")
    manifest = annotate([first], [source], tmp_path / "out", calibrate_on=tmp_path / "dev")
    assert [x["file"] for x in manifest.settings["calibrate_on"]] == ["a.spacy", "b.spacy", "c.spacy"]
    assert calibrations_in(tmp_path / "out")[0] == [calibration_of(models / "first", dev)]


def test_without_the_manifest_is_as_before_there_was_any(first, source, tmp_path):
    """Folders that an earlier version has begun go on."""
    annotate([first], [source], tmp_path / "out")
    assert "calibrate_on" not in read_manifest(tmp_path / "out").settings


@pytest.mark.parametrize("n_shards", [0, 1, 2])
def test_a_killed_run_goes_on_with_the_same_calibration(models, source, dev, tmp_path, n_shards):
    """Also where it was killed before the first shard; in the end the files are the same to the byte."""
    settings = {"docs_per_shard": 2, "calibrate_on": dev}
    annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", **settings)
    before = contents(tmp_path / "out")
    unfinished(tmp_path / "out", n_shards)
    progress = []
    again = [Teacher(str(models / "first"))]
    manifest = annotate(again, [source], tmp_path / "out", on_progress=progress.append, **settings)
    assert manifest.complete
    assert progress[0] == 2 * n_shards
    assert contents(tmp_path / "out") == before
    assert len({tuple(x) for x in calibrations_in(tmp_path / "out")}) == 1


def test_a_finished_run_again_changes_nothing(models, source, dev, tmp_path):
    annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", calibrate_on=dev)
    before = contents(tmp_path / "out")
    annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", calibrate_on=dev)
    assert contents(tmp_path / "out") == before


def change(path):
    """Other documents in a file of the same name."""
    write_shard([make_hopper_doc()], path)
    return path


def rename(path):
    return path.rename(path.with_name("other.spacy"))


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("other", [change, rename, lambda path: None], ids=["changed", "renamed", "left out"])
def test_another_calibration_is_refused_and_said(models, source, dev, tmp_path, other, complete):
    annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", docs_per_shard=2, calibrate_on=dev)
    if not complete:
        unfinished(tmp_path / "out")
    before, path = contents(tmp_path / "out"), other(dev)
    settings = {"docs_per_shard": 2, "calibrate_on": path}
    with pytest.raises(ValueError, match=r"docre-E117.*Changed: calibrate_on .*dev\.spacy.* → "):
        annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", **settings)
    assert contents(tmp_path / "out") == before
    annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", overwrite=True, **settings)
    expected = calibration_of(models / "first", path) if path else (1.0, 0.0)
    assert calibrations_in(tmp_path / "out") == [[expected]] * 5


def test_a_calibration_is_not_added_to_what_was_begun_without(models, source, dev, tmp_path):
    annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", docs_per_shard=2)
    unfinished(tmp_path / "out")
    with pytest.raises(ValueError, match=r"docre-E117.*Changed: calibrate_on .* → .*dev\.spacy"):
        annotate([Teacher(str(models / "first"))], [source], tmp_path / "out", docs_per_shard=2, calibrate_on=dev)


@pytest.mark.parametrize(
    ("relations", "status", "code"),
    [([("0", "colleague", "2")], "incomplete", "E127"), ([], "complete", "E128")],
    ids=["incomplete", "without relations"],
)
def test_documents_that_can_not_calibrate_are_refused(models, source, tmp_path, relations, status, code):
    doc = make_doc()
    set_relations(doc, relations, status=status)
    write_shard([doc], tmp_path / "bad.spacy")
    args = [models / "first", source, tmp_path / "out", "--calibrate", tmp_path / "bad.spacy"]
    exit_code, text = run("annotate", *args)
    assert exit_code == 1
    assert f"docre-{code}" in text
    assert not (tmp_path / "out").exists()


SAID = re.compile(r"(first|second): probability σ\((-?\d+\.\d\d) · margin ([+-]\d+\.\d\d)\)")


def test_the_command_says_scale_and_offset_of_each_teacher(models, source, dev, tmp_path):
    args = [models / "first", source, tmp_path / "out", "--also", models / "second", "--calibrate", dev]
    code, text = run("annotate", *args)
    assert code == 0
    found = {name: (float(scale), float(offset)) for name, scale, offset in SAID.findall(plain(text))}
    assert list(found) == ["first", "second"]
    for name, said in found.items():
        assert said == pytest.approx(calibration_of(models / name, dev), abs=0.0051)
    assert calibrations_in(tmp_path / "out")[0] == [calibration_of(models / name, dev) for name in found]


def test_without_calibration_the_command_says_nothing_of_it(models, source, tmp_path):
    code, text = run("annotate", models / "first", source, tmp_path / "out")
    assert code == 0
    assert "probability" not in text


def test_the_command_refuses_another_calibration(models, source, dev, tmp_path):
    args = ["annotate", models / "first", source, tmp_path / "out", "--calibrate", dev]
    run(*args)
    change(dev)
    code, text = run(*args)
    assert code == 1
    assert "docre-E117" in text
    assert "calibrate_on" in text
    assert run(*args, "--overwrite")[0] == 0


def test_a_missing_file_is_said_before_anything_is_done(models, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = run("annotate", models / "first", source, "out", "--calibrate", "nodev.spacy")
    assert code != 0
    assert "--calibrate" in text
    assert "nodev.spacy" in text
    assert "does not exist" in plain(text)
    assert not (tmp_path / "out").exists()


def test_a_calibration_is_of_one_call_only(models, source, dev, tmp_path):
    """A teacher in memory does not keep it."""
    teacher = Teacher(str(models / "first"))
    annotate([teacher], [source], tmp_path / "calibrated", calibrate_on=dev)
    annotate([teacher], [source], tmp_path / "plain")
    assert teacher.calibration == (1.0, 0.0)


def test_a_failing_calibration_leaves_earlier_shards(models, source, dev, tmp_path):
    output = tmp_path / "out"
    run("annotate", models / "first", source, output, "--calibrate", dev)
    before = {p.name: p.read_bytes() for p in output.iterdir()}
    bad = make_doc()
    set_relations(bad, [("0", "colleague", "2")], status="incomplete")
    write_shard([bad], tmp_path / "bad.spacy")
    exit_code, _ = run(
        "annotate", models / "first", source, output, "--calibrate", tmp_path / "bad.spacy", "--overwrite"
    )
    assert exit_code == 1
    assert {p.name: p.read_bytes() for p in output.iterdir()} == before
