"""Platt scaling of margins: by hand, against scikit-learn, and on what a real pipeline says of documents."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities, set_relations
from spacy_docre.annotations import get_triples
from spacy_docre.features.pair_batch import off_diagonal
from spacy_docre.inference.calibration import BATCH_SIZE, CENTRES, EDGES, calibrate, count_margins, fit
from spacy_docre.inference.teacher import Teacher

from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, make_hopper_doc, overfit, unlabelled

HALF_BIN = (EDGES[1] - EDGES[0]) / 2


def p(log_odds):
    return 1 / (1 + np.exp(-np.asarray(log_odds, dtype=float)))


def smoothed(counts) -> np.ndarray:
    """Platt's targets: what the fit wants at each margin, instead of how many are true."""
    false, true = np.asarray(counts, dtype=float)
    return true * (true.sum() + 1) / (true.sum() + 2) + false / (false.sum() + 2)


def two_points(n_false: float, n_true: float, margin: float = 1.0) -> tuple[float, float]:
    """False ones at -margin, true ones at +margin."""
    return fit(np.array([[n_false, 0.0], [0.0, n_true]]), [-margin, margin])


def test_two_points_by_hand():
    """3 false at -1 have the target 1/5, 1 true at +1 has 2/3: scale + offset = log 2, offset - scale = -log 4"""
    assert two_points(3, 1) == pytest.approx((1.5 * log(2), -0.5 * log(2)))


@pytest.mark.parametrize("n", [1, 50, 10**6])
def test_what_is_separable_and_symmetric_is_finite_and_in_the_middle(n):
    """n at either side: targets 1/(n + 2) and (n + 1)/(n + 2), so a log odds of ±log(n + 1)"""
    assert two_points(n, n) == pytest.approx((log(n + 1), 0), abs=1e-6)


@pytest.mark.parametrize("margin", [0.3, 1.0, 5.0, CENTRES[-1]])
@pytest.mark.parametrize(("n_false", "n_true"), [(1, 1), (10**6, 1), (10**6, 10**4), (5, 10**5), (0, 7)])
def test_separable_margins_are_finite_wherever_they_are(n_false, n_true, margin):
    scale, offset = two_points(n_false, n_true, margin)
    assert np.isfinite([scale, offset]).all()
    assert p(scale * margin + offset) == pytest.approx((n_true + 1) / (n_true + 2), abs=1e-6)
    if n_false:
        assert p(offset - scale * margin) == pytest.approx(1 / (n_false + 2), abs=1e-6)


def test_margins_that_say_nothing():
    """A quarter is true at either margin, less Platt's smoothing: the offset alone says so."""
    scale, offset = fit(np.array([[3e6, 3e6], [1e6, 1e6]]), [-2, 2])
    assert scale == pytest.approx(0, abs=1e-6)
    assert offset == pytest.approx(-log(3), abs=1e-5)


def test_a_teacher_that_says_the_opposite_has_a_negative_scale():
    false, true = np.array([[10.0, 40.0], [40.0, 10.0]])
    assert fit(np.stack([false, true]), [-1, 1])[0] == pytest.approx(-fit(np.stack([true, false]), [-1, 1])[0])
    assert fit(np.stack([false, true]), [-1, 1])[0] < 0


@pytest.mark.parametrize("known", [(1.5, -1.0), (1.0, 0.0), (0.05, 0.3), (0.3, -6.0), (12.0, 3.0), (-0.7, 0.4)])
def test_known_scale_and_offset_are_found_in_expected_counts(known):
    """Of a hundred million cells at each margin, exactly σ(scale · margin + offset) are true."""
    margins = np.linspace(-8, 8, 161)
    share = p(known[0] * margins + known[1])
    assert fit(1e8 * np.stack([1 - share, share]), margins) == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize("known", [(1.5, -1.0), (0.4, -3.0)])
def test_known_scale_and_offset_are_found_in_sampled_cells(known):
    """From margins to bins to scale and offset, to the precision of 200 000 cells."""
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 3, size=(40_000, 5)).astype(np.float32)
    true = rng.random(margins.shape) < p(known[0] * margins + known[1])
    assert fit(count_margins(margins, np.nonzero(true))) == pytest.approx(known, abs=0.05)


