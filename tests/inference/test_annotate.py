"""Soft labels for a corpus: what the shards hold, resuming, and what is refused."""

import json
import shutil
import weakref

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_label_status, get_relations
from spacy_docre.annotations import TITLE_KEY, get_soft_labels, get_title, set_label_status
from spacy_docre.errors import once
from spacy_docre.inference import annotate as module
from spacy_docre.inference.annotate import add_soft_labels, annotate, count_docs, read_examples
from spacy_docre.inference.teacher import Teacher, load_teachers
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.manifest import read_manifest, sha256
from spacy_docre.readers.shards import find_shards, read_shard, write_shard

from ..conftest import make_doc
from ..pipelines import (
    crowd,
    hash_pipeline,
    initialised,
    make_hopper_doc,
    overfit,
    transformer_pipeline,
    two_examples,
    unlabelled,
)


def variety() -> list[Doc]:
    """Nine documents that are not empty, with 0 to 6 entities and every status, and one without tokens."""
    docs = [make_doc(), crowd(Vocab(), 6), crowd(Vocab(), 0), Doc(Vocab()), make_hopper_doc()]
    docs += [crowd(Vocab(), n) for n in (1, 2, 3)] + [make_doc(), make_hopper_doc()]
    for i, doc in enumerate(docs):
        doc.user_data[TITLE_KEY] = f"title {i}"
        set_label_status(doc, ("complete", "incomplete", "distant", "none")[i % 4])
    return docs


@pytest.fixture(scope="module")
def teachers(tmp_path_factory) -> list[Teacher]:
    """Three of different training: "first", "second", and one whose labels are in another order."""
    found = []
    for i, name in enumerate(("first", "second", "turned")):
        nlp = hash_pipeline()
        if name == "turned":
            labels = sorted(found[0].labels, reverse=True)
            nlp.get_pipe("docre_relations").initialize(lambda nlp=nlp: two_examples(nlp), labels=labels)
        else:
            overfit(nlp, steps=5 + 10 * i)
        folder = tmp_path_factory.mktemp("teachers") / name
        nlp.to_disk(folder)
        found.append(Teacher(str(folder)))
    return found


@pytest.fixture
def source(tmp_path):
    write_shard(variety(), tmp_path / "in.spacy")
    return tmp_path / "in.spacy"


def docs_in(path) -> list[Doc]:
    vocab = Vocab()
    return [doc for shard in find_shards(path) for doc in read_shard(shard, vocab)]


def contents(folder) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def soft_labels_of(path) -> list[list]:
    """Plain and comparable."""
    return [
        [(s.teacher, s.labels, s.entity_ids, s.logits.tolist()) for s in get_soft_labels(doc)] for doc in docs_in(path)
    ]


def test_documents_are_as_before_and_in_order(teachers, source, tmp_path):
    manifest = annotate(teachers[:1], [source], tmp_path / "out", docs_per_shard=4)
    before, after = [doc for doc in variety() if len(doc)], docs_in(tmp_path / "out")
    assert [get_title(doc) for doc in after] == [get_title(doc) for doc in before]
    for old, new in zip(before, after):
        assert new.text == old.text
        assert get_entities(new) == get_entities(old)
        assert get_relations(new) == get_relations(old)
        assert get_label_status(new) == get_label_status(old)
    assert [shard["n_docs"] for shard in manifest.shards] == [4, 4, 1]
    assert count_docs([source]) == manifest.n_docs == 9


def test_logits_are_the_teachers_own(teachers, source, tmp_path):
    """To the three digits of float16; documents with fewer than two entities have none."""
    teacher = teachers[0]
    annotate([teacher], [source], tmp_path / "out", docs_per_shard=4)
    nlp = spacy.load(teacher.nlp.path)
    for doc in docs_in(tmp_path / "out"):
        (soft,) = get_soft_labels(doc)
        (expected,) = nlp.get_pipe("docre_relations").predict_logits([unlabelled(doc, nlp.vocab)])
        assert (soft.teacher, soft.labels) == (teacher.name, teacher.labels)
        assert soft.entity_ids == tuple(e.id for e in get_entities(doc))
        assert soft.logits == pytest.approx(expected, rel=2e-3, abs=2e-3)
        assert len(soft.logits) == len(soft.entity_ids) * max(0, len(soft.entity_ids) - 1)


