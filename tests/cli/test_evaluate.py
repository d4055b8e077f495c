"""`python -m spacy docre evaluate` and `facts`, on a tiny pipeline that has learned two documents."""

import pytest
import srsly
from typer.testing import CliRunner

from spacy_docre import set_relations
from spacy_docre.cli.app import app
from spacy_docre.cli.evaluate import evaluate
from spacy_docre.cli.facts import write_facts
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..pipelines import hash_pipeline, make_hopper_doc, overfit
from ..test_old_models import TINY


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("pipeline")
    nlp = hash_pipeline()
    overfit(nlp)
    nlp.to_disk(folder)
    return str(folder)


@pytest.fixture
def data(tmp_path):
    """Both documents, with one relation of six that the pipeline has not learned."""
    hopper = make_hopper_doc()
    relations = [("0", "place of death", "1"), ("0", "founder of", "2"), ("0", "place of birth", "1")]
    set_relations(hopper, relations, status="complete")
    path = tmp_path / "dev.spacy"
    write_shard([make_doc(), hopper], path)
    return path


def write(path, status: str):
    doc = make_doc()
    set_relations(doc, [("0", "colleague", "2")], status=status)
    write_shard([doc], path)
    return path


def run(*args) -> tuple[int, str]:
    """Exit code and all output; an exception other than the exit fails here."""
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def plain(text: str) -> str:
    """Without line breaks, which depend on the width of the terminal."""
    return " ".join(text.split())


def test_predictions_for_the_official_evaluation_need_the_datas_entities(pipeline, data, tmp_path):
    code, text = run("evaluate", pipeline, data, "--own-entities", "--predictions", tmp_path / "out.json")
    assert code == 1
    assert "docre-E137" in text
    assert not (tmp_path / "out.json").exists()


def test_the_table_and_the_file(pipeline, data, tmp_path):
    """Six predicted and six in gold, five of them the same."""
    output = tmp_path / "new" / "scores.json"
    code, text = run("evaluate", pipeline, data, "--output", output)
    assert code == 0
    rows = dict(line.rsplit(maxsplit=1) for line in text.splitlines() if len(line.split()) > 1)
    rows = {name.strip(): value for name, value in rows.items()}
    assert (rows["Precision"], rows["Recall"], rows["F1"]) == ("83.33", "83.33", "83.33")
    assert (rows["Predicted"], rows["Correct"], rows["Gold"], rows["Docs"]) == ("6", "5", "6", "2")
    assert "Ign F1" not in rows
    saved = srsly.read_json(output)
    assert saved["rel_micro_f"] == pytest.approx(5 / 6)
    assert saved["rel_counts"] == {"docs": 2, "gold": 6, "predicted": 6, "correct": 5}
    assert saved["rel_per_label"]["place of birth"]["r"] == 0.5
    assert saved["words_per_second"] > 0


def test_labels_one_by_one(pipeline, data):
    _, text = run("evaluate", pipeline, data, "--per-label")
    row = next(line for line in text.splitlines() if line.startswith("place of birth"))
    assert row.split()[-4:] == ["100.00", "50.00", "66.67", "2"]


def test_known_facts_are_left_out_of_the_precision(pipeline, data, tmp_path):
    """One correct prediction is known: (5 - 1) of (6 - 1), recall 5 of 6."""
    srsly.write_json(tmp_path / "facts.json", [["Ada Lovelace", "London", "place of birth"]])
    code, text = run("evaluate", pipeline, data, "--facts", tmp_path / "facts.json")
    expected = 2 * (4 / 5) * (5 / 6) / (4 / 5 + 5 / 6)
    assert code == 0
    line = next(line for line in text.splitlines() if line.startswith("Ign F1"))
    assert line.split()[-1] == f"{100 * expected:.2f}"


