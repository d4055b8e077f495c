"""What becomes a relation: thresholds by label, calibrated scores, and rules; and where a component has them from."""

import json
from functools import partial
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_docre import get_entities
from spacy_docre.features.pair_batch import off_diagonal
from spacy_docre.features.schema import Rules, Schema, read_schema
from spacy_docre.losses import build_loss
from spacy_docre.pipeline.decisions import make_decoder
from spacy_docre.pipeline.decoding import Decoder
from spacy_docre.training.callbacks import create_copy_weights_v1

from ..conftest import make_doc
from ..features.test_schema import document
from ..pipelines import hash_pipeline, initialised, make_hopper_doc, overfit, scored, triples, two_examples, unlabelled
from ..reloading import from_bytes, from_folder, from_pickle

LABELS = ["parent", "child", "born in"]
FAMILY = {"types": {"born in": [["PER", "LOC"]]}, "inverses": {"parent": "child", "child": "parent"}}
NO_RULES = {"types": {}, "inverses": {}}
BIRTHPLACE = "birthplace of"
RELOAD = [lambda nlp, path: nlp, from_folder, from_bytes, from_pickle]
approx = partial(pytest.approx, abs=1e-6)
SCHEMA = {"@misc": "spacy-docre.Schema.v1"}
Found = dict[tuple[int, str, int], float]


def p(margin: float) -> float:
    return 1 / (1 + exp(-margin))


def decode(types: list[str], margins: dict[tuple[int, str, int], float], *, stored=None, **changes) -> Found:
    """Relations and their scores; other margins are -5. changes: to a plain decoder."""
    n = len(types)
    logits = np.tile(np.float32([2, -3, -3, -3]), (n * (n - 1), 1))
    rows = {pair: row for row, pair in enumerate(zip(*(x.tolist() for x in off_diagonal(n))))}
    for (head, label, tail), margin in margins.items():
        logits[rows[head, tail], 1 + LABELS.index(label)] = 2.0 + margin
    rules = None if stored is None else Rules(stored, LABELS, types=True, inverses=True)
    plain = {"thresholds": np.float32([0, 0, 0]), "max_labels": 4, "probability": torch.sigmoid, "rules": rules}
    before, entities = logits.copy(), get_entities(document(types, []))
    found = Decoder(**{**plain, **changes})(entities, logits)
    assert np.array_equal(logits, before)
    assert found.entities == entities
    return {(head, LABELS[label], tail): score for head, label, tail, score in found.relations}


@pytest.mark.parametrize("stored", [None, NO_RULES], ids=["no rules", "rules of nothing"])
def test_each_label_has_its_own_threshold(stored):
    """1 is above -1 and ½, and not above 1."""
    margins = {(0, label, 1): 1.0 for label in LABELS}
    found = decode(["PER"] * 2, margins, thresholds=np.float32([1, 0.5, -1]), stored=stored)
    assert found == approx({(0, "child", 1): p(1), (0, "born in", 1): p(1)})
    assert list(found) == [(0, "born in", 1), (0, "child", 1)]  # the furthest above its threshold is the first


def test_the_first_are_those_furthest_above_their_thresholds():
    margins = {(0, "parent", 1): 3.0, (0, "child", 1): 2.0}
    assert decode(["PER"] * 2, margins, max_labels=1) == approx({(0, "parent", 1): p(3)})
    apart = decode(["PER"] * 2, margins, max_labels=1, thresholds=np.float32([2.5, 0.5, 0]))
    assert apart == approx({(0, "child", 1): p(2)})


def test_calibrated_scores_by_hand():
    """σ(2 · 1 - 1) and σ(2 · 1 + 0); what is predicted is for the thresholds to say."""
    margins = {(0, "parent", 1): 1.0, (0, "child", 1): 1.0}
    found = decode(["PER"] * 2, margins, calibration=(2.0, np.float32([-1, 0, 9])))
    assert found == approx({(0, "parent", 1): p(1), (0, "child", 1): p(2)})


def test_forbidden_types_never_come_out():
    """However large the margin is, and however low the threshold."""
    margins = {(h, "born in", t): 1e9 for h, t in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]}
    found = decode(["PER", "LOC", "EVENT"], margins, stored=FAMILY, thresholds=np.float32([0, 0, -np.inf]))
    assert set(found) == set(margins) - {(1, "born in", 0)}  # of EVENT nothing is known


