"""The console logger in a short run of `spacy train`."""

import io

import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_model_from_config

from spacy_docre.annotations import MENTIONS_KEY
from spacy_docre.errors import once
from spacy_docre.readers.shards import write_shard
from spacy_docre.training.loggers import clock, create_console_logger_v1, percent

from ..conftest import make_doc
from ..pipelines import HASH_EMBED, hash_pipeline, make_hopper_doc

TRAINING = {
    "max_steps": 8,
    "eval_frequency": 4,
    "patience": 0,
    "dropout": 0.0,
    "train_corpus": "corpora.train",
    "dev_corpus": "corpora.dev",
    "optimizer": {"@optimizers": "spacy-docre.AdamW.v1"},
    "batcher": {"@batchers": "spacy-docre.batch_by_pairs.v1"},
}


def with_ents(doc: Doc) -> Doc:
    """What a ner learns from."""
    doc.ents = list(doc.spans[MENTIONS_KEY])
    return doc


def with_ner(name: str = "ner") -> Language:
    nlp = hash_pipeline()
    nlp.add_pipe("ner", name=name, config={"model": {"tok2vec": HASH_EMBED}}, first=True)
    return nlp


def run_config(folder, nlp=None, **logger):
    """A config to train the small pipeline for 8 steps, evaluated after 0, 4 and 8."""
    write_shard([with_ents(make_doc()), with_ents(make_hopper_doc())], folder / "train.spacy")
    config = (nlp or hash_pipeline()).config.copy()
    corpus = {"@readers": "spacy-docre.Corpus.v1", "path": str(folder / "train.spacy")}
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["training"] = {
        **config["training"],
        **TRAINING,
        "logger": {"@loggers": "spacy-docre.ConsoleLogger.v1", **logger},
        "score_weights": {"rel_micro_f": 1.0},
    }
    return config


def end_of(*scores: float) -> None:
    """A run with these scores at steps 0, 4, 8, …"""
    nlp = hash_pipeline()
    log_step, finalize = create_console_logger_v1(progress_bar=False)(nlp, io.StringIO(), io.StringIO())
    for i, score in enumerate(scores):
        log_step({"epoch": 0, "step": 4 * i, "words": i, "losses": {}, "score": score, "other_scores": {}})
    finalize()


def test_a_run_that_was_best_before_training_is_warned_of(monkeypatch):
    monkeypatch.setattr(once, "_given", set())
    with pytest.warns(UserWarning, match="docre-W027.*better than that of step 0"):
        end_of(0.3, 0.1, 0.2)


@pytest.mark.filterwarnings("error:.*W027")
@pytest.mark.parametrize("scores", [(0.3, 0.1, 0.3), (0.0, 0.1, 0.0), (0.3,), ()])
def test_other_runs_are_not(scores):
    end_of(*scores)


def cells(output: str) -> list[list[str]]:
    """The table's rows, its header first."""
    lines = output.splitlines()
    start = next(i for i, line in enumerate(lines) if "words/s" in line)
    rows = [line.replace("Ign F1", "Ign_F1").split() for line in lines[start:]]
    return [row for row in rows if len(row) == len(rows[0]) and not row[0].startswith("-")]


def test_a_training_run_prints_and_saves_its_evaluations(tmp_path, capsys):
    log = tmp_path / "logs" / "log.jsonl"
    run_config(tmp_path, output_file=str(log), progress_bar=False).to_disk(tmp_path / "config.cfg")
    train(tmp_path / "config.cfg", tmp_path / "output")
    header, *rows = cells(capsys.readouterr().out)
    assert header == ["epoch", "step", "loss", "F1", "Ign_F1", "P", "R", "words/s", "left"]
    assert [row[1] for row in rows] == ["0", "4", "8"]
    assert all(float(row[2]) >= 0 for row in rows)
    assert all(0 <= float(row[i]) <= 100 for row in rows for i in (3, 5, 6))
    assert all(row[4] == "-" for row in rows), "no facts, no Ign F1"
    assert float(rows[-1][7].replace(",", "")) > 0
    assert [rows[0][8], rows[-1][8]] == ["-", "0:00:00"]

    saved = list(srsly.read_jsonl(log))
    assert [row["step"] for row in saved] == [0, 4, 8]
    assert [f"{row['loss']:.3f}" for row in saved] == [row[2] for row in rows]
    assert all(row["losses"].keys() == {"docre_relations"} for row in saved)
    assert saved[-1]["loss"] < saved[1]["loss"]
    assert [percent(row["F1"]) for row in saved] == [row[3] for row in rows]
    assert (tmp_path / "output" / "model-last" / "docre_relations" / "model").exists()


def logged(steps: list[dict | None], *, nlp=None, max_steps: int = 100, **settings) -> tuple[str, str]:
    """What the logger prints for these steps, on stdout and stderr."""
    nlp = load_model_from_config((nlp or hash_pipeline()).config, auto_fill=True)
    nlp.config["training"].update(max_steps=max_steps, eval_frequency=10)
    stdout, stderr = io.StringIO(), io.StringIO()
    log_step, finalize = create_console_logger_v1(**settings)(nlp, stdout, stderr)
    for info in steps:
        log_step(info)
    finalize()
    return stdout.getvalue(), stderr.getvalue()


def info(step: int, *, words: int = 0, loss: float = 0.0, **scores) -> dict:
    losses = {"docre_relations": loss, "transformer": 1e6}
    return {"epoch": 0, "step": step, "words": words, "losses": losses, "other_scores": scores, "score": 0.0}


def test_the_loss_is_per_step_and_without_the_encoders_gradient_norm():
    """30 over 10 steps: 3; then 5 over 10: 0.5. The "loss" of `transformer` is no loss."""
    out, _ = logged([info(10, loss=30.0), None, info(20, loss=5.0)])
    assert [row[2] for row in cells(out)[1:]] == ["3.000", "0.500"]


