"""Thousands of odd files at once: each is processed or told, and none ends the run."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.vocab import Vocab

from spacy_docre.cli.convert import convert_to_spacy
from spacy_docre.inference.apply import apply
from spacy_docre.readers.documents import checked, doc_of_line
from spacy_docre.readers.shards import read_shard

from .odd_inputs import changed_bin, docred_file, nested_docred, odd_inputs
from .test_old_models import TINY

N_INPUTS = 2_000


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The tiny pipeline, which finds entities and sentences, and is careful: it was trained on one document."""
    nlp = spacy.load(TINY, config={"components.docre_relations.threshold_offset": 5.0})
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
        match = re.match(re.escape(f"{folder}/") + r"(\d{4}\.(?:txt|jsonl|json\.gz|json|spacy))", place)
        assert match, place
        found[match[1]].append(place[match.end() :])
    return found


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def n_documents(content: bytes) -> int | None:
    """In a JSON array; None if it is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return len(found) if isinstance(found, list) else None


def check_places(name: str, content: bytes, places: list[str]) -> None:
    """Every document of the file is in one place, and no other is."""
    if name.endswith(".txt"):
        assert places == [""]
    elif name.endswith(".jsonl"):
        numbers = [i for i, line in enumerate(content.split(b"\n"), 1) if line.strip()]
        assert sorted(places) == sorted(f", line {i}" for i in numbers)
    elif name.endswith(".spacy"):
        assert places == [""] or sorted(places) == [f", document {i + 1}" for i in range(len(places))]
    elif name.endswith(".json"):
        n, broken = n_documents(content), any(p == "" or p.startswith(", after document") for p in places)
        assert len(places) == n or broken, (n, places)


def test_every_odd_input_is_processed_or_told(model, tmp_path):
    files = put(tmp_path / "in", *odd_inputs(N_INPUTS, seed=0))
    progress: list[int] = []
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
    assert len(rows) > N_INPUTS / 3
    assert len(left_out) > N_INPUTS / 3
    assert result.n_relations > 100