def test_the_manifest_says_what_is_in_the_folder(teachers, source, tmp_path):
    annotate(teachers[:1], [source], tmp_path / "out", docs_per_shard=4)
    manifest = read_manifest(tmp_path / "out")
    assert manifest.complete
    assert manifest.labels == list(teachers[0].labels)
    assert manifest.settings["docs_per_shard"] == 4
    assert manifest.settings["inputs"] == [{"file": "in.spacy", "sha256": sha256(source)}]
    assert [t["name"] for t in manifest.settings["teachers"]] == [teachers[0].name]
    assert teachers[0].name.endswith("/first")
    for shard in manifest.shards:
        path = tmp_path / "out" / shard["file"]
        pairs = [len(e) * (len(e) - 1) for e in map(get_entities, docs_in(path))]
        assert (shard["sha256"], shard["n_pairs"]) == (sha256(path), sum(pairs))
    assert contents(tmp_path / "out").keys() == {"manifest.json", *(s["file"] for s in manifest.shards)}


def test_hidden_states_are_gone(encoder, tmp_path):
    """From the shards, and from what is in memory until the shard is written."""
    nlp = initialised(transformer_pipeline(encoder))
    nlp.to_disk(tmp_path / "model")
    teacher = Teacher(str(tmp_path / "model"))
    write_shard([make_doc(), make_hopper_doc(), make_doc()], tmp_path / "in.spacy")
    annotate([teacher], [tmp_path / "in.spacy"], tmp_path / "out")
    docs = docs_in(tmp_path / "out")
    assert [(doc.tensor.size, doc._.trf_data) for doc in docs] == [(0, None)] * 3
    assert all(np.abs(get_soft_labels(doc)[0].logits).max() > 0 for doc in docs)
    examples = list(read_examples(teacher.nlp, [tmp_path / "in.spacy"]))
    add_soft_labels([teacher], examples)
    assert [eg.predicted._.trf_data is None for eg in examples] == [True] * 3


def test_earlier_components_of_the_teacher_do_not_change_the_documents(teachers, source, tmp_path):
    nlp = spacy.load(teachers[0].nlp.path)
    nlp.add_pipe("entity_ruler", first=True).add_patterns([{"label": "X", "pattern": "w1"}])
    nlp.to_disk(tmp_path / "model")
    annotate([Teacher(str(tmp_path / "model"))], [source], tmp_path / "out")
    plain = [(d.ents, get_entities(d)) for d in docs_in(tmp_path / "out")]
    assert plain == [(d.ents, get_entities(d)) for d in variety() if len(d)]


def test_a_teacher_that_finds_entities_meets_documents_without_any(teachers, tmp_path):
    """Nobody has said what the mentions of this document are; the teacher's pipeline would find two."""
    nlp = spacy.load(teachers[0].nlp.path)
    nlp.add_pipe("entity_ruler", first=True).add_patterns([{"label": "X", "pattern": w} for w in ("Ada", "Bob")])
    nlp.to_disk(tmp_path / "model")
    write_shard([Doc(Vocab(), words=["Ada", "met", "Bob"]), make_doc()], tmp_path / "in.spacy")
    manifest = annotate([Teacher(str(tmp_path / "model"))], [tmp_path / "in.spacy"], tmp_path / "out")
    assert manifest.n_docs == 2


def test_several_teachers_at_once_are_as_one_after_the_other(teachers, source, tmp_path):
    """Teachers may have their labels in different orders: each keeps its own."""
    annotate(teachers, [source], tmp_path / "together", docs_per_shard=4)
    for i, (before, after) in enumerate([("in.spacy", "a"), ("a", "b"), ("b", "c")]):
        annotate([teachers[i]], [tmp_path / before], tmp_path / after, docs_per_shard=4)
    assert soft_labels_of(tmp_path / "together") == soft_labels_of(tmp_path / "c")
    (first, second, turned), *_ = soft_labels_of(tmp_path / "c")
    assert first[3] != second[3]
    assert turned[1] == first[1][::-1]


