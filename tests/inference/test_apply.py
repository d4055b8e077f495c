"""A pipeline over many documents: what is written, what is left out, and going on after a kill."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from spacy_docre import get_relations
from spacy_docre.annotations import get_title, relations_to_json
from spacy_docre.inference import apply as module
from spacy_docre.inference.apply import apply
from spacy_docre.inference.outputs import COLUMNS, no_formula, read_problems

from ..pipelines import save_naming_pipeline, scored
from ..test_old_models import TINY
from .test_annotate import contents, docs_in
from .test_killed import Stopped, half_a_manifest, kill_at, stop_after

NAMES = {"Ada Lovelace": "PER", "Grace Hopper": "PER", "Charles Babbage": "PER", "London": "LOC", "Paris": "LOC"}
N_DOCS, N_GAPS, PER_PART = 30, 200, 4
BAD = "No component likes this."


class Fragile:
    """As spaCy's trainable components: a document that fails takes its batch with it."""

    def set_error_handler(self, handler) -> None:
        self.handler = handler

    def __call__(self, doc: Doc) -> Doc:
        if BAD in doc.text:
            raise RuntimeError("I said so")
        return doc

    def pipe(self, stream, *, batch_size: int):
        for docs in minibatch(stream, batch_size):
            try:
                yield from [self(doc) for doc in docs]
            except RuntimeError as err:
                self.handler("fragile", self, docs, err)


class Abrupt(Fragile):
    """As the transformer of spacy-transformers: it asks no error handler."""

    def pipe(self, stream, *, batch_size: int):
        yield from map(self, stream)


def test_a_ner_that_takes_no_error_handler(tmp_path):
    """spaCy's own: nlp.set_error_handler fails with it."""
    nlp = spacy.load(TINY)
    ner = nlp.add_pipe("ner", first=True)
    examples = [Example(nlp.make_doc("Ada"), Doc(nlp.vocab, words=["Ada"], ents=["B-PER"]))]
    ner.initialize(lambda: examples, nlp=nlp)
    handler = nlp.default_error_handler
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("Ada met Ada.", "", "London")), "utf8")
    result = apply(nlp, texts, tmp_path / "found.jsonl")
    assert (result.n_docs, result.problems) == (3, [])
    assert nlp.default_error_handler is handler
    found = [json.loads(line)["entities"] for line in (tmp_path / "found.jsonl").read_text("utf8").splitlines()]
    assert [len(x) for x in found] == [len(nlp(t)._.docre_entities) for t in ("Ada met Ada.", "", "London")]


Language.component("test-apply-single", func=Fragile().__call__)
Language.factory("test-apply-fragile", func=lambda nlp, name: Fragile())
Language.factory("test-apply-abrupt", func=lambda nlp, name: Abrupt())


@Language.component("test-apply-copy")
def copy(doc: Doc) -> Doc:
    return Fragile()(doc.copy())


@Language.component("test-apply-count")
def count(doc: Doc) -> Doc:
    doc.user_data["n_times"] = doc.user_data.get("n_times", 0) + 1
    return doc


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_naming_pipeline(tmp_path_factory.mktemp("model"), NAMES)


@pytest.fixture
def nlp(model) -> Language:
    return spacy.load(model)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(module, "DOCS_PER_PART", PER_PART)


def text_of(i: int) -> str:
    """Of 0 to 7 sentences."""
    names = list(NAMES)
    return " ".join(f"{names[(i + k) % 5]} was born in {names[(i * k) % 5]}." for k in range(i % 8))


