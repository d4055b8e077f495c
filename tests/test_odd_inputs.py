"""Thousands of odd files at once: each is processed or told, and none ends the run."""

import gzip
import json
import random
import re
from collections import defaultdict
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre.cli.conversion import convert_to_spacy
from spacy_docre.inference.apply import apply
from spacy_docre.readers.shards import read_shard

from .odd_inputs import KINDS, changed_bin, docred_file, nested_docred, odd_inputs
from .test_old_models import TINY

N_INPUTS = 2_000


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The tiny pipeline, which finds entities and sentences, and is careful: it was trained on one document."""
    nlp = spacy.load(TINY, config={"components.docre_relations.threshold_offset": 6.5})
    nlp.add_pipe("sentencizer", first=True)
    ruler = nlp.add_pipe("entity_ruler", before="docre_relations")
    ruler.add_patterns([{"label": "PER", "pattern": [{"LOWER": w}]} for w in ("ada", "babbage", "she", "日本語")])
    ruler.add_patterns([{"label": "LOC", "pattern": "London"}, {"label": "LOC", "pattern": [{"IS_ASCII": False}]}])
    folder = tmp_path_factory.mktemp("model")
    nlp.to_disk(folder)
    return folder


def put(folder: Path, *inputs: tuple[str, bytes]) -> dict[str, bytes]:
    folder.mkdir()
    files = {f"{i:04}.{kind}": content for i, (kind, content) in enumerate(inputs)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


def by_file(folder: Path, places: list[str]) -> dict[str, list[str]]:
    """For each file, what follows its name in the places."""
    found = defaultdict(list)
    for place in places:
        match = re.match(re.escape(f"{folder}/") + r"(\d{4}\.(?:txt|jsonl|json\.gz|json|spacy))(?=$|,| \()", place)
        assert match, place
        found[match[1]].append(place[match.end() :])
    return found


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def n_documents(name: str, content: bytes) -> int | None:
    """In a file of DocRED or of spaCy; None if it can't be read."""
    try:
        if name.endswith(".spacy"):
            return len(DocBin(store_user_data=True).from_bytes(content))
        found = json.loads((gzip.decompress(content) if name.endswith(".gz") else content).strip())
    except Exception:
        return None
    return len(found) if isinstance(found, list) else None


def check_places(name: str, content: bytes, places: list[str]) -> None:
    """Every document of the file is in one place, and no other is; what is cut off is told once."""
    if name.endswith(".txt"):
        assert places == [""]
    elif name.endswith(".jsonl"):
        numbers = [i for i, line in enumerate(content.split(b"\n"), 1) if line.strip()]
        assert sorted(places) == sorted(f", line {i}" for i in numbers)
    elif name.endswith(".spacy"):
        numbers = range(1, 1 + (n_documents(name, content) or 0))
        assert sorted(places) == [f", document {i}" for i in numbers] or places == [""]
    else:
        cut = [p for p in places if p == "" or p.startswith(", after document ")]
        if cut:  # exactly so many, once the test below passes
            assert len(places) <= int(cut[0].rpartition(" ")[2] or 0) + 1
        else:
            assert len(places) == n_documents(name, content)


def test_every_odd_input_is_processed_or_told(model, tmp_path):
    files = put(tmp_path / "in", *odd_inputs(N_INPUTS, seed=0))
    progress: list[int] = []
    assert {name.partition(".")[2] for name in files} == set(KINDS)
    result = apply(spacy.load(model), tmp_path / "in", tmp_path / "out.jsonl", on_progress=progress.append)
    rows, left_out = lines_of(tmp_path / "out.jsonl"), lines_of(tmp_path / "out.jsonl.left_out.jsonl")
    assert len(rows) == result.n_docs
    assert [(row["place"], row["problem"]) for row in left_out] == result.problems
    assert all(row["problem"] for row in left_out)
    assert sum(progress) == len(rows) + len(left_out)
    places = by_file(tmp_path / "in", [row["source"] for row in rows] + [row["place"] for row in left_out])
    for name, content in files.items():
        check_places(name, content, places.get(name, []))
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out.jsonl", "out.jsonl.left_out.jsonl"}
    assert min(len(rows), len(left_out)) > N_INPUTS / 3, "there is much of both"
    assert sum(len(row["relations"]) > 0 for row in rows) > 10


NOT_YET = [
    pytest.param("json", nested_docred("title"), id="a title nested deeply"),
    pytest.param("json", nested_docred("pos"), id="an offset nested deeply"),
    pytest.param("spacy", changed_bin(flags=[]), id="no flags"),
    pytest.param("spacy", changed_bin(flags=[3]), id="flags that are none"),
    pytest.param("spacy", changed_bin(user_data=[b"x"]), id="user data that is none"),
    pytest.param("spacy", changed_bin(strings=[], attrs=[65]), id="too few attributes"),
]


@pytest.mark.parametrize(("kind", "content"), NOT_YET)
def test_odd_inputs_that_ended_a_run(model, tmp_path, kind, content):
    """To be moved to `odd_inputs` once they no longer do."""
    put(tmp_path / "in", ("txt", b"good"), (kind, content), ("txt", b"good"))
    result = apply(spacy.load(model), tmp_path / "in", tmp_path / "out.jsonl")
    assert (result.n_docs, len(result.problems)) == (2, 1)


def test_a_file_that_is_cut_off_after_an_invalid_document(model, tmp_path):
    put(tmp_path / "in", ("json", b'[{"title": 8}, {"title": '), ("txt", b"good"))
    result = apply(spacy.load(model), tmp_path / "in", tmp_path / "out.jsonl")
    places = by_file(tmp_path / "in", [place for place, _ in result.problems])
    assert places == {"0000.json": [", document 1 ('8')", ", after document 1"]}


def test_odd_docred_is_converted_or_told_and_nothing_left_behind(tmp_path):
    """300 files; only errors that say what is wrong, and a target that is whole or not there."""
    rng, outcomes = random.Random(0), []
    source, target = tmp_path / "in.json", tmp_path / "new" / "out.spacy"
    for _ in range(300):
        source.write_bytes(docred_file(rng))
        try:
            n_docs = convert_to_spacy(source, target, skip_invalid=True).n_docs
        except (ValueError, FileExistsError):
            n_docs = 0
            assert not target.parent.exists()
        outcomes.append(n_docs)
        if n_docs:
            assert len(list(read_shard(target, Vocab()))) == n_docs
            with pytest.raises(FileExistsError, match="docre-E023"):
                convert_to_spacy(source, target, skip_invalid=True)
            assert [p.name for p in target.parent.iterdir()] == [target.name]
            target.unlink()
            target.parent.rmdir()
    assert 50 < outcomes.count(0) < 250, "there is much of both"


@pytest.mark.parametrize("field", ["title", "pos"])
def test_deeply_nested_docred_is_no_crash(tmp_path, field):
    (tmp_path / "in.json").write_bytes(nested_docred(field))
    with pytest.raises(ValueError, match="docre-E"):
        convert_to_spacy(tmp_path / "in.json", tmp_path / "out.spacy", skip_invalid=True)