def test_facts_of_the_training_documents(data, tmp_path):
    """The heads and tails by all their names, "She" too."""
    output = tmp_path / "facts.json"
    code, text = run("facts", data, output)
    assert code == 0
    facts = {tuple(fact) for fact in srsly.read_json(output)}
    assert f"{len(facts)} facts" in text
    assert {("Ada Lovelace", "London", "place of birth"), ("She", "London", "place of birth")} <= facts
    assert all(len(fact) == 3 for fact in facts)
    assert write_facts([data], tmp_path / "again.json") == len(facts)


def test_facts_of_several_corpora(data, tmp_path):
    other = make_doc()
    set_relations(other, [("2", "place of death", "1")], status="complete")
    write_shard([other], tmp_path / "other.spacy")
    n = write_facts([data], tmp_path / "one.json")
    assert run("facts", data, tmp_path / "other.spacy", tmp_path / "both.json")[0] == 0
    facts = srsly.read_json(tmp_path / "both.json")
    new = [fact for fact in facts if fact not in srsly.read_json(tmp_path / "one.json")]
    assert len(facts) == n + len(new)
    assert ["Charles Babbage", "London", "place of death"] in new


def test_facts_are_what_evaluate_reads(pipeline, data, tmp_path):
    """All that is correct was known: no precision is left."""
    run("facts", data, tmp_path / "facts.json")
    scores = evaluate(pipeline, data, facts=tmp_path / "facts.json")
    assert scores["rel_micro_f"] == pytest.approx(5 / 6)
    assert scores["rel_ign_f"] == 0


def test_facts_replace_a_file_only_when_told(data, tmp_path):
    output = tmp_path / "facts.json"
    output.write_text("[]", encoding="utf8")
    code, text = run("facts", data, output)
    assert code == 1
    assert "docre-E023" in text
    assert output.read_text(encoding="utf8") == "[]"
    assert run("facts", data, output, "--overwrite")[0] == 0
    assert len(srsly.read_json(output)) > 0


def test_data_with_other_names_for_all_labels(pipeline, tmp_path):
    """Ids there and names here would be zeros without a word."""
    doc = make_doc()
    set_relations(doc, [("0", "P19", "1"), ("0", "P3373", "2")], status="complete")
    write_shard([doc], tmp_path / "ids.spacy")
    code, text = run("evaluate", pipeline, tmp_path / "ids.spacy")
    assert code == 1
    assert "docre-E142" in text
    assert "P19, P3373 there" in " ".join(text.split())


def test_json_is_told_how_to_become_spacy(pipeline, tmp_path):
    (tmp_path / "dev.json").write_text("[]", encoding="utf8")
    code, text = run("evaluate", pipeline, tmp_path / "dev.json")
    assert code == 1
    assert "docre-E141" in text
    assert "docre convert" in " ".join(text.split())


def test_labels_that_are_not_complete_are_refused_unless_allowed(pipeline, tmp_path):
    data = write(tmp_path / "distant.spacy", "distant")
    code, text = run("evaluate", pipeline, data)
    assert code == 1
    assert "docre-E100" in plain(text)
    assert "--allow-incomplete" in plain(text)
    code, text = run("evaluate", pipeline, data, "--allow-incomplete")
    assert code == 0
    assert "Precision" in text


def test_the_pipelines_own_entities(pipeline, data):
    """There is no entity recogniser: nothing is found, and all six relations are missed."""
    scores = evaluate(pipeline, data, gold_entities=False)
    assert scores["rel_counts"] == {"docs": 2, "gold": 6, "predicted": 0, "correct": 0}


def bad_shard(folder):
    (folder / "bad.spacy").write_bytes(b"no document")
    return folder / "bad.spacy"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.parametrize(("make", "code"), [(bad_shard, "E022"), (empty_folder, "E021")])
