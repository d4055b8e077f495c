"""Teachers' logits beside a Doc: what they survive, and how they are put in another order."""

import pickle

import numpy as np
import pytest
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_docre.annotations import TEACHERS_KEY, SoftLabels, get_soft_labels, set_soft_labels
from spacy_docre.features.pair_batch import off_diagonal

from ..conftest import make_doc

LABELS = ("colleague", "place of birth")


def soft(n_entities: int = 3, *, teacher: str = "a", labels=LABELS, seed: int = 0) -> SoftLabels:
    """Numbers that float16 keeps as they are; entities are "e0", "e1", …"""
    ids = tuple(f"e{i}" for i in range(n_entities))
    shape = (n_entities * max(0, n_entities - 1), 1 + len(labels))
    logits = np.random.default_rng(seed).integers(-64, 64, shape) / 8
    return SoftLabels(teacher, tuple(labels), ids, logits.astype(np.float16))


def assert_same(found: SoftLabels, expected: SoftLabels) -> None:
    assert (found.teacher, found.labels, found.entity_ids) == (expected.teacher, expected.labels, expected.entity_ids)
    assert found.logits.dtype == np.float16
    assert np.array_equal(found.logits, expected.logits)


WAYS = {
    "as it is": lambda doc: doc,
    "to_bytes": lambda doc: Doc(Vocab()).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc: next(DocBin(store_user_data=True, docs=[doc]).get_docs(Vocab())),
    "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
    "copy": lambda doc: doc.copy(),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("n_entities", [0, 1, 2, 7])
def test_two_teachers_survive(way, n_entities):
    """Documents without entities, or with one, have no rows and keep their columns."""
    doc = make_doc()
    teachers = [soft(n_entities), soft(n_entities, teacher="b", seed=1)]
    set_soft_labels(doc, teachers)
    found = get_soft_labels(way(doc))
    assert len(found) == 2
    for one, other in zip(found, teachers):
        assert_same(one, other)
        assert one.logits.shape == (n_entities * max(0, n_entities - 1), 3)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_came_back_can_be_set_again(way):
    """DocBin brings lists back as tuples."""
    doc = make_doc()
    set_soft_labels(doc, [soft()])
    other = way(doc)
    set_soft_labels(other, get_soft_labels(other))
    assert_same(get_soft_labels(way(other))[0], soft())


def test_logits_of_20_entities_take_two_bytes_each():
    """380 pairs, 79 columns: 60 kB"""
    doc = make_doc()
    set_soft_labels(doc, [soft(20, labels=[f"P{i}" for i in range(78)])])
    size = len(srsly.msgpack_dumps(doc.user_data[TEACHERS_KEY]))
    assert 380 * 79 * 2 < size < 62_000


def test_infinite_labels_in_unicode_survive():
    doc = make_doc()
    set_soft_labels(doc, [soft(2, labels=["né à", "", "a, b"], teacher="päth/to — teacher")])
    assert_same(
        get_soft_labels(WAYS["DocBin"](doc))[0], soft(2, labels=["né à", "", "a, b"], teacher="päth/to — teacher")
    )


def test_nobody_has_said_anything():
    assert get_soft_labels(make_doc()) == ()


def test_new_ones_take_the_place_of_earlier_ones():
    doc = make_doc()
    set_soft_labels(doc, [soft()])
    set_soft_labels(doc, [soft(2, teacher="b")])
    assert [s.teacher for s in get_soft_labels(doc)] == ["b"]
    set_soft_labels(doc, [])
    assert get_soft_labels(doc) == ()


@pytest.mark.parametrize("shape", [(6, 2), (5, 3), (3, 3), (18,), (0, 3)])
def test_logits_that_do_not_fit_are_refused(shape):
    """3 entities have 6 pairs, 2 labels and the threshold 3 columns; what was there stays."""
    doc = make_doc()
    set_soft_labels(doc, [soft()])
    bad = SoftLabels("bad", LABELS, ("0", "1", "2"), np.zeros(shape, dtype=np.float16))
    with pytest.raises(ValueError, match=r"docre-E111.*'bad'.*expected \(6, 3\)"):
        set_soft_labels(doc, [soft(), bad])
    assert [s.teacher for s in get_soft_labels(doc)] == ["a"]


def test_logits_that_are_no_numbers_are_refused():
    """Read back they would be pairs that the teacher has not seen."""
    doc = make_doc()
    logits = np.zeros((6, 3), dtype=np.float32)
    logits[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"docre-E145.*'bad'.*1 of 18 logits of 'Ada.*float32"):
        set_soft_labels(doc, [SoftLabels("bad", LABELS, ("0", "1", "2"), logits)])
    assert get_soft_labels(doc) == ()


def test_aligned_by_hand():
    """Entities turned round: pair (0, 1) of two was (1, 0) before; labels turned round, the threshold stays first."""
    logits = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float16)
    both = SoftLabels("a", LABELS, ("x", "y"), logits)
    assert both.aligned(["x", "y"], LABELS).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert both.aligned(["y", "x"], LABELS).tolist() == [[4, 5, 6], [1, 2, 3]]
    assert both.aligned(["x", "y"], LABELS[::-1]).tolist() == [[1, 3, 2], [4, 6, 5]]
    assert both.aligned(["x", "y"], LABELS[1:]).tolist() == [[1, 3], [4, 6]]
    assert both.aligned(["x", "y"], []).tolist() == [[1], [4]]
    assert both.aligned(["x", "y"], LABELS).dtype == np.float32