def test_scores_are_percentages_and_missing_ones_a_dash():
    out, _ = logged([info(10, rel_micro_f=0.5, rel_ign_f=0.25, rel_micro_p=1.0, rel_micro_r=None)])
    assert cells(out)[1][3:7] == ["50.00", "25.00", "100.00", "-"]


def test_training_without_an_end_has_no_time_left():
    out, _ = logged([info(0), info(10)], max_steps=0)
    assert [row[8] for row in cells(out)[1:]] == ["-", "-"]


def test_other_output_is_not_a_terminal_so_there_is_no_bar():
    _, err = logged([None] * 5 + [info(10)], progress_bar=True)
    assert err == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01"), (90061, "25:01:01")]
)
def test_time_left_by_hand(seconds, text):
    assert clock(seconds) == text


WITHOUT = ["epoch", "step", "loss", "F1", "Ign_F1", "P", "R", "words/s", "left"]
WITH = [*WITHOUT[:-2], "NER", *WITHOUT[-2:]]


def with_ruler() -> Language:
    """It finds entities, and learns nothing."""
    nlp = hash_pipeline()
    nlp.add_pipe("docre_entities", first=True)
    nlp.add_pipe("entity_ruler", first=True)
    return nlp


@pytest.mark.parametrize(
    ("make", "columns"),
    [(hash_pipeline, WITHOUT), (with_ruler, WITHOUT), (with_ner, WITH), (lambda: with_ner("people"), WITH)],
    ids=["relations", "ruler", "ner", "ner of another name"],
)
def test_there_is_a_column_for_a_ner(make, columns):
    out, _ = logged([info(10, ents_f=0.75, rel_micro_r=0.5)], nlp=make())
    header, row = cells(out)
    assert header == columns
    assert dict(zip(header, row))["R"] == "50.00"
    assert dict(zip(header, row)).get("NER") == ("75.00" if columns == WITH else None)


@pytest.mark.parametrize("scores", [{}, {"ents_f": None}], ids=str)
def test_a_ner_without_scores_is_a_dash(scores):
    """Where the documents have no entities of their own."""
    out, _ = logged([info(10, **scores)], nlp=with_ner())
    assert dict(zip(*cells(out)))["NER"] == "-"


@pytest.mark.parametrize("make", [hash_pipeline, with_ner])
def test_columns_stand_below_each_other(make):
    out, _ = logged([info(10, rel_micro_f=0.5, ents_f=1.0), info(20, loss=12345.0)], nlp=make())
    lines = out.rstrip("\n").split("\n")
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1


def test_the_loss_is_that_of_relations_alone(tmp_path):
    """5 over 10 steps: 0.5, whatever the ner's and the encoder's; the file has each."""
    at_10 = info(10, loss=5.0)
    at_10["losses"]["ner"] = 700.0
    out, _ = logged([at_10], nlp=with_ner(), output_file=str(tmp_path / "log.jsonl"))
    assert dict(zip(*cells(out)))["loss"] == "0.500"
    (row,) = srsly.read_jsonl(tmp_path / "log.jsonl")
    assert row["loss"] == 0.5
    assert row["losses"] == {"docre_relations": 0.5, "ner": 70.0, "transformer": 1e5}


def test_the_losses_of_two_relation_components_add_up():
    nlp = with_ner()
    nlp.add_pipe("docre_relations", name="more", config={"model": {"tok2vec": HASH_EMBED}})
    at_10 = info(10, loss=5.0)
    at_10["losses"] |= {"more": 10.0, "ner": 700.0}
    out, _ = logged([at_10], nlp=nlp)
    assert dict(zip(*cells(out)))["loss"] == "1.500"


def test_without_relations_the_loss_is_that_of_all_but_encoders():
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("ner")
    at_10 = info(10)
    at_10["losses"] = {"tok2vec": 100.0, "ner": 20.0}
    out, _ = logged([at_10], nlp=nlp)
    header, row = cells(out)
    assert header == WITH
    assert dict(zip(header, row))["loss"] == "2.000"


def test_a_training_run_with_a_ner(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    config = run_config(tmp_path, with_ner(), output_file=str(log), progress_bar=False)
    config.to_disk(tmp_path / "config.cfg")
    train(tmp_path / "config.cfg")
    header, *rows = cells(capsys.readouterr().out)
    assert header == WITH
    saved = list(srsly.read_jsonl(log))
    assert [row["step"] for row in saved] == [0, 4, 8]
    assert [row[header.index("NER")] for row in rows] == [percent(row["NER"]) for row in saved]
    assert all(row["losses"].keys() == {"ner", "docre_relations"} for row in saved)
    assert all(row["loss"] == row["losses"]["docre_relations"] for row in saved)
    assert saved[-1]["losses"]["ner"] < saved[1]["losses"]["ner"]


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_loss_that_is_no_number_is_said_and_training_goes_on(tmp_path, monkeypatch, bad):
    """In JSON it is null: there are no such numbers."""
    monkeypatch.setattr(once, "_given", set())
    log = tmp_path / "log.jsonl"
    with pytest.warns(UserWarning, match=r"docre-W021.*step 10 .*docre_relations.*float32"):
        out, _ = logged([info(10, loss=bad), info(20, loss=5.0)], output_file=str(log))
    assert [row[2] for row in cells(out)[1:]] == [str(bad), "0.500"]
    first, second = srsly.read_jsonl(log)
    assert first["loss"] is first["losses"]["docre_relations"] is None
    assert first["losses"]["transformer"] == 1e5
    assert second["loss"] == 0.5