def write_lines(path: Path, *texts: str) -> Path:
    rows = [{"text": text, "title": f'"{i}", title'} for i, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def data(tmp_path) -> Path:
    return write_lines(tmp_path / "in.jsonl", *map(text_of, range(N_DOCS)))


def records(output: Path) -> list[dict]:
    return [json.loads(line) for line in output.read_text(encoding="utf8").splitlines()]


def found_in(output: Path) -> list[tuple[str, dict]]:
    """Title, and relations with their scores, of every document."""
    if output.suffix != ".jsonl":
        return [(get_title(doc), scored(doc)) for doc in docs_in(output)]
    keys = ("head", "label", "tail")
    return [(d["title"], {tuple(r[k] for k in keys): r["score"] for r in d["relations"]}) for d in records(output)]


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


@pytest.mark.parametrize("suffix", [".jsonl", ".spacy", ""])
def test_one_by_one_in_batches_and_applied_are_the_same(nlp, data, tmp_path, suffix):
    """In their order, whatever the size of batches and parts; and nothing but the output is left."""
    texts = list(map(text_of, range(N_DOCS)))
    alone = [pytest.approx(scored(nlp(text)), abs=1e-5) for text in texts]
    assert [scored(doc) for doc in nlp.pipe(texts, batch_size=7)] == alone
    result = apply(nlp, data, tmp_path / f"out{suffix}", batch_size=3)
    found = found_in(tmp_path / f"out{suffix}")
    assert [title for title, _ in found] == [f'"{i}", title' for i in range(N_DOCS)]
    assert [relations for _, relations in found] == alone
    assert (result.n_docs, result.n_relations) == (N_DOCS, sum(len(relations) for _, relations in found))
    assert result.n_relations > N_DOCS
    assert (result.problems, result.listed_in) == ([], None)
    assert names(tmp_path) == {"in.jsonl", f"out{suffix}"}


def test_a_table_has_a_row_for_each_relation(nlp, data, tmp_path):
    apply(nlp, data, tmp_path / "out.csv", batch_size=N_DOCS)
    with (tmp_path / "out.csv").open(encoding="utf8", newline="") as file_:
        first, *rows = csv.reader(file_)
    assert tuple(first) == COLUMNS
    expected = []
    for i in range(N_DOCS):
        for r in get_relations(nlp(text_of(i))):
            names = [r.head.name, r.head.label, "", r.label_, r.tail.name, r.tail.label, ""]
            expected.append([f'"{i}", title', *names, " … ".join(s.text for s in r.evidence), f"{data}, line {i + 1}"])
    assert [row[:8] + row[9:] for row in rows] == expected
    assert all(0.5 < float(row[8]) <= 1 for row in rows)


def test_a_line_has_the_whole_graph_and_its_source(nlp, data, tmp_path):
    apply(nlp, data, tmp_path / "out.jsonl")
    for i, record in enumerate(records(tmp_path / "out.jsonl")):
        assert list(record) == ["title", "source", "text", "entities", "relations"]
        assert record["source"] == f"{data}, line {i + 1}"
        expected = relations_to_json(nlp(text_of(i)))
        assert (record["text"], record["entities"]) == (expected["text"], expected["entities"])
        assert [r["evidence"] for r in record["relations"]] == [r["evidence"] for r in expected["relations"]]


def test_without_text_there_are_names_and_places_only(nlp, data, tmp_path):
    """ "born" stands in every sentence and in no name."""
    for suffix in (".jsonl", ".csv"):
        for with_text in (True, False):
            apply(nlp, data, tmp_path / f"{with_text}{suffix}", with_text=with_text)
        assert b" born " in (tmp_path / f"True{suffix}").read_bytes()
        assert b" born " not in (tmp_path / f"False{suffix}").read_bytes().replace(b"place of birth", b"")
    assert found_in(tmp_path / "False.jsonl") == found_in(tmp_path / "True.jsonl")
    (span, *_) = (s for d in records(tmp_path / "False.jsonl") for r in d["relations"] for s in r["evidence"])
    assert {"start", "end", "start_char", "end_char"} < span.keys()


def test_an_output_can_be_put_in_again(nlp, data, tmp_path):
    apply(nlp, data, tmp_path / "a.jsonl")
    apply(nlp, tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    again = [(title, pytest.approx(relations, abs=1e-5)) for title, relations in found_in(tmp_path / "a.jsonl")]
    assert found_in(tmp_path / "b.jsonl") == again


FAILING = [
    "test-apply-single",
    "test-apply-fragile",
    pytest.param("test-apply-abrupt"),
    pytest.param("test-apply-copy"),
]


@pytest.mark.parametrize("component", FAILING)
@pytest.mark.parametrize("suffix", [".jsonl", ""])
def test_documents_that_fail_are_left_out_and_listed(nlp, tmp_path, component, suffix):
    """Numbers 2, 9 and 10 fail, 5 is no document: the others are there, in order, as if nothing had been."""
    texts = [BAD if i in (2, 9, 10) else text_of(i) for i in range(N_DOCS)]
    data = write_lines(tmp_path / "in.jsonl", *texts)
    rows = data.read_text().splitlines()
    data.write_text("\n".join([*rows[:5], "{", *rows[6:]]))
    expected = [(f'"{i}", title', pytest.approx(scored(nlp(texts[i])), abs=1e-5)) for i in range(N_DOCS)]
    nlp.add_pipe(component)
    output, progress = tmp_path / f"out{suffix}", []
    result = apply(nlp, data, output, on_progress=progress.append)
    assert found_in(output) == [row for i, row in enumerate(expected) if i not in (2, 5, 9, 10)]
    assert (result.n_docs, sum(progress)) == (N_DOCS - 4, N_DOCS)
    assert [place.rpartition(" ")[2] for place, _ in result.problems] == ["3", "6", "10", "11"]
    assert [problem for _, problem in result.problems[2:]] == ["RuntimeError: I said so"] * 2
    assert result.listed_in == tmp_path / f"out{suffix}.left_out.jsonl"
    assert read_problems(result.listed_in) == result.problems
    assert names(tmp_path) == {"in.jsonl", output.name, result.listed_in.name}


def test_documents_beside_one_that_fails_are_processed_once(nlp, tmp_path):
    """An entity recogniser, for example, takes what it found the first time for given."""
    nlp.add_pipe("test-apply-count")
    nlp.add_pipe("test-apply-fragile")
    apply(nlp, write_lines(tmp_path / "in.jsonl", "a", BAD, "b"), tmp_path / "out.spacy")
    assert [doc.user_data["n_times"] for doc in docs_in(tmp_path / "out.spacy")] == [1, 1]


def test_a_run_that_was_stopped_leaves_the_pipeline_as_it_was(nlp, data, tmp_path):
    nlp.add_pipe("test-apply-single")
    with pytest.raises(Stopped):
        apply(nlp, data, tmp_path / "out.jsonl", on_progress=stop_after(7))
    with pytest.raises(RuntimeError, match="I said so"):
        list(nlp.pipe([BAD]))


def bytes_of(output: Path) -> dict[str, bytes]:
    """Of the output, and of the list of what was left out."""
    left_out = output.with_name(f"{output.name}.left_out.jsonl").read_bytes()
    return {**(contents(output) if output.is_dir() else {"output": output.read_bytes()}), "left out": left_out}


@pytest.fixture
def gaps(tmp_path) -> Path:
    """Documents of which every ninth has no text."""
    path = write_lines(tmp_path / "in.jsonl", *map(text_of, range(N_GAPS)))
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join("{}\n" if i % 9 == 0 else row for i, row in enumerate(rows)))
    return path


SCRIPT = f"""
import sys
from spacy_docre.inference import apply as module
from spacy_docre.cli import app
module.DOCS_PER_PART = {PER_PART}
app(["apply", *sys.argv[1:]])
"""


@pytest.mark.parametrize(("suffix", "n_parts"), [(".jsonl", 3), (".spacy", 12), ("", 20)])
def test_killed_and_started_again(model, gaps, tmp_path, suffix, n_parts):
    """SIGKILL when so many parts of 50 are there: the rest is done, and the bytes are those of a run in peace."""
    whole, output = tmp_path / f"whole{suffix}", tmp_path / "new" / f"out{suffix}"
    apply(spacy.load(model), gaps, whole)
    parts = output.parent / f".{output.name}.parts"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, model, gaps, output], stdout=-1, stderr=-2, text=True)
    kill_at(process, parts / f"{n_parts - 1:05}{suffix or '.spacy'}")
    assert not output.exists()
    progress: list[int] = []
    apply(spacy.load(model), gaps, output, on_progress=progress.append)
    assert (n_parts - 1) * PER_PART <= progress[0] < N_GAPS, "at most one part's work is lost"
    assert sum(progress) == N_GAPS
    assert bytes_of(output) == bytes_of(whole)
    assert names(output.parent) == {output.name, f"{output.name}.left_out.jsonl"}