def test_pairs_with_an_entity_that_the_teacher_has_not_seen_are_nan():
    """Of (x, ?) (x, y) (?, x) (?, y) (y, x) (y, ?) the teacher knows the second and the fifth."""
    both = SoftLabels("a", LABELS[:1], ("x", "y"), np.array([[1, 2], [3, 4]], dtype=np.float16))
    found = both.aligned(["x", "?", "y"], LABELS[:1])
    assert np.isnan(found[[0, 2, 3, 5]]).all()
    assert found[[1, 4]].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("ids", [["?"], ["?", ""], ["e0"], []])
def test_nothing_in_common_with_the_teacher(ids):
    found = soft().aligned(ids, LABELS)
    assert found.shape == (len(ids) * max(0, len(ids) - 1), 3)
    assert np.isnan(found).all()


@pytest.mark.parametrize("n_entities", [0, 1])
def test_a_teacher_without_pairs(n_entities):
    assert soft(n_entities).aligned([f"e{i}" for i in range(n_entities)], LABELS).shape == (0, 3)
    assert np.isnan(soft(n_entities).aligned(["e0", "?"], LABELS)).all()


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.permutations(range(6)), st.integers(0, 6), st.permutations(range(4)), st.integers(1, 4))
def test_aligned_equals_a_search_pair_by_pair(entities, n_entities, labels, n_labels):
    """The teacher knows entities e0 to e4 and four labels; some are asked for, in any order, e5 among them."""
    teacher = soft(5, labels="abcd")
    cells = {
        (f"e{head}", f"e{tail}", label): teacher.logits[row, column]
        for row, (head, tail) in enumerate(zip(*off_diagonal(5)))
        for column, label in enumerate(["", *"abcd"])
    }
    ids = [f"e{i}" for i in entities[:n_entities]]
    names = ["abcd"[i] for i in labels[:n_labels]]
    expected = [
        [cells.get((ids[head], ids[tail], label), np.nan) for label in ["", *names]]
        for head, tail in zip(*off_diagonal(n_entities))
    ]
    found = teacher.aligned(ids, names)
    assert np.array_equal(found, np.array(expected, dtype=np.float32).reshape(-1, 1 + n_labels), equal_nan=True)


def test_aligning_does_not_touch_the_stored_logits():
    doc = make_doc()
    set_soft_labels(doc, [soft()])
    aligned = get_soft_labels(doc)[0].aligned(["e0", "e1", "e2"], LABELS)
    aligned += 1
    assert_same(get_soft_labels(doc)[0], soft())


def test_labels_that_the_teacher_lacks_are_listed():
    with pytest.raises(ValueError, match=r"docre-E110.*'a' does not know 2 of .*: spouse, né à\. "):
        soft().aligned(["e0", "e1"], ["spouse", "colleague", "né à"])
