"""`python -m spacy docre encoder`: an encoder's files in a folder, whole or not at all, and a pipeline on top."""

import hashlib
import logging
import shutil
from functools import partial
from pathlib import Path

import pytest
import spacy
import torch
from transformers.utils import logging as transformers_logging

from spacy_docre.cli.encoder import write_encoder
from spacy_docre.models import encoders
from spacy_docre.models.encoders import DEFAULT, DEFAULT_SHA256
from spacy_docre.models.transformer import init_encoder
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..models.test_encoders import TINY_FILES, _no_hub, changed, installed, names_in  # noqa: F401
from ..pipelines import initialised, make_hopper_doc, scored, step, transformer_pipeline, two_examples
from .test_evaluate import plain, run


def test_a_folder_is_copied(encoder, tmp_path):
    code, text = run("encoder", encoder, tmp_path / "new" / "copy")
    assert code == 0
    assert f"Encoder {encoder}: {tmp_path / 'new' / 'copy'}" in plain(text)
    assert names_in(tmp_path / "new" / "copy") == TINY_FILES
    assert names_in(tmp_path / "new") == {"copy"}
    for name in TINY_FILES:
        assert (tmp_path / "new" / "copy" / name).read_bytes() == (encoder / name).read_bytes()


@installed
@pytest.mark.usefixtures("_no_hub")
def test_the_default_encoder_comes_from_its_package(tmp_path):
    assert run("encoder", DEFAULT, tmp_path / "minilm")[0] == 0
    weights = tmp_path / "minilm" / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == DEFAULT_SHA256
    weights.unlink()  # 90 MB
    assert {"config.json", "tokenizer.json", "vocab.txt"} <= names_in(tmp_path / "minilm")


@pytest.fixture
def hollow(tmp_path) -> Path:
    (tmp_path / "hollow").mkdir()
    (tmp_path / "hollow" / "vocab.txt").touch()
    return tmp_path / "hollow"


def test_a_folder_that_is_no_encoder_leaves_nothing_behind(hollow, tmp_path):
    code, text = run("encoder", hollow, tmp_path / "new" / "copy")
    assert code == 1
    assert "No encoder" in text
    assert f"{hollow} is no encoder: it has vocab.txt." in plain(text)
    assert "Traceback" not in text
    assert names_in(tmp_path) == {"hollow"}


@pytest.mark.usefixtures("_no_hub")
def test_a_name_that_is_nowhere_leaves_nothing_behind(tmp_path):
    code, text = run("encoder", "nobody/nothing", tmp_path / "new" / "copy")
    assert code == 1
    assert "docre-E048" in text
    assert all(way in plain(text) for way in ("give a folder", "name on the Hugging Face hub", "pip install"))
    assert "Traceback" not in text
    assert names_in(tmp_path) <= {"hub"}