@pytest.mark.parametrize(("spread", "mean"), [(2.0, 0.0), (0.5, -1.0), (6.0, -8.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_agrees_with_scikit_learn(spread, mean, seed):
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(seed)
    margins = rng.normal(mean, spread, size=20_000).astype(np.float32)
    true = rng.random(len(margins)) < p(0.8 * margins + 0.5)
    regression = linear_model.LogisticRegression(C=1e9, tol=1e-8).fit(margins[:, None], true)
    found = fit(count_margins(margins[:, None], (np.flatnonzero(true), np.zeros(true.sum(), dtype=np.int64))))
    assert found == pytest.approx((regression.coef_.item(), regression.intercept_.item()), abs=1e-2)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 99)), min_size=13, max_size=13))
def test_the_mean_probability_and_the_mean_margin_are_those_of_the_targets(counts):
    """What logistic regression is: Σ p = Σ target, Σ margin · p = Σ margin · target"""
    array = np.array([*counts, (1, 0)], dtype=float).T
    margins = np.arange(-6, 8)
    scale, offset = fit(array, margins)
    found = array.sum(0) * p(scale * margins + offset)
    assert found.sum() == pytest.approx(smoothed(array).sum(), abs=1e-4)
    assert margins @ found == pytest.approx(margins @ smoothed(array), abs=1e-4)


def test_the_order_of_margins_is_irrelevant_and_equal_ones_may_stand_apart():
    counts, margins = np.array([[9.0, 5.0, 2.0], [1.0, 2.0, 8.0]]), np.array([-1.0, 0.5, 2.0])
    turned = fit(counts[:, ::-1], margins[::-1])
    apart = fit(np.tile(counts / 2, 2), np.tile(margins, 2))
    assert turned == pytest.approx(fit(counts, margins))
    assert apart == pytest.approx(fit(counts, margins))


def positive(*cells: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    return rows, columns


def margins_of(counts) -> list[float]:
    """The margins that were counted, to half a bin, each as often as it was."""
    return np.repeat(CENTRES, counts.astype(int)).tolist()


def test_cells_are_counted_by_margin_and_by_whether_they_are_true():
    """Two pairs, three labels; true are the second label of the first pair and the third of the second."""
    margins = np.array([[-2, 1.5, 0.25], [3, -2, 7]], dtype=np.float32)
    counts = count_margins(margins, positive((0, 1), (1, 2)))
    assert counts.shape == (2, len(CENTRES))
    assert margins_of(counts[0]) == pytest.approx([-2, -2, 0.25, 3], abs=1.01 * HALF_BIN)
    assert margins_of(counts[1]) == pytest.approx([1.5, 7], abs=1.01 * HALF_BIN)


@pytest.mark.parametrize(
    ("margin", "counted_as"),
    [(1e6, 40), (-1e6, -40), (np.inf, 40), (-np.inf, -40), (40, 40), (-40, -40), (40.001, 40), (0, 0), (-1e-6, 0)],
)
@pytest.mark.parametrize("true", [True, False])
def test_no_cell_is_lost_at_the_edges(margin, counted_as, true):
    counts = count_margins(np.array([[margin, 1]], dtype=np.float32), positive(*[(0, 0)] * true))
    assert counts.sum() == 2
    assert counts[1].sum() == true
    assert min(abs(x - counted_as) for x in margins_of(counts.sum(0))) <= 1.01 * HALF_BIN


def test_counting_equals_a_search_for_the_nearest_centre():
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 20, size=(30, 4)).astype(np.float32)
    true = rng.random(margins.shape) < 0.3
    expected = np.zeros((2, len(CENTRES)))
    for margin, is_true in zip(margins.flat, true.flat):
        expected[int(is_true), np.abs(CENTRES - margin).argmin()] += 1
    assert np.array_equal(count_margins(margins, np.nonzero(true)), expected)


def test_a_relation_that_stands_twice_is_one_cell():
    assert count_margins(np.zeros((1, 1), dtype=np.float32), positive((0, 0), (0, 0))).sum(1).tolist() == [0, 1]


def test_documents_without_pairs_count_nothing():
    assert not count_margins(np.zeros((0, 3), dtype=np.float32), positive()).any()


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Teacher:
    """It has learned a little, so that its margins overlap."""
    nlp = hash_pipeline()
    overfit(nlp, steps=5)
    folder = tmp_path_factory.mktemp("model") / "teacher"
    nlp.to_disk(folder)
    return Teacher(str(folder))


def documents() -> list:
    """With relations, without any, and with too few entities for them."""
    return [make_doc(), make_hopper_doc(), *(crowd(Vocab(), n, status="complete") for n in (0, 1, 2, 5))]


def examples_of(teacher: Teacher, docs) -> list[Example]:
    return [Example(unlabelled(doc, teacher.nlp.vocab), doc) for doc in docs]


