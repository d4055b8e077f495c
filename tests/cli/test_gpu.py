"""A GPU that is not there is said in one line, and nothing is written."""

import importlib.util

import pytest

from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..test_old_models import TINY
from .test_evaluate import plain, run


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="needs a machine without cupy")
@pytest.mark.parametrize("command", ["annotate", "apply", "evaluate", "show", "threshold"])
def test_without_cupy_there_is_no_gpu(command, tmp_path):
    source, output = tmp_path / "in.spacy", tmp_path / "out.spacy"
    write_shard([make_doc()], source)
    outputs = {"evaluate": ["--output", output], "show": ["--output", output]}.get(command, [output])
    code, text = run(command, TINY, source, *outputs, "-g", 0)
    assert code == 1
    assert "CuPy is not installed" in plain(text)
    assert not output.exists()
