"""The invented corpus is what its generator makes, what its README says, and not to be had by guessing."""

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CORPUS = ROOT / "assets" / "fictional"
SPLITS = ("train", "dev", "test", "distant")
sys.path[:0] = [str(CORPUS), str(ROOT / "benchmarks")]

from fiction.entities import Entity, Fact, complete  # noqa: E402
from fiction.templates import LABELS, SLOT, match, parse, read_templates  # noqa: E402


def read(split):
    path = CORPUS / f"{split}.json"
    if not path.exists():
        return json.loads(gzip.decompress(path.with_suffix(".json.gz").read_bytes()))
    return json.loads(path.read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def documents():
    return {split: read(split) for split in SPLITS}


def names(docs):
    return {m["name"] for d in docs for entity in d["vertexSet"] for m in entity}


@pytest.mark.slow
def test_generator_makes_the_committed_files():
    done = subprocess.run([sys.executable, CORPUS / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_size_on_disk():
    assert sum(p.stat().st_size for p in CORPUS.rglob("*") if p.is_file() and "__pycache__" not in p.parts) < 2e6


def test_shape(documents):
    """Numbers of documents, sentences, entities and labels; a long tail; relations across sentences."""
    assert {split: len(docs) for split, docs in documents.items()} == {
        "train": 240, "dev": 60, "test": 60, "distant": 800,
    }  # fmt: skip
    for docs in documents.values():
        assert all(6 <= len(d["sents"]) <= 14 for d in docs)
        assert all(5 <= len(d["vertexSet"]) <= 15 for d in docs)
        assert len({d["title"] for d in docs}) == len(docs)
    labels = Counter(x["r"] for d in documents["train"] for x in d["labels"])
    assert set(labels) == set(LABELS) == set(json.loads((CORPUS / "rel_info.json").read_text(encoding="utf8")))
    assert 12 <= len(labels) <= 20
    assert min(labels.values()) * 5 < max(labels.values())
    for split in ("train", "dev", "test"):
        assert share_across_sentences(documents[split]) > 0.15
        pairs = Counter((d["title"], x["h"], x["t"]) for d in documents[split] for x in d["labels"])
        assert max(pairs.values()) >= 2


def share_across_sentences(docs):
    def sentences(d, i):
        return {m["sent_id"] for m in d["vertexSet"][i]}

    across = [not sentences(d, x["h"]) & sentences(d, x["t"]) for d in docs for x in d["labels"]]
    return sum(across) / len(across)


def test_names_of_dev_and_test_are_in_no_other_split(documents):
    """Names of entities, first names and surnames too: what was seen in training is of no help."""
    words = {s: {w for n in names(docs) for w in n.split()} for s, docs in documents.items()}
    initials = {f"{letter}." for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    people = {
        split: {w for d in docs for e in d["vertexSet"] for m in e if m["type"] == "PER" for w in m["name"].split()}
        for split, docs in documents.items()
    }
    for split in ("dev", "test"):
        for other in set(SPLITS) - {split}:
            assert not names(documents[split]) & names(documents[other])
            assert not people[split] & people[other] - initials
            assert len(words[split] & words[other]) < len(words[split])


def test_templates_are_in_one_split_only():
    """Slots and small words aside, no sentence of dev or test is also one of train."""
    skeletons = {}
    for split in SPLITS:
        templates = read_templates(CORPUS / "templates" / f"{split}.txt")
        skeletons[split] = {frozenset(re.findall(r"\w+", SLOT.sub("", t.text).lower())) for t in templates}
    for split in ("dev", "test"):
        for other in set(SPLITS) - {split}:
            near = [
                s for s in skeletons[split] for o in skeletons[other] if len(s & o) > 0.75 * len(s | o) and len(s) > 3
            ]
            assert not near, near[:5]


def test_labels_of_train_are_what_the_text_says(documents):
    """Every label has evidence, and a label that follows has the evidence of what it follows from."""
    n_followed = 0
    for d in documents["train"] + documents["dev"] + documents["test"]:
        known = {(x["h"], x["r"], x["t"]): x["evidence"] for x in d["labels"]}
        assert all(known.values())
        for (h, r, t), evidence in known.items():
            if r in ("spouse", "sibling"):
                assert (t, r, h) in known
            if r == "headquarters":
                for (h2, r2, t2), more in known.items():
                    if r2 == "located" and h2 == t:
                        assert (h, "located", t2) in known
                        n_followed += set(known[h, "located", t2]) == {*evidence, *more}
    assert n_followed > 20


def test_distant_labels_are_not_what_the_text_says(documents):
    """The knowledge base does not read: names of an entity may be there without the fact, and facts without a label."""
    labels = [x for d in documents["distant"] for x in d["labels"]]
    assert all("evidence" not in x for x in labels)
    assert len(labels) / len(documents["distant"]) < 0.85 * sum(len(d["labels"]) for d in documents["train"]) / 240


def test_baselines_that_do_not_read():
    from baselines import measure

    scores = measure(CORPUS)
    assert set(scores) == {"type prior", "nearest trigger", "bag of words"}
    assert all(0.1 < s["f"] < 0.5 for s in scores.values()), scores


def test_complete_by_hand():
    """The works are in Teldane, Teldane is in Carrow: the works are in Carrow, for both reasons."""
    works, town = Entity("Brack Glass Works", "ORG", "firm"), Entity("Teldane", "LOC", "town")
    region = Entity("Carrow", "LOC", "region")
    facts = {Fact(works, "headquarters", town): frozenset({0}), Fact(town, "located", region): frozenset({3})}
    assert complete(facts)[Fact(works, "located", region)] == {0, 3}
    assert len(complete(facts)) == 3


def test_match_by_hand():
    """One sentence for two facts on one person; the town of birth is not that of residence."""
    template = parse("{p1} left {l1}, where {p1:he} was born, for {l2}. => p1 birth l1; p1 residence l2")
    ada, here, there = Entity("Ada Quill", "PER", "she"), Entity("A", "LOC", "town"), Entity("B", "LOC", "town")
    facts = [Fact(ada, "birth", here), Fact(ada, "residence", there)]
    assert [slots for slots, _ in match(template, facts)] == [{"p1": ada, "l1": here, "l2": there}]
    assert not list(match(template, [facts[0], Fact(ada, "residence", here)]))


@pytest.mark.parametrize(
    "line",
    [
        "{p1} was born.",
        "{p1} met {p1}. =>",
        "{p1} lost {p2:his} hat. =>",
        "{p1} was born in {l1}. => l1 birth p1",
        "{p1} won {e1}. => e1 winner p1",
        "{x1} fell. =>",
    ],
)
def test_bad_templates_are_refused(line, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text(f"# a comment\n{line}\n", encoding="utf8")
    with pytest.raises(ValueError, match="line 2"):
        read_templates(path)
