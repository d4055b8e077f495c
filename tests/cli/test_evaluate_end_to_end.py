"""`python -m spacy docre evaluate --end-to-end`: an entity ruler, rules for entities, and relations learned well."""

import sys

import pytest
import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_docre import get_entities, get_relations, set_entities, set_relations
from spacy_docre.cli.evaluate import evaluate
from spacy_docre.readers.shards import write_shard
from spacy_docre.scoring.end_to_end import CAUSES
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..pipelines import hash_pipeline, initialised, make_hopper_doc, step, unlabelled
from .test_evaluate import plain, run, write

NAMES = {
    **{"Ada Lovelace": "PER", "Lovelace": "PER", "Charles Babbage": "PER", "Grace Hopper": "PER", "Hopper": "PER"},
    **{"London": "LOC", "New York": "LOC", "Navy": "ORG"},
}
COUNTED = ("e2e_strict", "e2e_loose", "mention", "mention_place", "muc", "b3", "ceafe")


def named(doc: Doc, name: str) -> Doc:
    """The document with a name for "She", by which rules find the entity."""
    words = [name if t.text == "She" else t.text for t in doc]
    result = Doc(doc.vocab, words=words, sent_starts=[t.is_sent_start for t in doc])
    entities = [[Span(result, m.start, m.end, label=m.label_) for m in e.mentions] for e in get_entities(doc)]
    set_entities(result, entities)
    set_relations(result, get_relations(doc), status="complete")
    return result


def named_docs(vocab=None) -> list[Doc]:
    return [named(make_doc(vocab), "Lovelace"), named(make_hopper_doc(vocab), "Hopper")]


@pytest.fixture(scope="module")
def nlp() -> Language:
    """It finds all mentions of the documents without pronouns, and has learned their relations."""
    nlp = hash_pipeline()
    examples = [Example(unlabelled(doc), doc) for doc in named_docs(nlp.vocab)]
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(60):
        step(nlp, examples, optimizer)
    nlp.add_pipe("docre_entities", first=True)
    patterns = [{"label": label, "pattern": name} for name, label in NAMES.items()]
    nlp.add_pipe("entity_ruler", first=True).add_patterns(patterns)
    return nlp


