"""Names in one file and ids in the other: said by whoever first puts the two together."""

import warnings

import pytest
import spacy
import srsly
from spacy.vocab import Vocab

from spacy_docre import get_relations, set_relations
from spacy_docre.cli.conversion import read_names
from spacy_docre.errors import once
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..pipelines import crowd, make_hopper_doc
from ..test_old_models import TINY
from .test_evaluate import plain, run

IDS = {"place of birth": "P19", "colleague": "P3", "place of death": "P20", "founder of": "P4", "founded by": "P5"}


@pytest.fixture(autouse=True)
def _nothing_was_said(monkeypatch):
    monkeypatch.setattr(once, "_given", set())


@pytest.fixture
def names(tmp_path):
    write_shard([make_doc(), make_hopper_doc()], tmp_path / "names.spacy")
    return tmp_path / "names.spacy"


@pytest.fixture
def ids(tmp_path):
    docs = [make_doc(), make_hopper_doc()]
    for doc in docs:
        triples = [(rel.head.id, IDS[rel.label_], rel.tail.id) for rel in get_relations(doc)]
        set_relations(doc, triples, status="complete")
    write_shard(docs, tmp_path / "ids.spacy")
    return tmp_path / "ids.spacy"


def test_annotating_is_refused_before_anything_is_done(ids, tmp_path):
    code, text = run("annotate", TINY, ids, tmp_path / "soft")
    assert code == 1
    assert "docre-E142" in text
    assert "P19, P20, P3, P4, P5 there" in plain(text)
    assert not (tmp_path / "soft").exists()


def test_documents_without_labels_are_annotated(tmp_path):
    doc = make_doc()
    set_relations(doc, [], status="none")
    write_shard([doc], tmp_path / "none.spacy")
    code, text = run("annotate", TINY, tmp_path / "none.spacy", tmp_path / "soft")
    assert code == 0, text
    assert "6 pairs of entities" in plain(text)


def test_priors_of_no_common_label_are_refused(names, ids, tmp_path):
    code, text = run("priors", names, ids, tmp_path / "priors.json")
    assert code == 1
    assert "docre-E143" in text
    assert not (tmp_path / "priors.json").exists()


def test_debug_data_asks_whether_both_were_converted_alike(names, ids):
    code, text = run("debug-data", names, ids)
    assert code == 0
    assert "No label is in both" in plain(text)
    assert "same --labels" in plain(text)


def test_scoring_in_training_warns_once(ids):
    nlp = spacy.load(TINY)
    examples = list(create_corpus_v1(ids)(nlp))
    with pytest.warns(UserWarning, match="docre-W018.*P19, P20, P3, P4, P5 there, .*place of birth"):
        assert nlp.evaluate(examples)["rel_micro_f"] == 0


@pytest.mark.filterwarnings("error:.*W018")
def test_scoring_with_some_known_labels_says_nothing(names):
    nlp = spacy.load(TINY)
    assert nlp.evaluate(list(create_corpus_v1(names)(nlp)))["rel_micro_f"] is not None


def test_a_label_that_is_not_learned_is_named(ids):
    nlp = spacy.load(TINY)
    with pytest.warns(UserWarning, match=r"docre-W008.*does not know P19, P3"):
        nlp.update(list(create_corpus_v1(ids)(nlp))[:1], sgd=False)


def test_a_schema_of_other_labels_says_that_it_does_nothing(tmp_path):
    srsly.write_json(tmp_path / "schema.json", {"types": {"P19": [["PER", "LOC"]]}, "inverses": {}})
    nlp = spacy.load(TINY, config={"components": {"docre_relations": {"schema": schema(tmp_path / "schema.json")}}})
    with pytest.warns(UserWarning, match=r"docre-W019.*P19 there, .*place of birth"):
        nlp(make_doc(nlp.vocab))


def schema(path) -> dict:
    return {"@misc": "spacy-docre.Schema.v1", "path": str(path)}


def test_documents_without_two_entities_have_nothing_to_annotate(tmp_path):
    write_shard([crowd(Vocab(), 1), crowd(Vocab(), 0)], tmp_path / "raw.spacy")
    code, text = run("annotate", TINY, tmp_path / "raw.spacy", tmp_path / "soft")
    assert code == 1
    assert "docre-E144" in text
    assert "None of 2 documents has two entities" in plain(text)
    assert "docre apply" in plain(text)


@pytest.fixture
def some_ids(tmp_path):
    """One relation of the first document has an id."""
    docs = [make_doc(), make_doc()]
    triples = [(rel.head.id, IDS[rel.label_], rel.tail.id) for rel in get_relations(docs[0])[:1]]
    rest = [(rel.head.id, rel.label_, rel.tail.id) for rel in get_relations(docs[0])[1:]]
    set_relations(docs[0], triples + rest, status="complete")
    write_shard(docs, tmp_path / "some.spacy")
    return tmp_path / "some.spacy"


@pytest.mark.parametrize("command", ["evaluate", "threshold"])
def test_labels_of_some_relations_that_are_not_known_are_said(some_ids, tmp_path, command):
    """They would be missed without a word."""
    output = [tmp_path / "chosen"] if command == "threshold" else []
    with pytest.warns(UserWarning, match=r"docre-W028.* 1 of the \d relations in .*some.spacy .*: P\d+\.") as caught:
        assert run(command, TINY, some_ids, *output)[0] == 0
    assert sum("W028" in str(w.message) for w in caught) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*W028")
        write_shard([make_doc(), make_doc()], tmp_path / "names.spacy")
        assert run(command, TINY, tmp_path / "names.spacy", *output, *["--overwrite"] * len(output))[0] == 0


def test_scores_on_documents_without_relations_say_why_they_are_0(tmp_path):
    write_shard([crowd(Vocab(), 3)], tmp_path / "raw.spacy")
    with pytest.warns(UserWarning, match=r"docre-W030.* No document in .*raw.spacy has a relation"):
        assert run("evaluate", TINY, tmp_path / "raw.spacy", "--allow-incomplete")[0] == 0


def test_two_labels_of_one_name_are_said(tmp_path):
    (tmp_path / "names.json").write_text('{"P19": "born in", "P20": "died in", "P1": "born in"}', encoding="utf8")
    with pytest.warns(UserWarning, match=r"docre-W029.*names.json: two labels have the name 'born in'.*\(P19, P1\)"):
        assert read_names(tmp_path / "names.json") == {"P19": "born in", "P20": "died in", "P1": "born in"}