def cells_of(teacher: Teacher, docs) -> tuple[np.ndarray, np.ndarray]:
    """Margin and truth of every pair and label, cell by cell, one document at a time."""
    cells = []
    for doc in docs:
        ids, triples = [e.id for e in get_entities(doc)], set(get_triples(doc))
        (logits,) = teacher.logits([unlabelled(doc, teacher.nlp.vocab)])
        for row, (head, tail) in zip(logits, zip(*off_diagonal(len(ids)))):
            for label, logit in zip(teacher.labels, row[1:]):
                cells.append((logit - row[0], (ids[head], label, ids[tail]) in triples))
    margins, true = zip(*cells)
    return np.array(margins, dtype=float), np.array(true)


@pytest.mark.parametrize("n_copies", [1, 7])
def test_it_is_the_fit_of_the_teachers_own_margins(teacher, n_copies):
    """To the width of a bin; 42 documents are more than one batch."""
    docs = documents() * n_copies
    assert n_copies == 1 or len(docs) > BATCH_SIZE
    margins, true = cells_of(teacher, docs)
    assert true.sum() == 6 * n_copies
    found = calibrate(teacher, examples_of(teacher, docs))
    assert found == pytest.approx(fit(np.stack([~true, true]).astype(float), margins), abs=2e-2)


def test_the_mean_probability_is_the_share_of_true_cells(teacher):
    """But for Platt's smoothing, which is less than one relation, and for the width of a bin."""
    margins, true = cells_of(teacher, documents())
    scale, offset = calibrate(teacher, examples_of(teacher, documents()))
    found = p(scale * margins + offset)
    assert found.sum() == pytest.approx(smoothed(np.stack([~true, true])).sum(), rel=1e-2)
    assert abs(found.sum() - true.sum()) < 1
    assert abs(found.sum() - true.sum()) < abs(p(margins).sum() - true.sum())


def test_documents_are_streamed_and_stay_as_they_are(teacher):
    """Their order is irrelevant, and the teacher says the same afterwards."""
    examples = examples_of(teacher, documents())
    before = [eg.reference.to_bytes() for eg in examples]
    found = calibrate(teacher, iter(examples))
    assert [eg.reference.to_bytes() for eg in examples] == before
    assert calibrate(teacher, examples_of(teacher, documents()[::-1])) == pytest.approx(found, abs=2e-2)
    assert teacher.calibration == (1.0, 0.0)


def test_entities_of_the_prediction_may_have_another_order_and_other_ids(teacher):
    """A cell is true if its mentions are those of a relation, whatever the entities are called."""
    examples = examples_of(teacher, documents())
    for example in examples:
        entities = get_entities(example.predicted)[::-1]
        set_entities(example.predicted, entities, ids=[f"e{i}" for i in range(len(entities))])
    expected = calibrate(teacher, examples_of(teacher, documents()))
    assert calibrate(teacher, examples) == pytest.approx(expected, abs=2e-2)


def test_relations_that_the_teacher_does_not_know_are_no_relations(teacher):
    docs = documents()
    triples = list(get_triples(docs[0]))
    set_relations(docs[0], [*triples, ("0", "spouse", "1")], status="complete")
    assert calibrate(teacher, examples_of(teacher, docs)) == calibrate(teacher, examples_of(teacher, documents()))


@pytest.mark.parametrize("status", ["incomplete", "distant", "none"])
def test_documents_that_are_not_completely_labelled_are_refused(teacher, status):
    docs = [*documents(), crowd(Vocab(), 2, status=status)]
    with pytest.raises(ValueError, match=rf"docre-E127.*the labels of .* are '{status}':"):
        calibrate(teacher, examples_of(teacher, docs))


def only_unknown():
    doc = make_doc()
    set_relations(doc, [("0", "spouse", "1")], status="complete")
    return [doc]


@pytest.mark.parametrize(
    "docs", [[], [crowd(Vocab(), 4, status="complete")], only_unknown()], ids=["nothing", "none", "unknown"]
)
def test_without_a_relation_that_the_teacher_knows_there_is_nothing_to_learn(teacher, docs):
    with pytest.raises(ValueError, match="docre-E128"):
        calibrate(teacher, examples_of(teacher, docs))


def test_a_teacher_that_says_the_opposite_is_left_as_it_is(teacher, monkeypatch):
    straight = teacher.logits
    monkeypatch.setattr(teacher, "logits", lambda docs: [-rows for rows in straight(docs)])
    with pytest.warns(UserWarning, match=r"docre-W014.*scale of -"):
        assert calibrate(teacher, examples_of(teacher, documents())) == (1.0, 0.0)