def half_a_part(parts: Path) -> None:
    (parts / ".00002.jsonl").write_bytes((parts / "00000.jsonl").read_bytes()[:9])
    (parts / "00002.problems").write_text('{"pla')


def a_part_that_the_manifest_does_not_have(parts: Path) -> None:
    (parts / "00002.jsonl").write_text("no document")


@pytest.mark.parametrize("leave", [half_a_part, a_part_that_the_manifest_does_not_have, half_a_manifest])
@pytest.mark.parametrize("overwrite", [True, False])
def test_what_a_killed_run_leaves_behind_is_replaced(model, gaps, tmp_path, leave, overwrite):
    output, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    gaps.write_text("".join(gaps.read_text().splitlines(keepends=True)[:24]))
    apply(spacy.load(model), gaps, whole)
    with pytest.raises(Stopped):
        apply(spacy.load(model), gaps, output, on_progress=stop_after(10))
    leave(tmp_path / ".out.jsonl.parts")
    apply(spacy.load(model), gaps, output, overwrite=overwrite)
    assert bytes_of(output) == bytes_of(whole)
    assert not (tmp_path / ".out.jsonl.parts").exists()


@pytest.mark.parametrize("n_process", [0, -2])
def test_a_number_of_processes_that_can_t_be_is_refused(nlp, data, tmp_path, n_process):
    """Also after a run that was stopped: its parts are not taken for all."""
    output = tmp_path / "out.jsonl"
    with pytest.raises(Stopped):
        apply(nlp, data, output, on_progress=stop_after(10))
    with pytest.raises(ValueError, match=f"docre-E081.*n_process.*{n_process}"):
        apply(nlp, data, output, n_process=n_process)
    assert not output.exists()
    apply(nlp, data, output)
    assert len(records(output)) == N_DOCS