def test_an_inverse_has_the_score_of_what_it_is_the_inverse_of():
    found = decode(["PER"] * 3, {(2, "parent", 0): 1.5}, stored=FAMILY)
    assert found == approx({(2, "parent", 0): p(1.5), (0, "child", 2): p(1.5)})
    calibrated = decode(["PER"] * 2, {(0, "parent", 1): 1.5}, stored=FAMILY, calibration=(2.0, np.float32([-4, 9, 9])))
    assert calibrated == approx({(0, "parent", 1): p(-1), (1, "child", 0): p(-1)})


def test_its_own_higher_score_is_kept_and_a_lower_one_is_raised():
    found = decode(["PER"] * 2, {(0, "parent", 1): 1.0, (1, "child", 0): 3.0}, stored=FAMILY)
    assert found == approx({(0, "parent", 1): p(3), (1, "child", 0): p(3)})


def test_an_inverse_is_not_added_where_types_forbid_it_and_what_they_forbid_has_none():
    stored = {**FAMILY, "types": {"child": [["PER", "LOC"], ["LOC", "LOC"]]}}
    assert decode(["PER", "LOC"], {(0, "parent", 1): 1.0}, stored=stored) == approx({(0, "parent", 1): p(1)})
    assert set(decode(["LOC", "PER"], {(0, "parent", 1): 1.0}, stored=stored)) == {(0, "parent", 1), (1, "child", 0)}
    assert decode(["PER", "LOC"], {(0, "child", 1): 1.0, (1, "child", 0): -1}, stored=stored).keys() > {(0, "child", 1)}
    assert decode(["LOC", "PER"], {(0, "child", 1): 9.0}, stored=stored) == {}


def test_a_symmetric_label_goes_both_ways_and_inverses_of_inverses_are_not_added():
    """parent -> child -> born in: one step only."""
    stored = {"types": {}, "inverses": {"parent": "child", "child": "born in", "born in": "born in"}}
    found = decode(["PER"] * 2, {(0, "parent", 1): 1.0}, stored=stored)
    assert found == approx({(0, "parent", 1): p(1), (1, "child", 0): p(1)})
    found = decode(["PER"] * 2, {(0, "born in", 1): 2.0}, stored=stored)
    assert found == approx({(0, "born in", 1): p(2), (1, "born in", 0): p(2)})


def test_labels_are_limited_after_inverses_are_there():
    """The inverse, 3 above its threshold, takes the only place of (1, 0) from what is 2 above there."""
    margins = {(0, "parent", 1): 3.0, (1, "born in", 0): 2.0, (0, "born in", 1): 3.5}
    assert decode(["PER"] * 2, margins, stored={**FAMILY, "types": {}}, max_labels=1) == approx(
        {(0, "born in", 1): p(3.5), (1, "child", 0): p(3)}
    )


def slow_decoder(types, margins, stored, thresholds, max_labels, calibration) -> Found:
    scale, offsets = calibration or (1.0, [0.0] * len(LABELS))
    known = {name for x in stored["types"].values() for pair in x for name in pair}
    excess, scores = {}, {}
    for (h, label, t), margin in margins.items():
        allowed = stored["types"].get(label)
        if allowed is None or not known.issuperset((types[h], types[t])) or [types[h], types[t]] in allowed:
            excess[h, label, t] = margin - thresholds[LABELS.index(label)]
            scores[h, label, t] = p(scale * margin + offsets[LABELS.index(label)])
    added: dict[tuple, list] = {}
    for (h, label, t), far in excess.items():
        inverse = (t, stored["inverses"].get(label), h)
        if far > 0 and inverse in excess:
            added.setdefault(inverse, []).append((far, scores[h, label, t]))
    for cell, sources in added.items():
        excess[cell] = max(excess[cell], *(far for far, _ in sources))
        scores[cell] = max(scores[cell], *(score for _, score in sources))
    found = {}
    for h, t in sorted({(h, t) for h, _, t in margins}):
        cells = [(-excess[h, x, t], i, x) for i, x in enumerate(LABELS) if excess.get((h, x, t), 0) > 0]
        found.update({(h, x, t): scores[h, x, t] for *_, x in sorted(cells)[:max_labels]})
    return found