@pytest.fixture(scope="module")
def pipeline(nlp, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(folder)
    return str(folder)


def save(path, *docs):
    write_shard(docs, path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Both documents with names, and one of them again with "She", who is not found."""
    return save(tmp_path_factory.mktemp("data") / "dev.spacy", *named_docs(), make_doc())


@pytest.fixture(scope="module")
def scores(pipeline, data) -> dict:
    return evaluate(pipeline, data, end_to_end=True)


def rows(text: str) -> dict[str, list[str]]:
    """The printed tables' rows by their title, without the cells' padding."""
    cells = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) > 1}


def test_perfect_documents_are_perfect_from_the_text_alone(pipeline, tmp_path):
    found = evaluate(pipeline, save(tmp_path / "named.spacy", *named_docs()), end_to_end=True)
    assert {found[f"{name}_{k}"] for name in COUNTED for k in "prf"} == {1}
    assert found["conll_f"] == found["rel_micro_f"] == 1
    assert found["e2e_causes"] == found["e2e_lost"] == dict.fromkeys(CAUSES, 0)


def test_missed_pronouns_by_hand(scores):
    """She is 1 of 12 mentions, and all three relations of her document are Ada's: strictly, 6 of 9 are found.

    MUC: 2 of 3 links; B³: 8 mentions of two documents, and ½ + 1 + 1 of 4; CEAF-e: 2 · 1 / 3 for Ada, of 9.
    """
    assert scores["mention_p"] == scores["mention_place_p"] == 1
    assert scores["mention_r"] == scores["mention_place_r"] == pytest.approx(11 / 12)
    assert scores["e2e_strict_r"] == pytest.approx(6 / 9)
    assert (scores["muc_p"], scores["muc_r"]) == (1, pytest.approx(2 / 3))
    assert (scores["b3_p"], scores["b3_r"]) == (1, pytest.approx((8 + 2.5) / 12))
    assert scores["ceafe_p"] == scores["ceafe_r"] == pytest.approx((6 + 2 / 3 + 2) / 9)
    assert scores["e2e_causes"] == {**dict.fromkeys(CAUSES, 0), "mention missed": 3}


def test_lost_are_those_that_gold_entities_find(scores):
    missed = scores["rel_counts"]["gold"] - scores["rel_counts"]["correct"]
    assert scores["e2e_lost"] == {**dict.fromkeys(CAUSES, 0), "mention missed": 3 - missed}


def test_causes_are_of_all_that_was_not_found(scores):
    assert sum(scores["e2e_causes"].values()) == round((1 - scores["e2e_strict_r"]) * scores["rel_counts"]["gold"])
    assert scores["e2e_strict_r"] <= scores["e2e_loose_r"]


def test_relations_with_gold_entities_are_those_of_the_command_without_it(pipeline, data, scores):
    alone = evaluate(pipeline, data)
    relations = {key: value for key, value in alone.items() if key.startswith("rel_")}
    assert relations == {key: scores[key] for key in relations}
    assert {key for key in scores if key.startswith("rel_")} == set(relations)


def test_strict_figures_are_those_of_own_entities(pipeline, data, scores):
    own = evaluate(pipeline, data, gold_entities=False)
    assert [scores[f"e2e_strict_{k}"] for k in "prf"] == [own[f"rel_micro_{k}"] for k in "prf"]


def test_own_entities_make_no_difference(pipeline, data, scores):
    """What is asked for is both."""
    found = evaluate(pipeline, data, end_to_end=True, gold_entities=False)
    assert {k: v for k, v in found.items() if "second" not in k} == {
        k: v for k, v in scores.items() if "second" not in k
    }


def test_the_tables(pipeline, data, scores):
    code, text = run("evaluate", pipeline, data, "--end-to-end")
    assert code == 0
    assert text.index("Precision") < text.index("From the text alone") < text.index("Why a relation was not found")
    table = rows(text)
    titles = {
        **{"Mentions, place and type": "mention", "Mentions, place alone": "mention_place", "Entities, MUC": "muc"},
        **{"Entities, B³": "b3", "Entities, CEAF-e": "ceafe", "Relations, strict": "e2e_strict"},
        **{"Relations, loose": "e2e_loose", "Relations with gold entities": "rel_micro"},
    }
    for title, name in titles.items():
        assert table[title] == [f"{100 * scores[f'{name}_{k}']:.2f}" for k in "prf"], title
    assert table["Entities, mean of the three"] == [f"{100 * scores['conll_f']:.2f}"]
    lost = scores["e2e_lost"]["mention missed"]
    assert table["mention missed"] == table["all"] == ["3", str(lost)]
    assert all(table[cause] == ["0", "0"] for cause in CAUSES[1:])


def test_without_the_option_there_is_none_of_it(pipeline, data):
    code, text = run("evaluate", pipeline, data)
    assert code == 0
    assert "From the text alone" not in text
    assert not [key for key in evaluate(pipeline, data) if not key.startswith("rel_") and "per_second" not in key]


def test_the_file_has_all_figures(pipeline, data, tmp_path, scores):
    assert run("evaluate", pipeline, data, "--end-to-end", "--output", tmp_path / "scores.json")[0] == 0
    saved = srsly.read_json(tmp_path / "scores.json")
    assert set(saved) == set(scores)
    names = {f"{name}_{k}" for name in COUNTED for k in "prf"}
    assert names | {"conll_f", "e2e_causes", "e2e_lost", "e2e_docs_per_second"} <= set(saved)
    assert saved["e2e_causes"] == scores["e2e_causes"]
    assert saved["e2e_docs_per_second"] > 0
    assert all(saved[name] == pytest.approx(scores[name]) for name in names)


def test_the_pipelines_meta_has_the_figures(pipeline, data, tmp_path, scores):
    assert run("evaluate", pipeline, data, "--end-to-end", "--meta", tmp_path / "meta.json")[0] == 0
    performance = srsly.read_json(tmp_path / "meta.json")["performance"]
    for name in ("e2e_strict_f", "e2e_loose_f", "mention_f", "mention_place_f", "conll_f", "rel_micro_f"):
        assert performance[name] == pytest.approx(scores[name]), name
    assert performance["e2e_causes"] == scores["e2e_causes"]
    assert None not in performance.values()


def test_the_speed_of_this_machine_stays_out_of_the_meta(pipeline, data, tmp_path):
    assert run("evaluate", pipeline, data, "--end-to-end", "--meta", tmp_path / "meta.json")[0] == 0
    assert not [key for key in srsly.read_json(tmp_path / "meta.json")["performance"] if "second" in key]


def test_predictions_are_those_with_gold_entities(pipeline, data, tmp_path):
    run("evaluate", pipeline, data, "--predictions", tmp_path / "alone.json")
    run("evaluate", pipeline, data, "--end-to-end", "--predictions", tmp_path / "both.json")
    assert srsly.read_json(tmp_path / "both.json") == srsly.read_json(tmp_path / "alone.json")


def test_a_pipeline_that_finds_no_entities(nlp, data, tmp_path):
    """Each of the 9 relations is missed for a mention, and those that gold entities find are lost."""
    nlp.to_disk(tmp_path / "alone", exclude=["entity_ruler", "docre_entities"])
    config = nlp.config.copy()
    config["nlp"] = {**config["nlp"], "pipeline": ["docre_relations"]}
    config["components"] = {"docre_relations": config["components"]["docre_relations"]}
    config.to_disk(tmp_path / "alone" / "config.cfg")
    found = evaluate(str(tmp_path / "alone"), data, end_to_end=True)
    assert found["e2e_causes"] == {**dict.fromkeys(CAUSES, 0), "mention missed": 9}
    assert found["e2e_lost"]["mention missed"] == found["rel_counts"]["correct"] >= 6
    assert found["e2e_strict_f"] == found["e2e_loose_f"] == found["mention_f"] == found["conll_f"] == 0


def test_labels_that_are_not_complete_are_refused_unless_allowed(pipeline, tmp_path):
    distant = write(tmp_path / "distant.spacy", "distant")
    code, text = run("evaluate", pipeline, distant, "--end-to-end")
    assert code == 1
    assert "docre-E100" in plain(text)
    code, text = run("evaluate", pipeline, distant, "--end-to-end", "--allow-incomplete")
    assert code == 0
    assert "From the text alone" in text


def test_without_scipy_it_ends_before_anything_is_predicted(pipeline, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    code, text = run("evaluate", pipeline, data, "--end-to-end")
    assert code == 1
    assert "docre-E130" in plain(text)
    assert "pip install scipy" in plain(text)
    assert run("evaluate", pipeline, data)[0] == 0


def test_documents_without_relations_or_entities(pipeline, tmp_path):
    """Nothing to find, and one mention too many, is no division by zero."""
    doc = Doc(make_doc().vocab, words=["London", "fell", "."])
    set_relations(doc, [], status="complete")
    code, text = run("evaluate", pipeline, save(tmp_path / "empty.spacy", doc), "--end-to-end")
    assert code == 0
    assert rows(text)["Mentions, place alone"] == ["0.00", "0.00", "0.00"]
