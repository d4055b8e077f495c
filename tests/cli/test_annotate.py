"""`python -m spacy docre annotate`: what it says, what it refuses, and what it never deletes."""

import re
import shutil
import warnings

import pytest
import spacy
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre import get_relations, set_relations
from spacy_docre.annotations import get_soft_labels, get_title, set_label_status
from spacy_docre.errors import once
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.manifest import read_manifest
from spacy_docre.readers.shards import find_shards, read_shard, write_shard

from ..conftest import make_doc
from ..inference.test_annotate import contents
from ..pipelines import hash_pipeline, initialised, make_hopper_doc, overfit, step
from .test_evaluate import plain, run


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two pipelines with the same labels, and one that has learned other ones."""
    folder = tmp_path_factory.mktemp("models")
    for name, steps in (("first", 5), ("second", 10)):
        nlp = hash_pipeline()
        overfit(nlp, steps=steps)
        nlp.to_disk(folder / name)
    other = hash_pipeline()
    other.get_pipe("docre_relations").add_label("spouse")
    initialised(other).to_disk(folder / "other")
    return folder


@pytest.fixture(autouse=True)
def _nothing_was_said(monkeypatch):
    monkeypatch.setattr(once, "_given", set())


@pytest.fixture
def source(tmp_path):
    docs = [make_doc(), make_hopper_doc(), make_doc()]
    for i, doc in enumerate(docs):
        doc.user_data["docre_title"] = str(i)
        set_label_status(doc, "incomplete")
    write_shard(docs, tmp_path / "in.spacy")
    return tmp_path / "in.spacy"


def docs_in(path):
    vocab = Vocab()
    return [doc for shard in find_shards(path) for doc in read_shard(shard, vocab)]


def teachers_in(path) -> list[list[str]]:
    return [[s.teacher.rpartition("/")[2] for s in get_soft_labels(doc)] for doc in docs_in(path)]


def test_it_says_what_it_wrote(models, source, tmp_path):
    code, text = run("annotate", models / "first", source, tmp_path / "out", "--docs-per-shard", 2)
    assert code == 0
    assert "3 documents with the logits of" in plain(text)
    assert "/first, 18 pairs of entities, in 2 files" in plain(text).replace(" /", "/")
    assert [get_title(doc) for doc in docs_in(tmp_path / "out")] == ["0", "1", "2"]
    assert teachers_in(tmp_path / "out") == [["first"]] * 3


def test_several_teachers_and_several_inputs(models, source, tmp_path):
    write_shard([make_hopper_doc()], tmp_path / "more.spacy")
    args = [models / "first", source, tmp_path / "more.spacy", tmp_path / "out", "--also", models / "second"]
    assert run("annotate", *args)[0] == 0
    assert teachers_in(tmp_path / "out") == [["first", "second"]] * 4
    assert run("annotate", models / "first", tmp_path / "out", tmp_path / "again")[0] == 0
    assert sorted(teachers_in(tmp_path / "again")[0]) == ["first", "second"]


def test_teachers_with_other_labels_are_refused_with_the_labels(models, source, tmp_path):
    code, text = run("annotate", models / "first", source, tmp_path / "out", "--also", models / "other")
    assert code == 1
    assert "docre-E115" in text
    assert "spouse" in text
    assert not (tmp_path / "out").exists()


def test_a_finished_run_again_says_the_same_and_changes_nothing(models, source, tmp_path):
    args = ["annotate", models / "first", source, tmp_path / "out"]
    _, first = run(*args)
    before = contents(tmp_path / "out")
    code, text = run(*args)
    assert (code, plain(text)) == (0, plain(first))
    assert contents(tmp_path / "out") == before


def unfinished(folder, n_shards: int = 1) -> None:
    """As a killed run leaves it."""
    manifest = read_manifest(folder)
    for shard in manifest.shards[n_shards:]:
        (folder / shard["file"]).unlink()
    manifest.shards, manifest.complete = manifest.shards[:n_shards], False
    manifest.write(folder)


@pytest.mark.parametrize("complete", [True, False])
def test_what_was_begun_differently_is_refused_and_says_what_changed(models, source, tmp_path, complete):
    output = tmp_path / "out"
    run("annotate", models / "first", source, output, "--docs-per-shard", 1)
    if not complete:
        unfinished(output)
    before = contents(output)
    write_shard([make_doc()], tmp_path / "other.spacy")
    shutil.copytree(models / "second", tmp_path / "changed" / "first")
    for args, changed in [
        ([models / "second", source, output, "--docs-per-shard", 1], "teachers .*first → .*second"),
        ([tmp_path / "changed" / "first", source, output, "--docs-per-shard", 1], "teachers .*first → .*first"),
        ([models / "first", source, output, "--docs-per-shard", 1, "--also", models / "second"], "teachers .*second"),
        (
            [models / "first", tmp_path / "other.spacy", output, "--docs-per-shard", 1],
            r"inputs in\.spacy → other\.spacy",
        ),
        ([models / "first", source, output, "--docs-per-shard", 7], "docs_per_shard 1 → 7"),
    ]:
        code, text = run("annotate", *args)
        assert code == 1
        assert "docre-E117" in text
        assert "--overwrite" in text
        assert re.search(f"Changed: .*{changed}", plain(text)), text
    assert contents(output) == before


def test_another_content_of_the_same_file_is_refused(models, source, tmp_path):
    run("annotate", models / "first", source, tmp_path / "out")
    write_shard([make_doc()], source)
    code, text = run("annotate", models / "first", source, tmp_path / "out")
    assert code == 1
    assert "(the name is the same, the content is not)" in plain(text)


def test_inputs_in_another_order_are_refused_and_said(models, source, tmp_path):
    """The documents that are done are the first ones: of the first input."""
    write_shard([make_doc()], tmp_path / "more.spacy")
    run("annotate", models / "first", source, tmp_path / "more.spacy", tmp_path / "out")
    code, text = run("annotate", models / "first", tmp_path / "more.spacy", source, tmp_path / "out")
    assert code == 1
    assert "docre-E117" in text
    assert "Changed: inputs" in plain(text)


def test_overwrite_starts_anew(models, source, tmp_path):
    run("annotate", models / "first", source, tmp_path / "out", "--docs-per-shard", 1)
    code, _ = run("annotate", models / "second", source, tmp_path / "out", "--overwrite")
    assert code == 0
    assert contents(tmp_path / "out").keys() == {"manifest.json", "00000.spacy"}
    assert teachers_in(tmp_path / "out") == [["second"]] * 3


def test_overwrite_brings_back_what_is_missing(models, source, tmp_path):
    """The remedy that E113 names, with all else as it was."""
    args = ["annotate", models / "first", source, tmp_path / "out", "--docs-per-shard", 1]
    run(*args)
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "00001.spacy").unlink()
    assert run(*args, "--overwrite")[0] == 0
    assert contents(tmp_path / "out") == before


def test_a_limit_of_documents(models, source, tmp_path):
    """The first two of three; another limit is another run."""
    args = ["annotate", models / "first", source, tmp_path / "out", "--docs-per-shard", 1, "--limit"]
    assert run(*args, 2)[0] == 0
    assert [get_title(doc) for doc in docs_in(tmp_path / "out")] == ["0", "1"]
    code, text = run(*args, 3)
    assert code == 1
    assert "Changed: limit 2 → 3" in plain(text)
    unfinished(tmp_path / "out")
    assert run(*args, 2)[0] == 0
    assert [get_title(doc) for doc in docs_in(tmp_path / "out")] == ["0", "1"]
    assert run(*args, 7, "--overwrite")[0] == 0
    assert len(docs_in(tmp_path / "out")) == 3


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("name", ["thesis.txt", "00000.spacy", ".hidden"])
def test_a_foreign_folder_is_refused_whatever_is_asked(models, source, tmp_path, name, overwrite):
    """Also one with shards and without a manifest: somebody's corpus."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    code, text = run("annotate", models / "first", source, tmp_path / "out", *["--overwrite"] * overwrite)
    assert code == 1
    assert "docre-E116" in text
    assert name in text
    assert contents(tmp_path / "out") == {name: b"mine"}


