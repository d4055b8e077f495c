"""Pipelines with functions of the user's own: commands import the file that registers them."""

import subprocess
import sys

import pytest
import spacy
from thinc.api import Config

from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..test_old_models import TINY

CODE = """
from spacy import registry

@registry.misc("mine.Types.v1")
def types() -> dict:
    return {"PERSON": "PER"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline whose docre_entities takes its map of types from a function that only the file registers."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "mine.py").write_text(CODE, encoding="utf8")
    nlp = spacy.load(TINY)
    nlp.add_pipe("docre_entities", before="docre_relations")
    nlp.to_disk(folder / "model")
    config = Config().from_disk(folder / "model" / "config.cfg", interpolate=False)
    config["components"]["docre_entities"]["type_map"] = {"@misc": "mine.Types.v1"}
    config.to_disk(folder / "model" / "config.cfg")
    write_shard([make_doc()], folder / "in.spacy")
    return folder


@pytest.mark.parametrize("command", ["annotate", "evaluate", "show", "threshold"])
def test_with_code_and_without(folder, tmp_path, command):
    """In a process of its own: what is registered stays."""
    outputs = [] if command in ("evaluate", "show") else [tmp_path / "out"]
    args = [sys.executable, "-m", "spacy", "docre", command, folder / "model", folder / "in.spacy", *outputs]
    without = subprocess.run(args, capture_output=True, text=True, check=False)
    assert without.returncode == 1
    assert "mine.Types.v1" in without.stdout + without.stderr
    assert "Traceback" not in without.stderr
    found = subprocess.run([*args, "--code", folder / "mine.py"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