@pytest.mark.parametrize("command", ["evaluate", "facts"])
def test_bad_data_ends_with_a_message_and_exit_code_1(pipeline, tmp_path, make, code, command):
    path = make(tmp_path)
    args = [pipeline, path] if command == "evaluate" else [path, tmp_path / "facts.json"]
    exit_code, text = run(command, *args)
    assert exit_code == 1
    assert f"docre-{code}" in text
    assert path.name in plain(text)
    assert "Traceback" not in text
    assert not (tmp_path / "facts.json").exists()


def test_data_without_relations_has_no_facts(tmp_path):
    doc = make_doc()
    set_relations(doc, [], status="complete")
    write_shard([doc], tmp_path / "none.spacy")
    code, _ = run("facts", tmp_path / "none.spacy", tmp_path / "facts.json")
    assert code == 1
    assert not (tmp_path / "facts.json").exists()


@pytest.mark.parametrize(
    ("make_args", "expected"),
    [
        (lambda pipeline, data, tmp: ["no_such_pipeline", data], "no_such_pipeline"),
        (lambda pipeline, data, tmp: [pipeline, data, "--facts", tmp / "no.json"], "no.json"),
        (lambda pipeline, data, tmp: [pipeline, data, "--facts", data], "can't read facts"),
    ],
    ids=["no pipeline", "no facts", "facts of another kind"],
)
def test_what_cannot_be_loaded_ends_with_a_message(pipeline, data, tmp_path, make_args, expected):
    code, text = run("evaluate", *make_args(pipeline, data, tmp_path))
    assert code == 1
    assert expected in plain(text)
    assert "Traceback" not in text


def test_a_pipeline_without_relations_is_refused(blank, data, tmp_path):
    """It would score 0 in silence."""
    blank.to_disk(tmp_path / "blank")
    code, text = run("evaluate", tmp_path / "blank", data)
    assert code == 1
    assert "docre_relations" in text


@pytest.mark.parametrize("option", ["--output", "--predictions", "--meta"])
def test_places_that_cannot_be_written_are_said_before_the_work(tmp_path, option):
    """Before the pipeline is loaded: this one is none."""
    (tmp_path / "file").write_text("", encoding="utf8")
    write_shard([make_doc()], tmp_path / "dev.spacy")
    code, text = run("evaluate", tmp_path / "no_model", tmp_path / "dev.spacy", option, tmp_path / "file" / "x.json")
    assert code == 1
    assert "docre-E151" in plain(text)


def test_own_entities_beside_end_to_end_are_refused(tmp_path):
    write_shard([make_doc()], tmp_path / "dev.spacy")
    code, text = run("evaluate", TINY, tmp_path / "dev.spacy", "--end-to-end", "--own-entities")
    assert code == 1
    assert "--own-entities has no effect beside --end-to-end" in plain(text)


@pytest.mark.parametrize("option", ["--output", "--predictions", "--meta"])
@pytest.mark.parametrize("content", ['[{"title": "gold", "vertexSet": []}]', '{"P19": "place of birth"}', "some notes"])
def test_files_of_somebody_else_are_not_replaced(pipeline, data, tmp_path, option, content):
    """Said before the work."""
    (tmp_path / "mine.json").write_text(content, encoding="utf8")
    code, text = run("evaluate", pipeline, data, option, tmp_path / "mine.json")
    assert code == 1
    assert "docre-E161" in text
    assert "nothing that `docre evaluate` writes" in plain(text)
    assert (tmp_path / "mine.json").read_text(encoding="utf8") == content


def test_its_own_files_are_replaced(pipeline, data, tmp_path):
    """Empty ones too: those of programs that make a temporary file."""
    outputs = {option: tmp_path / f"{option[2:]}.json" for option in ("--output", "--predictions", "--meta")}
    args = [x for pair in outputs.items() for x in pair]
    assert run("evaluate", pipeline, data, *args)[0] == 0
    before = {path.name: path.read_bytes() for path in outputs.values()}
    outputs["--predictions"].write_bytes(b"")
    assert run("evaluate", pipeline, data, *args)[0] == 0
    assert outputs["--predictions"].read_bytes() == before["predictions.json"]