def test_the_same_teacher_again_takes_its_own_place_and_says_so(teachers, source, tmp_path, monkeypatch):
    monkeypatch.setattr(once, "_given", set())
    annotate(teachers[:2], [source], tmp_path / "a")
    with pytest.warns(UserWarning, match=rf"docre-W017.*{teachers[0].name}"):
        annotate(teachers[:1], [tmp_path / "a"], tmp_path / "b")
    first, second = (s[0] for s in soft_labels_of(tmp_path / "a")[0])
    assert [[s[0] for s in doc] for doc in soft_labels_of(tmp_path / "b")] == [[second, first]] * 9


@pytest.fixture
def twins(teachers, tmp_path) -> list[str]:
    """Two models in folders whose last two names are the same."""
    folders = [tmp_path / run / "training" / "model-best" for run in ("run1", "run2")]
    for teacher, folder in zip(teachers, folders):
        shutil.copytree(teacher.nlp.path, folder)
    return [str(folder) for folder in folders]


def test_teachers_have_names_that_tell_them_apart(twins, source, tmp_path):
    found = load_teachers(twins)
    assert [t.name for t in found] == ["run1/training/model-best", "run2/training/model-best"]
    annotate(found, [source], tmp_path / "out")
    assert {tuple(s[0] for s in doc) for doc in soft_labels_of(tmp_path / "out")} == {tuple(t.name for t in found)}


def test_two_teachers_of_one_name_are_refused(twins, source, tmp_path):
    with pytest.raises(ValueError, match=r"docre-E125.*training/model-best, training/model-best"):
        annotate([Teacher(folder) for folder in twins], [source], tmp_path / "out")
    with pytest.raises(ValueError, match="docre-E125"):
        load_teachers([twins[0], f"{twins[0]}/../model-best"])
    assert not (tmp_path / "out").exists()


def test_other_labels_are_refused_and_listed(teachers, source, tmp_path):
    nlp = hash_pipeline()
    nlp.get_pipe("docre_relations").initialize(lambda: two_examples(nlp), labels=["spouse", *teachers[0].labels[1:]])
    nlp.to_disk(tmp_path / "other")
    with pytest.raises(ValueError, match=rf"docre-E115.*: {teachers[0].labels[0]}, spouse\."):
        annotate([teachers[0], Teacher(str(tmp_path / "other"))], [source], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pipeline_without_relations_is_no_teacher(blank, tmp_path):
    blank.add_pipe("sentencizer")
    blank.to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match=r"docre-E102.*sentencizer"):
        Teacher(str(tmp_path / "blank"))


def test_logits_beyond_float16_are_its_ends(teachers, source, tmp_path, monkeypatch):
    teacher = teachers[0]
    logits = type(teacher).logits
    monkeypatch.setattr(teacher, "logits", lambda docs: (1e9 * x for x in logits(teacher, docs)))
    annotate([teacher], [source], tmp_path / "out")
    found = np.concatenate([get_soft_labels(doc)[0].logits for doc in docs_in(tmp_path / "out")])
    assert np.abs(found).max() == np.finfo(np.float16).max


class Probe:
    """Lives as long as the document that it is tied to."""


@pytest.fixture
def alive(monkeypatch):
    """Sizes of memory, in documents, and of what is read ahead of the shards on disk; both as the corpus is read."""
    probes: weakref.WeakSet = weakref.WeakSet()
    counts: list[tuple[int, int]] = []

    def watched(nlp, inputs):
        for i, example in enumerate(read_examples(nlp, inputs)):
            probe = example.reference.user_hooks["probe"] = Probe()
            probes.add(probe)
            counts.append((len(probes), i))
            del probe
            yield example

    monkeypatch.setattr(module, "read_examples", watched)
    return counts


def test_memory_is_bounded_by_one_shard(teachers, tmp_path, alive):
    """Of 60 documents, 10 in a shard: at most 10 are there, and two that are just being read."""
    write_shard([crowd(Vocab(), 2) for _ in range(60)], tmp_path / "in.spacy")
    annotate(teachers[:1], [tmp_path / "in.spacy"], tmp_path / "out", docs_per_shard=10)
    assert len(alive) == 60
    assert max(n for n, _ in alive) <= 12


