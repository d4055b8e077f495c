"""The console logger in a short run of `spacy train`."""

import io

import pytest
import srsly
from spacy.cli.train import train
from spacy.util import load_model_from_config

from spacy_docre.readers.shards import write_shard
from spacy_docre.training.loggers import COLUMNS, clock, create_console_logger_v1, percent

from ..conftest import make_doc
from ..pipelines import hash_pipeline, make_hopper_doc

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


def run_config(folder, **logger):
    """A config to train the small pipeline for 8 steps, evaluated after 0, 4 and 8."""
    write_shard([make_doc(), make_hopper_doc()], folder / "train.spacy")
    config = hash_pipeline().config.copy()
    corpus = {"@readers": "spacy-docre.Corpus.v1", "path": str(folder / "train.spacy")}
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["training"] = {
        **config["training"],
        **TRAINING,
        "logger": {"@loggers": "spacy-docre.ConsoleLogger.v1", **logger},
        "score_weights": {"rel_micro_f": 1.0},
    }
    return config


def cells(output: str) -> list[list[str]]:
    """The table's rows, its header first."""
    lines = output.splitlines()
    start = next(i for i, line in enumerate(lines) if "words/s" in line)
    rows = [line.replace("Ign F1", "Ign_F1").split() for line in lines[start:]]
    return [row for row in rows if len(row) == len(COLUMNS) and not row[0].startswith("-")]


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


def logged(steps: list[dict | None], *, max_steps: int = 100, **settings) -> tuple[str, str]:
    """What the logger prints for these steps, on stdout and stderr."""
    nlp = load_model_from_config(hash_pipeline().config, auto_fill=True)
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
