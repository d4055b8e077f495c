"""Killed in the middle and started again: nothing broken, nothing lost but one shard's work, and the same bytes."""

import subprocess
import sys
import time

import pytest
from spacy.vocab import Vocab

from spacy_docre.annotations import get_soft_labels
from spacy_docre.inference.annotate import annotate
from spacy_docre.inference.teacher import Teacher
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.manifest import read_manifest
from spacy_docre.readers.shards import find_shards, read_shard, write_shard

from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, make_hopper_doc, overfit
from .test_annotate import contents

N_DOCS, PER_SHARD = 90, 5


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    nlp = hash_pipeline()
    overfit(nlp, steps=5)
    folder = tmp_path_factory.mktemp("model") / "teacher"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "in.spacy"
    kinds = (make_doc, make_hopper_doc, lambda: crowd(Vocab(), 40))
    write_shard([kinds[i % 3]() for i in range(N_DOCS)], path)
    return path


@pytest.fixture(scope="module")
def expected(model, source, tmp_path_factory) -> dict[str, bytes]:
    """The files of a run that nobody disturbed."""
    output = tmp_path_factory.mktemp("whole")
    annotate([Teacher(str(model))], [source], output, docs_per_shard=PER_SHARD)
    return contents(output)


def start(model, source, output) -> subprocess.Popen:
    settings = ["--docs-per-shard", str(PER_SHARD)]
    command = [sys.executable, "-m", "spacy", "docre", "annotate", str(model), str(source), str(output), *settings]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill_at(process: subprocess.Popen, path) -> None:
    """SIGKILL as soon as the file is there."""
    end = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.001)
    process.kill()
    process.wait()


def check_partial(output, expected: dict[str, bytes]) -> int:
    """Every shard that is there is whole, and what it will be; returns how many the manifest has."""
    shards = find_shards(output)
    assert 2 <= len(shards) < N_DOCS // PER_SHARD
    for shard in shards:
        assert shard.read_bytes() == expected[shard.name]
        assert all(get_soft_labels(doc) for doc in read_shard(shard, Vocab()))
    manifest = read_manifest(output)
    assert not manifest.complete
    assert len(shards) - len(manifest.shards) in (0, 1), "at most one shard's work is lost"
    return len(manifest.shards)


def test_killed_and_started_again(model, source, expected, tmp_path, blank):
    output = tmp_path / "out"
    kill_at(start(model, source, output), output / "00001.spacy")
    n_done = check_partial(output, expected)
    with pytest.raises(ValueError, match=r"docre-E114"):
        next(iter(create_corpus_v1(output)(blank)))
    kept = {p: p.stat().st_mtime_ns for p in find_shards(output)[:n_done]}
    again = start(model, source, output)
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0, out
    assert f"{N_DOCS} documents with the logits of" in " ".join(out.split())
    assert contents(output) == expected
    assert {p: p.stat().st_mtime_ns for p in kept} == kept, "finished shards are not made again"


class Stopped(Exception):
    pass


def stop_after(n_docs: int):
    """A progress bar that stops the run."""
    seen = []

    def on_progress(n: int) -> None:
        seen.append(n)
        if sum(seen) >= n_docs:
            raise Stopped

    return on_progress


@pytest.mark.parametrize("n_docs", [1, 5, 6, 59, 85, 90])
def test_stopped_anywhere_and_started_again(model, source, expected, tmp_path, n_docs):
    """Whatever has been done and not been written is done again; the rest is not."""
    teacher, output = Teacher(str(model)), tmp_path / "out"
    with pytest.raises(Stopped):
        annotate([teacher], [source], output, docs_per_shard=PER_SHARD, on_progress=stop_after(n_docs))
    n_written = read_manifest(output).n_docs
    assert n_docs - PER_SHARD <= n_written <= n_docs
    progress: list[int] = []
    annotate([teacher], [source], output, docs_per_shard=PER_SHARD, on_progress=progress.append)
    assert progress[0] == n_written
    assert sum(progress) == N_DOCS
    assert contents(output) == expected


def interrupted(model, source, output) -> None:
    with pytest.raises(Stopped):
        annotate([Teacher(str(model))], [source], output, docs_per_shard=PER_SHARD, on_progress=stop_after(20))


def half_a_shard(output) -> None:
    (output / ".00003.spacy").write_bytes((output / "00000.spacy").read_bytes()[:100])


def a_shard_that_the_manifest_does_not_have(output) -> None:
    (output / "00003.spacy").write_bytes(b"no document")


def half_a_manifest(output) -> None:
    (output / ".manifest.json").write_text('{"format": 1, "sett')


@pytest.mark.parametrize("leave", [half_a_shard, a_shard_that_the_manifest_does_not_have, half_a_manifest])
def test_what_a_killed_run_leaves_behind_is_replaced(model, source, expected, tmp_path, leave):
    interrupted(model, source, tmp_path / "out")
    leave(tmp_path / "out")
    annotate([Teacher(str(model))], [source], tmp_path / "out", docs_per_shard=PER_SHARD)
    assert contents(tmp_path / "out") == expected


@pytest.mark.parametrize("leave", [half_a_shard, a_shard_that_the_manifest_does_not_have, half_a_manifest])
def test_overwriting_leaves_nothing_of_it(model, source, expected, tmp_path, leave):
    interrupted(model, source, tmp_path / "out")
    leave(tmp_path / "out")
    teacher = Teacher(str(model))
    annotate([teacher], [source], tmp_path / "out", docs_per_shard=N_DOCS, overwrite=True)
    assert contents(tmp_path / "out").keys() == {"manifest.json", "00000.spacy"}


def test_killed_before_the_first_manifest_was_whole(model, source, expected, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / ".manifest.json").write_text("{")
    annotate([Teacher(str(model))], [source], output, docs_per_shard=PER_SHARD)
    assert contents(output) == expected


def test_a_finished_run_again_does_nothing(model, source, expected, tmp_path):
    output = tmp_path / "out"
    annotate([Teacher(str(model))], [source], output, docs_per_shard=PER_SHARD)
    before = {p: p.stat().st_mtime_ns for p in output.iterdir()}
    progress: list[int] = []
    manifest = annotate([Teacher(str(model))], [source], output, docs_per_shard=PER_SHARD, on_progress=progress.append)
    assert progress == [N_DOCS]
    assert manifest.n_docs == N_DOCS
    assert {p: p.stat().st_mtime_ns for p in output.iterdir()} == before
