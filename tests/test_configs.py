"""Every config trains through `python -m spacy train`, as it stands in the repo."""

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_docre import get_relations

from .conftest import make_doc

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.cfg"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_config_trains(config, encoder, tmp_path):
    """`spacy train` learns two steps without --code, and the saved pipeline loads in a new process."""
    corpus = tmp_path / "corpus.spacy"
    DocBin(docs=[make_doc() for _ in range(4)], store_user_data=True).to_disk(corpus)
    options = {
        "paths.train": corpus,
        "paths.dev": corpus,
        "training.max_steps": 2,
        "training.eval_frequency": 1,
    }
    if "[components.transformer]" in config.read_text(encoding="utf8"):
        options["vars.encoder"] = encoder
    if "copy_weights" in config.read_text(encoding="utf8"):
        start = "start" if config.stem == "docre_pipeline" else "student"
        first = config if start == "start" else config.with_name("docre_pretrain.cfg")
        train(first, tmp_path / start, options)
        options[f"paths.{start}"] = tmp_path / start / "model-last"
    output = tmp_path / "model"
    assert "words/s" in train(config, output, options)
    load = f"import spacy; print(spacy.load({str(output / 'model-last')!r}).pipe_labels['docre_relations'])"
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "place of birth" in done.stdout


def train(config, output, options) -> str:
    settings = [str(x) for name, value in options.items() for x in (f"--{name}", value)]
    command = [sys.executable, "-m", "spacy", "train", str(config), "-o", str(output), *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_config_opens_with_its_card(config):
    """Data, source, score, time and command: what a reader wants to know before running it."""
    card = [line for line in config.read_text(encoding="utf8").split("[paths]")[0].splitlines() if line]
    assert card
    assert all(line.startswith("#") for line in card)
    text = "\n".join(card)
    for word in ("Data", "Source", "Score", "Time", "Command"):
        assert f"# {word}" in text, f"{config.name}: the card lacks {word!r}"


@pytest.mark.slow
def test_transformer_config_learns(encoder, tmp_path):
    """`spacy train` with a real small transformer learns the documents: the predictions are the gold."""
    corpus = tmp_path / "corpus.spacy"
    DocBin(docs=[make_doc() for _ in range(4)], store_user_data=True).to_disk(corpus)
    options = {
        "paths.train": corpus,
        "paths.dev": corpus,
        "vars.encoder": encoder,
        "vars.precision": "float32",
        "training.max_steps": 80,
        "training.eval_frequency": 40,
        "training.dropout": 0.0,
        "training.optimizer.schedule": "null",
        "training.optimizer.head_learn_rate": 0.002,
    }
    train(next(path for path in CONFIGS if path.stem == "docre_trf"), tmp_path / "m", options)
    evaluate = [sys.executable, "-m", "spacy", "docre", "evaluate", str(tmp_path / "m" / "model-last"), str(corpus)]
    done = subprocess.run(evaluate, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100.00" in done.stdout
    nlp = spacy.load(tmp_path / "m" / "model-last")
    gold = make_doc(nlp.vocab)
    doc = gold.copy()
    doc.user_data.clear()
    doc = nlp(doc)
    found = {(r.head.id, r.label_, r.tail.id) for r in get_relations(doc)}
    assert found == {(r.head.id, r.label_, r.tail.id) for r in get_relations(gold)}
