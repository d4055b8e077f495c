"""Thresholds and calibrated scores: by hand, and on what a real pipeline says of generated documents."""

from dataclasses import astuple
from math import log

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_docre import get_relations, set_entities, set_relations
from spacy_docre.annotations import get_triples, set_label_status
from spacy_docre.features.pair_batch import off_diagonal
from spacy_docre.inference.calibration import CENTRES, count_margins, fit, margin_bins
from spacy_docre.inference.teacher import Teacher
from spacy_docre.inference.thresholds import (
    add_cells,
    calibration_error,
    choose_cut,
    choose_thresholds,
    fit_labels,
    reliability,
)
from spacy_docre.scoring.relation_scorer import score_relations

from ..pipelines import hash_pipeline, overfit, unlabelled
from .test_calibration import p

WORDS = "Ada Lovelace Grace Hopper London was born in died she founded the Navy worked with Charles . York".split()
SHIFT = (3.0, 0.0, -1.0, -3.0, 3.0)  # how much more often than its margins say a label is true


def cut_of(true: list, false: list, probability: list, *, n_gold: int, precision: float | None = None):
    """One row for each label."""
    cut, curve = choose_cut(np.array([false, true]), np.array(probability), n_gold, precision)
    return cut, curve.round(4).tolist()


def test_the_cut_with_the_best_f1_by_hand():
    """F1 of 2·1/(1 + 2), 2·2/(3 + 2) and 2·2/(8 + 2)"""
    args = [[1, 1, 0]], [[0, 1, 5]], [[0.9, 0.6, 0.2]]
    assert cut_of(*args, n_gold=2) == (0.6, [[1, 0.6667, 0.25], [0.5, 1, 1]])
    assert cut_of(*args, n_gold=8) == (0.6, [[1, 0.6667, 0.25], [0.125, 0.25, 0.25]])  # 6 are of no pair


@pytest.mark.parametrize(("precision", "expected"), [(1, 0.9), (0.75, 0.3), (0.7, 0.3), (0.55, 0.1), (0, 0.1)])
def test_the_lowest_cut_with_a_precision_by_hand(precision, expected):
    """1/1, 1/2, 6/8 and 6/10: what it falls below for a while is no reason to stop."""
    args = [[1, 0, 5, 0]], [[0, 1, 1, 2]], [[0.9, 0.6, 0.3, 0.1]]
    assert cut_of(*args, n_gold=9, precision=precision)[0] == expected


def test_a_precision_that_no_cut_has_is_said_with_the_highest():
    with pytest.raises(ValueError, match=r"docre-E133.* 0\.9: the highest on these documents is 0\.667"):
        cut_of([[0, 4]], [[1, 1]], [[0.9, 0.6]], n_gold=4, precision=0.9)


def test_equal_probabilities_are_not_split():
    """Of two labels, or of one: the 1 + 1 true ones at 0.6 come with 3 false ones, or not at all."""
    found = cut_of([[1, 1], [0, 1]], [[0, 0], [2, 3]], [[0.9, 0.6], [0.2, 0.6]], n_gold=3)
    assert found == (0.6, [[1, 0.5, 0.375], [0.3333, 1, 1]])
    assert cut_of([[1, 1]], [[0, 9]], [[0.5, 0.5]], n_gold=2, precision=0) == (0.5, [[0.1818], [1]])


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9))
def test_the_cut_equals_a_search(cells):
    """cells: probability in tenths, and how many are true and false there; beside one that is true"""
    probability, true, false = (np.array(x)[None] for x in zip((3, 1, 0), *cells))
    n_gold = int(true.sum()) + 1
    best = {}
    for cut in {3, *(x for x, *found in cells if any(found))}:
        chosen = np.array([found for x, *found in [(3, 1, 0), *cells] if x >= cut]).sum(0)
        best[cut] = 2 * chosen[0] / (chosen.sum() + n_gold)
    cut, curve = choose_cut(np.stack([false, true]), probability / 10, n_gold, None)
    assert best[round(cut * 10)] == pytest.approx(max(best.values()))
    assert curve.shape == (2, len(best))