def test_a_file_as_output_is_refused(models, source, tmp_path):
    (tmp_path / "out").write_text("mine")
    code, text = run("annotate", models / "first", source, tmp_path / "out", "--overwrite")
    assert code == 1
    assert "docre-E116" in text
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_is_not_annotated_onto_itself(models, source, tmp_path, overwrite):
    """Its documents would be deleted before they are read."""
    run("annotate", models / "first", source, tmp_path / "out")
    before = contents(tmp_path / "out")
    code, _ = run("annotate", models / "second", tmp_path / "out", tmp_path / "out", *["--overwrite"] * overwrite)
    assert code == 1
    assert contents(tmp_path / "out") == before


def test_an_output_within_an_input_is_not_read_as_input(models, source, tmp_path):
    """`annotate MODEL data data/soft`: killed and started again, the finished shards lie among the inputs."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(source, data)
    args = ["annotate", models / "first", data, data / "soft", "--docs-per-shard", 1]
    code, _ = run(*args)
    if code == 1:  # refused from the beginning: as good
        assert not (data / "soft").exists()
        return
    unfinished(data / "soft")
    assert run(*args)[0] == 0
    assert len(docs_in(data / "soft")) == 3


def broken(folder):
    (folder / "bad.spacy").write_bytes(b"no document")
    return folder / "bad.spacy"


def cut(folder):
    write_shard([make_doc()], folder / "bad.spacy")
    whole = (folder / "bad.spacy").read_bytes()
    (folder / "bad.spacy").write_bytes(whole[: len(whole) // 2])
    return folder / "bad.spacy"


def empty(folder):
    (folder / "bad").mkdir()
    return folder / "bad"


@pytest.mark.parametrize(("make", "code"), [(broken, "E022"), (cut, "E022"), (empty, "E021")])
def test_bad_documents_end_with_a_message_and_exit_code_1(models, tmp_path, make, code):
    path = make(tmp_path)
    exit_code, text = run("annotate", models / "first", path, tmp_path / "out")
    assert exit_code == 1
    assert f"docre-{code}" in text
    assert path.name in text


def without_entities(title: str):
    doc = make_doc()
    doc = Doc(doc.vocab, words=[t.text for t in doc], sent_starts=[bool(t.is_sent_start) for t in doc])
    doc.user_data["docre_title"] = title
    set_label_status(doc, "none")
    return doc


def test_documents_without_entities_leave_nothing_behind(models, source, tmp_path):
    """Else the folder would ask for going on, which fails again, and refuse other documents."""
    write_shard([without_entities("a"), without_entities("b")], tmp_path / "bare.spacy")
    code, text = run("annotate", models / "first", tmp_path / "bare.spacy", tmp_path / "out")
    assert code == 1
    assert "docre-E144" in text
    assert not (tmp_path / "out").exists()
    assert run("annotate", models / "first", source, tmp_path / "out")[0] == 0


def test_teachers_of_earlier_calls_are_named(models, source, tmp_path):
    run("annotate", models / "first", source, tmp_path / "a")
    code, text = run("annotate", models / "second", tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert re.search(r"with the logits of \S*/first, \S*/second,", plain(text))
    assert [name[-6:] for name in read_manifest(tmp_path / "b").calibration] == ["/first", "second"]


def test_calibrated_and_other_teachers_are_warned_of(models, source, tmp_path):
    write_shard([make_doc(), make_hopper_doc()], tmp_path / "dev.spacy")
    calibrate = ["--calibrate", tmp_path / "dev.spacy"]
    run("annotate", models / "first", source, tmp_path / "a", *calibrate)
    with pytest.warns(UserWarning, match="docre-W026.*/first are calibrated and those of .*/second are not"):
        run("annotate", models / "second", tmp_path / "a", tmp_path / "b")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*W026")
        assert run("annotate", models / "second", tmp_path / "a", tmp_path / "c", *calibrate)[0] == 0


def test_labels_that_the_teacher_does_not_know_are_warned_of(models, tmp_path):
    doc = make_doc()
    set_relations(doc, [*get_relations(doc), ("0", "patron of", "2")], status="incomplete")
    write_shard([doc], tmp_path / "in.spacy")
    with pytest.warns(UserWarning, match="docre-W025.*will not learn them: patron of. Train the teacher"):
        assert run("annotate", models / "first", tmp_path / "in.spacy", tmp_path / "out")[0] == 0


def test_unfinished_soft_labels_are_no_input(models, source, tmp_path):
    """A second teacher on what the first has not finished."""
    run("annotate", models / "first", source, tmp_path / "a", "--docs-per-shard", 1)
    unfinished(tmp_path / "a")
    code, text = run("annotate", models / "second", tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert "docre-E114" in text


@pytest.mark.parametrize(
    ("make_args", "expected"),
    [
        (lambda models, source, tmp: ["no_such_model", source, tmp / "out"], "no_such_model"),
        (lambda models, source, tmp: [models / "first", tmp / "no.spacy", tmp / "out"], "No such file or folder"),
        (lambda models, source, tmp: [models / "first", source], "Name documents and a folder to write"),
    ],
    ids=["no model", "no documents", "no output"],
)
def test_wrong_usage_is_said_and_nothing_written(models, source, tmp_path, make_args, expected):
    before = {p.name for p in tmp_path.iterdir()}
    code, text = run("annotate", *make_args(models, source, tmp_path))
    assert code == 1
    assert expected in plain(text)
    assert "Traceback" not in text
    assert {p.name for p in tmp_path.iterdir()} == before


def test_a_pipeline_that_finds_no_relations_is_no_teacher(blank, source, tmp_path):
    blank.to_disk(tmp_path / "blank")
    code, text = run("annotate", tmp_path / "blank", source, tmp_path / "out")
    assert code == 1
    assert "docre_relations" in text


def test_a_student_is_initialised_and_trained_on_the_output(models, source, tmp_path):
    """Without one complete document: the labels are the teacher's, and what does not hold is learned from it."""
    run("annotate", models / "first", source, tmp_path / "out")
    nlp = hash_pipeline()
    examples = list(create_corpus_v1(tmp_path / "out")(nlp))
    initialised(nlp, examples)
    teacher = spacy.load(models / "first")
    assert nlp.get_pipe("docre_relations").labels == teacher.get_pipe("docre_relations").labels
    assert step(nlp, examples, nlp.create_optimizer())["docre_relations"] > 0


@pytest.mark.parametrize("deep", ["new", "a/b"])
def test_an_output_within_another_output_is_refused(models, source, tmp_path, deep):
    """Training on the outer folder would read both."""
    assert run("annotate", models / "first", source, tmp_path / "soft")[0] == 0
    before = contents(tmp_path / "soft")
    code, text = run("annotate", models / "second", source, tmp_path / "soft" / deep)
    assert code == 1
    assert "docre-E162" in text
    assert contents(tmp_path / "soft") == before