@installed
@pytest.mark.usefixtures("_no_hub")
def test_changed_weights_leave_nothing_behind(changed, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.syspath_prepend(changed)
    monkeypatch.setattr(encoders, "PACKAGE", "changed_minilm")
    code, text = run("encoder", DEFAULT, tmp_path / "new" / "copy")
    assert code == 1
    assert "docre-E051" in text
    assert names_in(tmp_path) <= {"hub"}


def test_a_folder_is_replaced_only_when_told(encoder, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    for name in ("config.json", "old.txt", "pytorch_model.bin"):
        (target / name).write_text("old")
    code, text = run("encoder", encoder, target)
    assert code == 1
    assert "docre-E023" in text
    assert "--overwrite" in plain(text)
    assert names_in(target) == {"config.json", "old.txt", "pytorch_model.bin"}
    assert run("encoder", encoder, target, "--overwrite")[0] == 0
    assert names_in(target) == TINY_FILES
    assert names_in(tmp_path) == {"copy"}


def test_what_is_no_encoder_is_never_replaced(encoder, tmp_path):
    (tmp_path / "config.json").write_text("old")
    (tmp_path / "thesis.md").write_text("mine")
    (tmp_path / "photos").mkdir()
    code, text = run("encoder", encoder, tmp_path, "-f")
    assert code == 1
    assert "docre-E028" in text
    assert "other files (photos, thesis.md) than *.json, *.txt, *.model, *.safetensors, *.bin" in plain(text)
    assert names_in(tmp_path) == {"config.json", "thesis.md", "photos"}


def test_a_failure_keeps_the_older_folder(encoder, hollow, tmp_path):
    write_encoder(str(encoder), tmp_path / "copy")
    assert run("encoder", hollow, tmp_path / "copy", "-f")[0] == 1
    assert names_in(tmp_path / "copy") == TINY_FILES
    assert names_in(tmp_path) == {"hollow", "copy"}


def test_a_folder_may_be_copied_onto_itself(encoder, tmp_path):
    shutil.copytree(encoder, tmp_path / "copy")
    (tmp_path / "copy" / "vocab.txt").touch()
    assert run("encoder", tmp_path / "copy", tmp_path / "copy", "-f")[0] == 0
    assert names_in(tmp_path / "copy") == TINY_FILES


def layers(nlp) -> list[torch.nn.Module]:
    return list(nlp.get_pipe("transformer").model.transformer.encoder.layer)


@pytest.mark.parametrize(("config", "n_layers"), [({}, 2), ({"num_hidden_layers": 1}, 1)], ids=["all", "one"])
def test_a_pipeline_learns_with_it_and_is_saved_without_it(encoder, tmp_path, config, n_layers):
    """One step, saved, the encoder's folder deleted, loaded: the same predictions."""
    write_encoder(str(encoder), tmp_path / "copy")
    nlp = transformer_pipeline(tmp_path / "copy", {"transformer_config": config}, threshold_offset=-1e6)
    initialised(nlp)
    assert len(layers(nlp)) == n_layers
    before = [w.detach().clone() for w in layers(nlp)[0].parameters()]
    losses = step(nlp, two_examples(nlp), create_adamw_v1())
    assert losses["docre_relations"] > 0
    assert not any(torch.equal(old, new) for old, new in zip(before, layers(nlp)[0].parameters()))
    nlp.to_disk(tmp_path / "model")
    shutil.rmtree(tmp_path / "copy")
    again = spacy.load(tmp_path / "model")
    assert len(layers(again)) == n_layers
    for make in (make_doc, make_hopper_doc):
        expected = scored(nlp(make(nlp.vocab)))
        assert len(expected) >= 6
        assert scored(again(make(again.vocab))) == pytest.approx(expected, abs=1e-6)


def test_the_first_layers_are_the_copied_ones(encoder, tmp_path):
    write_encoder(str(encoder), tmp_path / "copy")
    both = initialised(transformer_pipeline(encoder))
    one = initialised(transformer_pipeline(tmp_path / "copy", {"transformer_config": {"num_hidden_layers": 1}}))
    for ours, theirs in zip(layers(one)[0].parameters(), layers(both)[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def warnings_of_transformers(act) -> list[str]:
    """What transformers says while `act` runs."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        act()
    finally:
        logger.removeHandler(handler)
    return said


def test_layers_that_are_left_out_on_purpose_are_not_listed(encoder):
    """transformers names every weight it does not use; its verbosity is the user's afterwards."""
    before = transformers_logging.get_verbosity()
    for n_layers, quiet, n_said in [(1, True, 0), (1, False, 1), (2, True, 0), (2, False, 0)]:
        nlp = transformer_pipeline(encoder, {"transformer_config": {"num_hidden_layers": n_layers}})
        model = nlp.get_pipe("transformer").model
        said = warnings_of_transformers(partial(init_encoder, model, quiet=quiet))
        assert ["encoder.layer.1" in message for message in said] == [True] * n_said
    one = transformer_pipeline(encoder, {"transformer_config": {"num_hidden_layers": 1}})
    assert warnings_of_transformers(partial(initialised, one)) == []
    assert transformers_logging.get_verbosity() == before