def test_reliability_by_hand():
    """Predicted are 10 at 0.95 (9 are true), 4 at 0.92 and 0.98 (2), 3 at 1 (all), and 10 at 0.31 (none)."""
    probability = np.array([[0.95, 0.31, 0.29], [0.92, 0.98, 1.0]])
    counts = np.array([[[1, 10, 5], [2, 0, 0]], [[9, 0, 0], [0, 2, 3]]])
    found = reliability(counts, probability >= 0.3, probability)
    assert found[:, 9].tolist() == pytest.approx([(9.5 + 1.84 + 1.96 + 3) / 17, 14 / 17, 17])
    assert found[:, 3].tolist() == pytest.approx([0.31, 0, 10])
    assert calibration_error(found) == pytest.approx(((16.3 - 14) + 3.1) / 27)
    assert calibration_error(np.zeros((3, 10))) == 0


def sampled(seed: int, offsets: list[float], n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Margins, and whether they are true with σ(0.8 · margin + offset): (n, n_labels)"""
    rng = np.random.default_rng(seed)
    margins = rng.normal(-1, 2, size=(n, len(offsets))).astype(np.float32)
    return margins, rng.random(margins.shape) < p(0.8 * margins + offsets)


def counted(margins: np.ndarray, true: np.ndarray) -> np.ndarray:
    """By label: (2, n_labels, n_bins)"""
    cells = [count_margins(m[:, None], (np.flatnonzero(t), np.zeros(t.sum(), int))) for m, t in zip(margins.T, true.T)]
    return np.stack(cells, axis=1).astype(np.int64)


DIFFERENT = counted(*sampled(0, [2, -3, 0.5]))


@pytest.mark.parametrize("shrinkage", [np.inf, 1e12])
def test_drawn_without_end_all_offsets_are_the_common_one(shrinkage):
    scale, offset, offsets = fit_labels(DIFFERENT, shrinkage)
    assert (scale, offset) == pytest.approx(fit(DIFFERENT.sum(1).astype(float)), abs=1e-3)
    assert offsets == pytest.approx([offset] * 3, abs=1e-6)


def test_a_single_label_agrees_with_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    margins, true = sampled(1, [0.5])
    regression = linear_model.LogisticRegression(C=1e9, tol=1e-8).fit(margins, true[:, 0])
    scale, offset, offsets = fit_labels(counted(margins, true), 1e-9)
    coef, intercept = regression.coef_.item(), regression.intercept_.item()
    assert (scale, offset, *offsets) == pytest.approx((coef, intercept, intercept), abs=1e-2)


def test_a_label_with_as_many_relations_as_the_shrinkage_is_half_way():
    """Margins that say nothing: 50 and 100 of 100 000 cells are true."""
    counts = np.zeros((2, 2, len(CENTRES)), dtype=np.int64)
    counts[:, :, margin_bins(np.float32([-1, 1]))] += np.array([[99_950, 99_900], [50, 100]])[..., None]
    _, offset, (rare, _) = fit_labels(counts, 100)
    assert rare == pytest.approx((offset + log(50 / 99_950)) / 2, abs=0.02)


@pytest.mark.parametrize("shrinkage", [1e-9, 0.1, 3.0, 32.0, 1e4])
def test_what_is_drawn_and_what_is_seen_are_in_balance(shrinkage):
    """Σ p - Σ true = shrinkage · (common - own); also for a label without a cell, and one that is never true."""
    counts = np.pad(counted(*sampled(2, [2, -3, -40], n=500)), ((0, 0), (0, 1), (0, 0)))
    scale, offset, offsets = fit_labels(counts, shrinkage)
    missing = (counts.sum(0) * p(scale * CENTRES + offsets[:, None])).sum(1) - counts[1].sum(1)
    assert missing == pytest.approx(shrinkage * (offset - offsets), abs=1e-5)


def test_scores_are_right_where_labels_differ():
    """As sampled: a scale of 0.8, and offsets of 2, -3 and ½."""
    scale, _, offsets = fit_labels(DIFFERENT, 0.1)
    assert (scale, *offsets) == pytest.approx((0.8, 2, -3, 0.5), abs=0.15)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """A pipeline that has learned a little, and predicts all that is above its thresholds."""
    nlp = hash_pipeline(max_labels_per_pair=9)
    overfit(nlp, steps=20)
    nlp.to_disk(path := tmp_path_factory.mktemp("model") / "teacher")
    return str(path)


@pytest.fixture
def teacher(folder) -> Teacher:
    return Teacher(folder)


def random_doc(rng, vocab) -> Doc:
    n = int(rng.integers(3, 7))
    doc = Doc(vocab, words=rng.choice(WORDS, 3 * n).tolist(), sent_starts=[True] + [False] * (3 * n - 1))
    types = rng.choice(["PER", "LOC", "ORG"], n).tolist()
    set_entities(doc, [[Span(doc, 3 * i, 3 * i + 1, label=x)] for i, x in enumerate(types)])
    return doc


def generated(teacher, n: int = 30, *, seed=0, scale=2.0, shift=SHIFT, sure: bool = False) -> list[Doc]:
    """Documents whose relations hold with σ(scale · margin + shift); sure: where that is above ½."""
    rng = np.random.default_rng(seed)
    docs = [random_doc(rng, teacher.nlp.vocab) for _ in range(n)]
    for doc, margins in zip(docs, margins_of(teacher, docs)):
        probability = p(scale * margins + shift)
        rows, labels = np.nonzero(probability > (0.5 if sure else rng.random(probability.shape)))
        head, tail = off_diagonal(len(doc) // 3)
        relations = [(str(head[i]), teacher.labels[j], str(tail[i])) for i, j in zip(rows, labels)]
        set_relations(doc, relations, status="complete")
    return docs


def margins_of(teacher, docs) -> list[np.ndarray]:
    return [logits[:, 1:] - logits[:, :1] for logits in teacher.logits([unlabelled(doc) for doc in docs])]


def cells_of(teacher, docs) -> list[tuple[np.ndarray, np.ndarray]]:
    """Margins, to the width of a bin, and truth, of each document's cells."""
    pairs = [[(str(h), x, str(t)) for h, t in zip(*off_diagonal(len(d) // 3)) for x in teacher.labels] for d in docs]
    true = [np.array([x in get_triples(doc) for x in found]) for found, doc in zip(pairs, docs)]
    return [(CENTRES[margin_bins(m.ravel())], x) for m, x in zip(margins_of(teacher, docs), true)]


def one_for_all(cells) -> tuple[float, float]:
    """The best F1 of one threshold for all margins, and that threshold."""
    margins, true = (np.concatenate(x) for x in zip(*cells))
    found = ((x, margins >= x) for x in set(margins.tolist()))
    return max((2 * true[above].sum() / (above.sum() + true.sum()), x) for x, above in found)


def examples(docs) -> list[Example]:
    return [Example(unlabelled(doc), doc) for doc in docs]


def evaluated(nlp, docs) -> tuple[float, ...]:
    predicted = nlp.pipe([unlabelled(doc) for doc in docs])
    scores = score_relations([Example(doc, gold) for doc, gold in zip(predicted, docs)])
    return tuple(scores[f"rel_micro_{x}"] for x in "prf")


@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_of_before_is_better(teacher, seed):
    """One threshold for all is the best there is; labels that are not alike gain from their own."""
    docs, seen = generated(teacher, 70, seed=seed), []
    common = choose_thresholds(teacher, iter(examples(docs)), per_label=False, on_progress=seen.append)
    assert sum(seen) == 70
    assert common.after.f1 == pytest.approx(one_for_all(cells_of(teacher, docs))[0], abs=1e-3)
    assert common.offsets.tolist() == [common.offset] * 5
    assert astuple(common.before) == pytest.approx(evaluated(teacher.nlp, docs))
    own = choose_thresholds(teacher, examples(docs), per_label=True)
    assert own.before == common.before
    assert min(own.after.f1, own.checked.f1) > common.after.f1 > common.before.f1


@pytest.mark.parametrize("sure", [True, False])
def test_documents_that_were_left_out_check_the_thresholds(teacher, sure):
    """sure: one threshold is right everywhere, but four folds do not say how low it has to be for the fifth."""
    docs = generated(teacher, 8, scale=1, shift=-1, sure=sure)
    cells, correct, predicted = cells_of(teacher, docs), 0, 0
    for fold in range(5):
        _, threshold = one_for_all([x for i, x in enumerate(cells) if i % 5 != fold])
        for margins, true in cells[fold::5]:
            correct += true[margins >= threshold].sum()
            predicted += (margins >= threshold).sum()
    found = choose_thresholds(teacher, examples(docs), per_label=False)
    n_gold = sum(true.sum() for _, true in cells)
    assert astuple(found.checked)[:2] == pytest.approx((correct / predicted, correct / n_gold))
    assert found.checked.f1 < found.after.f1
    assert (found.after.f1 == 1) == sure


def test_scores_of_a_pipeline_that_is_too_sure_become_right(teacher):
    """Where labels are alike."""
    found = choose_thresholds(teacher, examples(generated(teacher, 60, scale=0.3, shift=0)), per_label=True)
    assert found.error_after < 0.5 * found.error_before
    assert found.scale == pytest.approx(0.3, abs=0.1)


def test_gold_relations_that_no_pair_can_reach_are_missed(teacher):
    """Of a label that the pipeline does not know, and of an entity that was not found."""
    docs = generated(teacher)
    before = choose_thresholds(teacher, examples(docs), per_label=False)
    lost = random_doc(np.random.default_rng(9), docs[0].vocab)
    predicted = unlabelled(lost)
    set_relations(lost, [("0", "spouse", "1"), ("0", "colleague", "2")], status="complete")
    set_entities(predicted, [[predicted[3:4]]])
    found = choose_thresholds(teacher, [*examples(docs), Example(predicted, lost)], per_label=False)
    n_gold = sum(len(get_triples(doc)) for doc in docs)
    assert found.curve[0] == pytest.approx(before.curve[0])
    assert found.curve[1] == pytest.approx(before.curve[1] * n_gold / (n_gold + 2))


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_relations_that_rules_forbid_take_no_part_in_the_calibration(share):
    """Counted as ones of the lowest margin, they would draw the scale down."""
    rng = np.random.default_rng(0)
    margins = rng.normal(-2, 2, (40_000, 1)).astype(np.float32)
    true = rng.random(margins.shape) < p(margins)
    allowed = ~(true & (rng.random(margins.shape) < share))
    counts = np.zeros((2, 1, len(CENTRES)), dtype=np.int64)
    add_cells(counts, margins, np.nonzero(true), allowed)
    assert counts.sum() == allowed.sum()
    assert counts[1].sum() == (true & allowed).sum()
    scale, offset, _ = fit_labels(counts, np.inf)
    assert (scale, offset) == pytest.approx((1, 0), abs=0.04)


SETTINGS = [{"per_label": True}, {"per_label": False}, {"per_label": True, "precision": 0.9}]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("loss", ["AdaptiveFocal", "PowerBCE"])
def test_stored_thresholds_and_scores_are_those_of_the_saved_pipeline(folder, tmp_path, loss, settings):
    """PowerBCE decides at another margin than 0. Scores are the highest σ(scale · margin + offset)."""
    changed = {"components": {"docre_relations": {"loss": {"@losses": f"spacy-docre.{loss}.v1"}}}}
    spacy.load(folder, config=changed).to_disk(tmp_path / "before")
    teacher = Teacher(str(tmp_path / "before"))
    docs = generated(teacher)
    found = choose_thresholds(teacher, examples(docs), **settings)
    found.store(teacher)
    teacher.nlp.to_disk(tmp_path / "after")
    nlp = spacy.load(tmp_path / "after")
    assert nlp.get_pipe("docre_relations").decoder.thresholds == pytest.approx(found.margins)
    assert evaluated(nlp, docs) == pytest.approx(astuple(found.after), abs=0.01)
    scores = [r.score for doc in nlp.pipe([unlabelled(doc) for doc in docs]) for r in get_relations(doc)]
    expected = p(found.scale * np.concatenate(margins_of(teacher, docs)) + found.offsets)
    assert sorted(scores) == pytest.approx(sorted(expected.ravel())[-len(scores) :], abs=1e-4)
    assert min(scores) > found.cut - 0.01


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_scores_that_were_promised_are_those_of_an_evaluation(folder, settings):
    for seed in range(4):
        teacher = Teacher(folder)
        docs = generated(teacher, seed=seed)
        found = choose_thresholds(teacher, examples(docs), **settings)
        found.store(teacher)
        assert evaluated(teacher.nlp, docs) == pytest.approx(astuple(found.after))


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [({}, "incomplete", "E127"), ({"shift": -99}, "complete", "E128"), ({"scale": -1}, "complete", "E132")],
)
def test_what_teaches_no_thresholds_is_refused(teacher, changes, status, code):
    docs = generated(teacher, **changes)
    set_label_status(docs[-1], status)
    with pytest.raises(ValueError, match=f"docre-{code}"):
        choose_thresholds(teacher, examples(docs))