def test_a_pipeline_that_was_changed_in_memory_is_another_one(nlp, data, tmp_path):
    output = tmp_path / "out.jsonl"
    with pytest.raises(Stopped):
        apply(nlp, data, output, on_progress=stop_after(10))
    nlp.get_pipe("docre_relations").threshold_offset = -100.0
    with pytest.raises(ValueError, match="docre-E117"):
        apply(nlp, data, output)


def test_a_file_in_place_of_a_folder_is_refused_before_the_work(nlp, data, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileExistsError, match=r"docre-E038.*is a file, and a folder was to be written"):
        apply(nlp, data, tmp_path / "out", overwrite=True)
    assert names(tmp_path) == {"in.jsonl", "out"}
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', """'=HYPERLINK("http://x")"""),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-2+3+cmd", "'-2+3+cmd"),
        ("\t=1", "'\t=1"),
        ("-5", "-5"),
        ("-5.5 %", "-5.5 %"),
        ("+1,5", "+1,5"),
        ("Ada = Lovelace", "Ada = Lovelace"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(text, cell):
    """For a spreadsheet, in titles and names that come from anywhere."""
    assert no_formula(text) == cell


@pytest.mark.parametrize("content", ["", '{"format": 1, "sett', "[]"])
def test_parts_that_nobody_can_read_are_done_again(nlp, data, tmp_path, content):
    """What a failing disk leaves in the hidden folder; with the reason, unless told to overwrite."""
    expected = tmp_path / "expected.jsonl"
    apply(nlp, data, expected)
    folder = tmp_path / ".out.jsonl.parts"
    folder.mkdir()
    (folder / "manifest.json").write_text(content, encoding="utf8")
    (folder / "00000.jsonl").write_text("half a li", encoding="utf8")
    if content != "[]":
        with pytest.raises(ValueError, match="docre-E112"):
            apply(nlp, data, tmp_path / "out.jsonl")
    apply(nlp, data, tmp_path / "out.jsonl", overwrite=True)
    assert (tmp_path / "out.jsonl").read_bytes() == expected.read_bytes()
    assert not folder.exists()


def test_other_code_does_not_go_on(nlp, data, tmp_path, monkeypatch):
    """Nor a part that was changed since."""
    code = tmp_path / "code.py"
    code.write_text("x = 1", encoding="utf8")
    monkeypatch.setattr(module, "DOCS_PER_PART", PER_PART)
    with pytest.raises(Stopped):
        apply(nlp, data, tmp_path / "out.jsonl", code=code, on_progress=stop_after(2 * PER_PART))
    code.write_text("x = 2", encoding="utf8")
    with pytest.raises(ValueError, match=r"docre-E117.*code code\.py.*the content is not"):
        apply(nlp, data, tmp_path / "out.jsonl", code=code)
    code.write_text("x = 1", encoding="utf8")
    part = tmp_path / ".out.jsonl.parts" / "00000.jsonl"
    part.write_bytes(part.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"docre-E138.*00000"):
        apply(nlp, data, tmp_path / "out.jsonl", code=code)