QUARTERS = st.integers(-12, 12).map(lambda x: x / 4)
BY_LABEL = st.lists(QUARTERS, min_size=3, max_size=3)
PAIRS = st.lists(st.sampled_from([["A", "A"], ["A", "B"], ["B", "A"], ["B", "B"]]), max_size=3)
TYPES, INVERSES = (st.dictionaries(st.sampled_from(LABELS), x) for x in (PAIRS, st.sampled_from(LABELS)))


@pytest.mark.parametrize("with_rules", [False, True])
@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(st.sampled_from("ABC"), max_size=4), BY_LABEL, st.integers(1, 3), st.data())
def test_equals_loops(with_rules, types, limits, max_labels, data):
    """Margins and thresholds of quarters, so that there are many ties."""
    cells = [(h, x, t) for h in range(len(types)) for t in range(len(types)) for x in LABELS if h != t]
    margins = dict(zip(cells, data.draw(st.lists(QUARTERS, min_size=len(cells), max_size=len(cells)))))
    calibration = data.draw(st.none() | st.tuples(st.floats(0.5, 2), BY_LABEL))
    stored = {"types": data.draw(TYPES), "inverses": data.draw(INVERSES)} if with_rules else None
    changes = {"calibration": calibration and (calibration[0], np.float32(calibration[1])), "max_labels": max_labels}
    found = decode(types, margins, stored=stored, thresholds=np.float32(limits), **changes)
    expected = slow_decoder(types, margins, stored or NO_RULES, limits, max_labels, calibration)
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_decoder_is_made_of_what_a_component_knows():
    """PowerBCE decides where p² = ½; a label that nothing is known of has no offset of its own."""
    loss = build_loss("spacy-docre.PowerBCE.v1")
    cfg = {"labels": LABELS, "label_offsets": {"child": 0.5}, "schema": FAMILY}
    make = partial(make_decoder, loss, threshold_offset=0.25, max_labels=2)
    decoder = make(cfg, schema=None)
    assert decoder.thresholds == pytest.approx(loss.decision_margin + 0.25 + np.array([0, 0.5, 0]))
    assert (decoder.max_labels, decoder.calibration, decoder.rules) == (2, None, None)
    calibration = {"scale": 2.0, "offsets": {"born in": 3.0, "parent": 1.0, "child": 2.0}}
    scale, offsets = make({**cfg, "calibration": calibration}, schema=None).calibration
    assert (scale, offsets.tolist()) == (2.0, [1.0, 2.0, 3.0])
    assert make(cfg, schema=Schema(None, types=True, inverses=False)).rules.inverse.tolist() == [-1] * 3
    assert make({"labels": LABELS}, schema=Schema(None, types=True, inverses=True)).rules is None


def component(nlp):
    return nlp.get_pipe("docre_relations")


def predictions(nlp) -> list[dict]:
    return [scored(nlp(unlabelled(make(nlp.vocab)))) for make in (make_doc, make_hopper_doc)]


@pytest.fixture(scope="module")
def born(tmp_path_factory) -> Path:
    """A pipeline that has learned two documents, without rules; the label "birthplace of" is in none."""
    nlp = hash_pipeline()
    component(nlp).add_label(BIRTHPLACE)
    overfit(nlp)
    assert "schema" not in component(nlp).cfg
    nlp.to_disk(folder := tmp_path_factory.mktemp("born"))
    return folder


@pytest.fixture
def rules_file(tmp_path) -> Path:
    """Only organisations die in a place."""
    rules = {"types": {"place of death": [["ORG", "LOC"], ["PER", "ORG"]]}, "inverses": {"place of birth": BIRTHPLACE}}
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf8")
    return tmp_path / "rules.json"


def load(folder: Path, rules: Path, **schema):
    schema = {**SCHEMA, "path": str(rules), **schema}
    return spacy.load(folder, config={"components": {"docre_relations": {"schema": schema}}})


