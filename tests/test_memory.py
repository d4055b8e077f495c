"""Freed memory goes back to the system where a process has grown, and is kept where it has not."""

import os
import subprocess
import sys

import pytest
import spacy

from spacy_docre import get_relations, memory
from spacy_docre.inference.annotate import KEPT, annotate
from spacy_docre.inference.teacher import Teacher
from spacy_docre.memory import MemoryLimit, resident_bytes
from spacy_docre.readers.shards import write_shard

from .conftest import make_doc
from .test_old_models import TINY

MB = 1 << 20
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.fixture
def process(monkeypatch):
    """A process of a size that the test says; giving memory back takes it down to `needed`."""
    state = {"size": 1000 * MB, "needed": 1000 * MB}
    monkeypatch.setattr(memory, "resident_bytes", lambda: state["size"])
    monkeypatch.setattr(memory, "give_back_memory", lambda: state.update(size=state["needed"]))
    return state


def test_what_is_within_the_limit_is_kept(process):
    limit = MemoryLimit(kept=100 * MB)
    for size in (1000, 1090, 1050, 1100):
        process["size"] = size * MB
        assert not limit.check()


def test_what_is_above_it_goes_back(process):
    limit = MemoryLimit(kept=100 * MB)
    assert not limit.check()
    process["size"] = 1101 * MB
    assert limit.check()
    assert process["size"] == 1000 * MB


def test_what_is_really_needed_is_not_asked_for_again(process):
    """A large document whose memory is in use: one call, not one for each batch."""
    limit = MemoryLimit(kept=100 * MB)
    limit.check()
    process.update(size=2000 * MB, needed=1900 * MB)
    assert limit.check()
    process["size"] = 1950 * MB
    assert not limit.check()


def test_a_smaller_process_has_a_lower_limit(process):
    limit = MemoryLimit(kept=100 * MB)
    limit.check()
    process["size"] = 500 * MB
    assert not limit.check()
    process.update(size=601 * MB, needed=500 * MB)
    assert limit.check()


def test_many_short_streams_count_as_one(process):
    """Each of them grows by less than the limit."""
    nlp = spacy.load(TINY)
    nlp.get_pipe("docre_relations").memory = MemoryLimit(kept=100 * MB)
    for size, after in ((1000, 1000), (1060, 1060), (1120, 1000)):
        process["size"] = size * MB
        (doc,) = nlp.pipe([make_doc(nlp.vocab)])
        assert get_relations(doc)
        assert process["size"] == after * MB


def test_annotating_gives_memory_back_between_batches(process, monkeypatch, tmp_path):
    """Each batch of 8 leaves 50 MB behind: without that the process would take 1 GB more in one shard."""
    teacher = Teacher(str(TINY))
    logits, sizes = teacher.logits, []

    def growing(docs):
        process["size"] += 50 * MB
        sizes.append(process["size"])
        return logits(docs)

    monkeypatch.setattr(teacher, "logits", growing)
    write_shard([make_doc() for _ in range(160)], tmp_path / "corpus.spacy")
    assert annotate([teacher], [tmp_path / "corpus.spacy"], tmp_path / "soft").n_docs == 160
    assert len(sizes) == 20
    assert max(sizes) <= 1000 * MB + KEPT + 50 * MB


@on_linux
def test_the_size_of_this_process():
    before = resident_bytes()
    assert 20 * MB < before < 100_000 * MB
    block = bytearray(64 * MB)
    block[:: 1 << 10] = b"x" * len(block[:: 1 << 10])
    assert resident_bytes() - before > 32 * MB


CODE = """
import os, spacy
spacy.blank("en").add_pipe("docre_relations")
print(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"])
"""


@pytest.mark.parametrize(("given", "taken"), [(None, "128"), ("1000", "1000")])
def test_few_kernels_are_kept_unless_the_user_has_said_how_many(given, taken):
    """A process of its own: what was said before the first product counts."""
    environment = {k: v for k, v in os.environ.items() if k != "ONEDNN_PRIMITIVE_CACHE_CAPACITY"}
    environment |= {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": given} if given else {}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == taken