def test_nothing_is_read_ahead_of_the_shard_that_is_written(teachers, tmp_path, alive):
    """When document 10 is read, the first ten are on disk."""
    write_shard([crowd(Vocab(), 2) for _ in range(35)], tmp_path / "in.spacy")
    on_disk = []
    annotate(
        teachers[:1],
        [tmp_path / "in.spacy"],
        tmp_path / "out",
        docs_per_shard=10,
        on_progress=lambda n: on_disk.append((len(alive), len(find_shards(tmp_path / "out")))),
    )
    assert on_disk == [(0, 0), (8, 0), (10, 0), (18, 1), (20, 1), (28, 2), (30, 2), (35, 3)]


def test_several_inputs_are_read_one_after_the_other(teachers, source, tmp_path):
    write_shard([make_hopper_doc()], tmp_path / "folder.spacy")
    annotate(teachers[:1], [tmp_path / "folder.spacy", source], tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf8"))
    assert [x["file"] for x in manifest["settings"]["inputs"]] == ["folder.spacy", "in.spacy"]
    assert [doc[0].text for doc in docs_in(tmp_path / "out")[:2]] == ["Grace", "Ada"]


def test_the_corpus_reads_what_was_written(teachers, source, tmp_path, blank):
    annotate(teachers[:1], [source], tmp_path / "out", docs_per_shard=2)
    examples = list(create_corpus_v1(tmp_path / "out")(blank))
    assert [bool(get_soft_labels(eg.reference)) for eg in examples] == [True] * 9
    assert not any(get_soft_labels(eg.predicted) for eg in examples)


def test_an_input_without_documents_is_said_before_anything_is_done(teachers, source, tmp_path):
    """Not at its turn, when the shard before it would be lost, each time anew."""
    write_shard([Doc(Vocab())], tmp_path / "empty.spacy")
    with pytest.raises(ValueError, match=r"docre-E021.*empty\.spacy"):
        annotate(teachers[:1], [source, tmp_path / "empty.spacy"], tmp_path / "soft")
    assert not (tmp_path / "soft").exists()


def test_labels_of_an_earlier_call_are_compared_too(teachers, source, tmp_path):
    """As those of `--also` are; the same teacher again is compared with nobody."""
    other = hash_pipeline()
    other.get_pipe("docre_relations").initialize(lambda: two_examples(other), labels=["employer", "founded by"])
    other.to_disk(tmp_path / "other")
    annotate([Teacher(str(tmp_path / "other"), name="other")], [source], tmp_path / "first")
    with pytest.raises(ValueError, match=r"docre-E115.*'first' and 'other'.*employer"):
        annotate([Teacher(teachers[0].nlp.path, name="first")], [tmp_path / "first"], tmp_path / "both")
    assert not (tmp_path / "both").exists()
    annotate([Teacher(teachers[0].nlp.path, name="other")], [tmp_path / "first"], tmp_path / "again")


def test_the_output_is_a_folder(teachers, source, tmp_path):
    with pytest.raises(ValueError, match=r"docre-E148.*soft\.spacy looks like a file"):
        annotate(teachers[:1], [source], tmp_path / "soft.spacy")
    assert not (tmp_path / "soft.spacy").exists()


@pytest.mark.parametrize("others", [(), ("notes.txt",)])
def test_a_broken_manifest_is_overcome_by_overwriting(teachers, source, tmp_path, others):
    """But not if something lies beside it that this package does not write."""
    annotate(teachers[:1], [source], tmp_path / "soft")
    whole = contents(tmp_path / "soft")
    (tmp_path / "soft" / "manifest.json").write_text('{"format": 1, "sett', encoding="utf8")
    for name in others:
        (tmp_path / "soft" / name).write_text("mine", encoding="utf8")
    with pytest.raises(ValueError, match=r"docre-E112.*--overwrite"):
        annotate(teachers[:1], [source], tmp_path / "soft")
    if others:
        with pytest.raises(ValueError, match="docre-E112"):
            annotate(teachers[:1], [source], tmp_path / "soft", overwrite=True)
    else:
        annotate(teachers[:1], [source], tmp_path / "soft", overwrite=True)
        assert contents(tmp_path / "soft") == whole