def test_a_trained_pipeline_keeps_to_rules_of_a_file_that_it_was_trained_without(born, rules_file):
    """Ada's city is the birthplace of Ada, as surely as she was born there; Grace Hopper dies no more."""
    plain_ada, plain_hopper = plain = predictions(spacy.load(born))
    assert set(plain_ada) == triples(make_doc())
    ada, hopper = predictions(load(born, rules_file))
    assert ada == approx({**plain_ada, ("1", BIRTHPLACE, "0"): plain_ada["0", "place of birth", "1"]})
    assert hopper == approx({key: x for key, x in plain_hopper.items() if key[1] != "place of death"})
    assert len(hopper) == len(plain_hopper) - 1
    assert predictions(load(born, rules_file, types=False, inverses=False)) == plain


def with_rules(**schema):
    """All that its rules allow is predicted."""
    nlp = hash_pipeline(schema={**SCHEMA, **schema}, threshold_offset=-1e6, max_labels_per_pair=9)
    return initialised(nlp, two_examples(nlp) * 10)


@pytest.mark.parametrize("reload", RELOAD)
def test_rules_are_learned_at_initialize_and_saved(tmp_path, reload):
    nlp = reload(with_rules(), tmp_path / "saved")
    places = {f"place of {x}": [["PER", "LOC"]] for x in ("birth", "death")}
    founding = {"founded by": [["ORG", "PER"]], "founder of": [["PER", "ORG"]]}
    inverses = {"colleague": "colleague", "founded by": "founder of", "founder of": "founded by"}
    types = {"colleague": [["PER", "PER"]], **places, **founding}
    assert component(nlp).cfg["schema"] == {"types": types, "inverses": inverses}
    lived = {(person, label, "1") for person in "02" for label in places}
    assert set(predictions(nlp)[0]) == {*lived, ("0", "colleague", "2"), ("2", "colleague", "0")}


def test_rules_of_a_file_are_not_learned_and_the_file_may_go(rules_file, tmp_path):
    stored = read_schema(rules_file)
    from_folder(with_rules(path=str(rules_file)), tmp_path / "saved")
    rules_file.unlink()
    nlp = spacy.load(tmp_path / "saved")
    assert component(nlp).cfg["schema"] == stored
    assert "place of death" not in {label for _, label, _ in predictions(nlp)[0]}  # no organisation is there


def test_rules_that_were_given_in_loading_are_saved_too(born, rules_file, tmp_path):
    from_folder(load(born, rules_file), tmp_path / "saved")
    rules_file.unlink()
    assert ("1", BIRTHPLACE, "0") in predictions(spacy.load(tmp_path / "saved"))[0]


def test_a_file_given_in_loading_takes_the_place_of_learned_rules(rules_file, tmp_path):
    with_rules().to_disk(tmp_path / "saved")
    assert ("0", "place of death", "1") not in predictions(load(tmp_path / "saved", rules_file))[0]


def test_copied_weights_leave_the_learned_rules(born):
    nlp = with_rules()
    expected = component(nlp).cfg["schema"]
    create_copy_weights_v1(str(born), ["docre_relations"])(nlp)
    assert component(nlp).cfg.get("schema") == expected


def decided(path: Path):
    """Nobody is a colleague; scores are σ(½ · margin + 1)"""
    nlp = spacy.load(path)
    scores = {"scale": 0.5, "offsets": dict.fromkeys(component(nlp).labels, 1.0)}
    component(nlp).cfg.update(label_offsets={"colleague": 1e6}, calibration=scores)
    return nlp


@pytest.mark.parametrize("reload", RELOAD)
def test_thresholds_and_calibration_are_saved_and_new_weights_forget_them(born, tmp_path, reload):
    plain = predictions(spacy.load(born))[0]["0", "place of birth", "1"]
    score = p(0.5 * log(plain / (1 - plain)) + 1)
    nlp = reload(decided(born), tmp_path / "saved")
    assert predictions(nlp)[0] == pytest.approx({("0", "place of birth", "1"): score}, abs=1e-4)
    component(nlp).cfg["schema"] = FAMILY
    assert set(component(initialised(nlp)).cfg) == {"labels", "types"}


def test_loading_over_a_component_forgets_its_thresholds(born):
    nlp = decided(born)
    nlp.from_disk(born)
    assert predictions(nlp) == predictions(spacy.load(born))
