"""Labels, label status and teachers to targets, worked out by hand."""

import warnings
from math import exp, log

import numpy as np
import pytest
from spacy import registry
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from thinc.api import Config

from spacy_docre import set_entities, set_relations
from spacy_docre.annotations import SoftLabels, set_soft_labels
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.features.targets import MODES, create_mixed_targets_v1

LABELS = {"a": 0, "b": 1}
# Two entities, so pairs (0, 1) and (1, 0). Thresholds 1 and -1; margins 2, -2 and 0, 3.
LOGITS = np.array([[1, 3, -1], [-1, -1, 2]], dtype=np.float16)
MARGINS = [[2, -2], [0, 3]]
GOLD = ("0", "b", "1")  # the teacher is rather sure that it does not hold
ONE = [[0, 1], [0, 0]]  # its cell


def p(margin: float) -> float:
    return 1 / (1 + exp(-margin))


def logit(probability: float) -> float:
    return log(probability / (1 - probability))


P = [[p(m) for m in row] for row in MARGINS]
ROUNDED = [[1, 0], [0, 1]]


def make(status: str, *teachers: SoftLabels, n_entities: int = 2) -> Doc:
    """Entities "0", "1", … and the gold relation."""
    doc = Doc(Vocab(), words=[f"w{i}" for i in range(n_entities + 1)])
    set_entities(doc, [[Span(doc, i, i + 1, label="X")] for i in range(n_entities)])
    set_relations(doc, [GOLD] if n_entities > 1 else [], status=status)
    set_soft_labels(doc, teachers)
    return doc


def teacher(logits=LOGITS, *, name: str = "first", ids=("0", "1"), labels=("a", "b")) -> SoftLabels:
    return SoftLabels(name, tuple(labels), tuple(ids), np.asarray(logits, dtype=np.float16))


def targets_of(*docs: Doc, mode: str = "teacher_soft", labels=LABELS, **settings):
    return create_mixed_targets_v1(mode=mode, **settings)(docs, docs, PairBatch.from_docs(docs), labels)


def assert_targets(found, values, known=None) -> None:
    """known: cells that say something, all by default; what the others have as value is nobody's business."""
    known = np.ones_like(values, dtype=bool) if known is None else np.array(known, dtype=bool)
    found_known = np.ones_like(known) if found.known is None else found.known
    assert found_known.tolist() == known.tolist()
    assert found.values.dtype == np.float32
    assert found.values[known] == pytest.approx(np.array(values, dtype=float)[known], abs=1e-6)


BY_HAND = {
    ("teacher_soft", "complete"): (ONE, None),
    ("teacher_soft", "incomplete"): ([[p(2), 1], [p(0), p(3)]], None),
    ("teacher_soft", "distant"): ([[0.75 * p(2), 0.25 + 0.75 * p(-2)], [0.375, 0.75 * p(3)]], None),
    ("teacher_soft", "none"): (P, None),
    ("teacher_union", "complete"): (ONE, None),
    ("teacher_union", "incomplete"): ([[1, 1], [0, 1]], None),
    ("teacher_union", "distant"): ([[1, 0], [0, 1]], None),  # 0.25 + 0.75 · p(-2) = 0.34
    ("teacher_union", "none"): (ROUNDED, None),
    ("positives_only", "complete"): (ONE, None),
    **{("positives_only", status): (ONE, ONE) for status in ("incomplete", "distant", "none")},
    **{("closed_world", status): (ONE, None) for status in ("complete", "incomplete", "distant", "none")},
}


# What the objective sees: the labelled fact at a margin of 4 or more; the logits of the mix, on the same thresholds.
CORRECTED = {
    "incomplete": [[1, 3, 1 + 4], [-1, -1, 2]],
    "distant": [
        [1, 1 + logit(0.75 * p(2)), 1 + logit(0.25 + 0.75 * p(-2))],
        [-1, -1 + logit(0.375), -1 + logit(0.75 * p(3))],
    ],
}


@pytest.mark.filterwarnings("ignore:.*W007")
@pytest.mark.parametrize(("mode", "status"), BY_HAND)
def test_every_mode_and_status_by_hand(mode, status):
    """trust = ¼: distant targets are ¼·label + ¾·p"""
    found = targets_of(make(status, teacher()), mode=mode, trust=0.25)
    assert_targets(found, *BY_HAND[mode, status])
    corrected = status in ("incomplete", "distant") and mode.startswith("teacher")
    assert found.teacher == pytest.approx(np.array(CORRECTED[status]) if corrected else LOGITS, abs=1e-5)
    assert found.taught.tolist() == [True, True]
    assert found.soft == (mode == "teacher_soft" and status != "complete")


def test_the_table_above_is_whole():
    assert {mode for mode, _ in BY_HAND} == set(MODES)
    assert len(BY_HAND) == 4 * 4


@pytest.mark.parametrize(("trust", "expected"), [(0.0, P), (1.0, ONE)])
def test_the_ends_of_trust(trust, expected):
    assert_targets(targets_of(make("distant", teacher()), trust=trust), expected)


def test_trust_is_of_distant_documents_only():
    for status in ("incomplete", "none"):
        assert_targets(targets_of(make(status, teacher()), trust=1.0), BY_HAND["teacher_soft", status][0])


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_trust_moves_sure_teachers_no_further_than_it_says(scale):
    """Unlabelled and labelled as a teacher with margins of ∓15 thinks: the label only makes it surer."""
    sure = teacher(np.array([[0, 15, 15], [0, -15, -15]]) * [[1], [1]])
    found = targets_of(make("distant", sure), trust=0.3, teacher_scale=scale, labels={"b": 1 - 1})
    agreed, other = found.teacher[:, 1]
    assert agreed == pytest.approx(15 + log(1 / 0.7) / scale, abs=1e-3)
    assert other == pytest.approx(-15 - log(1 / 0.7) / scale, abs=1e-3)


@pytest.mark.filterwarnings("ignore:.*W007")
@pytest.mark.parametrize(
    ("mode", "status"),
    [("closed_world", "incomplete"), ("positives_only", "incomplete"), ("teacher_soft", "complete")],
)
def test_teachers_are_asked_only_where_somebody_listens(mode, status):
    """Without an objective, their labels need not be the student's where the targets are not theirs."""
    doc = make(status, teacher(LOGITS[:, :2], labels=["a"]))
    targets = create_mixed_targets_v1(mode=mode)
    batch = PairBatch.from_docs([doc])
    assert targets([doc], [doc], batch, LABELS, objective=False).teacher is None
    with pytest.raises(ValueError, match="E110"):
        targets([doc], [doc], batch, LABELS, objective=True)


def test_teacher_scale_is_of_the_margin():
    """2 for teachers trained with ZLPR: σ(2d)"""
    found = targets_of(make("none", teacher()), teacher_scale=2.0)
    assert_targets(found, [[p(4), p(-4)], [p(0), p(6)]])
    assert found.teacher == pytest.approx(LOGITS)


@pytest.mark.parametrize("status", ["incomplete", "distant", "none"])
@pytest.mark.parametrize("mode", ["teacher_soft", "teacher_union", "positives_only"])
@pytest.mark.parametrize("with_teacher", [True, False])
@pytest.mark.filterwarnings("ignore:.*W007")
def test_nothing_is_0_only_because_nobody_labelled_it(mode, status, with_teacher):
    """A known cell is 0 only where the teacher says so, which is at a margin of -2, or 0 where it is rounded."""
    found = targets_of(make(status, *[teacher()] * with_teacher), mode=mode)
    known = np.ones((2, 2), dtype=bool) if found.known is None else found.known
    zero = {tuple(cell) for cell in np.argwhere(known & (found.values == 0)).tolist()}
    assert zero <= ({(0, 1), (1, 0)} if mode == "teacher_union" and with_teacher else set())


@pytest.mark.filterwarnings("ignore:.*W007")
@pytest.mark.parametrize("mode", ["teacher_soft", "teacher_union"])
@pytest.mark.parametrize("status", ["incomplete", "distant", "none"])
def test_without_soft_labels_as_in_positives_only(mode, status):
    found = targets_of(make(status), mode=mode)
    assert_targets(found, ONE, ONE)
    assert found.teacher is None
    assert found.taught.tolist() == [False, False]


def test_documents_without_soft_labels_are_warned_of_and_counted_once():
    docs = [make("distant"), make("distant"), make("incomplete", teacher()), make("complete")]
    mixed = create_mixed_targets_v1()
    with pytest.warns(UserWarning, match=r"docre-W007.*distant, and no soft labels") as caught:
        mixed(docs, docs, PairBatch.from_docs(docs), LABELS)
    assert len(caught) == 1
    assert mixed.counts == {"distant": 2}


@pytest.mark.filterwarnings("error:.*W007")
def test_who_wants_positives_only_is_not_warned():
    docs = [make("distant"), make("incomplete", teacher())]
    mixed = create_mixed_targets_v1("positives_only")
    mixed(docs, docs, PairBatch.from_docs(docs), LABELS)
    assert mixed.counts == {"distant": 1, "incomplete": 1}


def test_documents_with_soft_labels_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for status in ("complete", "incomplete", "distant", "none"):
            targets_of(make(status, teacher()))


@pytest.mark.parametrize("mode", ["teacher_soft", "teacher_union"])
def test_pairs_that_the_teacher_has_not_seen_stay_unknown(mode):
    """The teacher knows entities 0 and 2 of three; gold is (0, 1): 1, and all else that it has not seen unknown."""
    found = targets_of(make("none", teacher(ids=("0", "2")), n_entities=3), mode=mode)
    rows = P if mode == "teacher_soft" else ROUNDED
    values = [[0, 1], rows[0], [0, 0], [0, 0], rows[1], [0, 0]]
    known = [[0, 1], [1, 1], [0, 0], [0, 0], [1, 1], [0, 0]]
    assert_targets(found, values, known)
    assert found.taught.tolist() == [False, True, False, False, True, False]


def test_complete_documents_say_all_of_pairs_that_the_teacher_has_not_seen():
    found = targets_of(make("complete", teacher(ids=("0", "9"))))
    assert_targets(found, ONE)
    assert found.teacher is None


def test_entities_and_labels_in_another_order():
    """The teacher's (1, 0) is our (0, 1), its labels are turned round, and one more is left out."""
    other = teacher([[-1, 2, 9, -1], [1, -1, 9, 3]], ids=("1", "0"), labels=("b", "c", "a"))
    found = targets_of(make("none", other))
    assert_targets(found, P)
    assert found.teacher == pytest.approx(LOGITS)


@pytest.mark.filterwarnings("ignore:.*W008")
def test_a_label_that_the_teacher_lacks_is_said():
    with pytest.raises(ValueError, match=r"docre-E110.*'first'.*: spouse\."):
        targets_of(make("none", teacher()), labels={"a": 0, "spouse": 1})


SECOND = teacher([[0, 0, 4], [0, -2, 1]], name="second")  # margins 0, 4 and -2, 1
MEAN = [[p(1), p(1)], [p(-1), p(2)]]


def test_two_teachers_are_averaged_in_margins():
    """(2 + 0)/2, (-2 + 4)/2; (0 - 2)/2, (3 + 1)/2; their logits too"""
    found = targets_of(make("none", teacher(), SECOND))
    assert_targets(found, MEAN)
    assert found.teacher == pytest.approx((LOGITS + SECOND.logits) / 2)


@pytest.mark.parametrize(
    ("weights", "margins"),
    [
        ({"first": 3.0}, [[1.5, -0.5], [-0.5, 2.5]]),  # ¾ and ¼
        ({"first": 0.5, "second": 1.5}, [[0.5, 2.5], [-1.5, 1.5]]),
        ({"second": 0}, MARGINS),
        ({"first": 0.0, "nobody": 7.0}, [[0, 4], [-2, 1]]),
    ],
)
def test_weights_of_teachers(weights, margins):
    """1 where not given, and 0 leaves one out."""
    found = targets_of(make("none", teacher(), SECOND), teacher_weights=weights)
    assert_targets(found, [[p(m) for m in row] for row in margins])


def test_a_teacher_that_is_left_out_may_lack_labels():
    doc = make("none", teacher(), teacher(LOGITS[:, :2], name="small", labels=("a",)))
    assert_targets(targets_of(doc, teacher_weights={"small": 0}), P)


@pytest.mark.filterwarnings("ignore:.*W007")
def test_without_any_teacher_left_as_without_soft_labels():
    found = targets_of(make("none", teacher()), teacher_weights={"first": 0})
    assert_targets(found, ONE, ONE)
    assert found.teacher is None


def test_a_pair_that_one_of_two_teachers_has_seen_is_taught_by_that_one():
    """Unknown are the pairs that none has seen: the second knows (0, 2) and (2, 0), both know nothing of 1 and 2."""
    found = targets_of(make("none", teacher(), teacher(name="second", ids=("0", "2")), n_entities=3))
    assert found.taught.tolist() == [True, True, True, False, True, False]
    assert_targets(found, [P[0], P[0], P[1], [0, 0], P[1], [0, 0]], [[1, 1]] * 3 + [[0, 0], [1, 1], [0, 0]])


def test_weights_are_shared_by_those_who_have_seen_the_pair():
    """(0, 1) both, with 3 and 1: margins (3·2 + 0)/4 and (-3·2 + 4)/4; (0, 2) the first alone, whatever its weight."""
    three = np.array([[1, 3, -1], [0, 1, 2], *[[0, 0, 0]] * 4])
    first = teacher(three, ids=("0", "1", "2"))
    found = targets_of(make("none", first, SECOND, n_entities=3), teacher_weights={"first": 3.0})
    assert found.values[:2] == pytest.approx(np.array([[p(1.5), p(-0.5)], [p(1), p(2)]]), abs=1e-6)
    assert found.taught.all()


@pytest.mark.filterwarnings("ignore:.*W007")
def test_statuses_and_sizes_are_mixed_in_a_batch():
    """Documents without pairs stand between; rows stay with their documents."""
    docs = [
        make("complete"),
        make("none", teacher(np.zeros((0, 3)), ids=()), n_entities=0),
        make("incomplete", teacher()),
        make("none", teacher(np.zeros((0, 3)), ids=("0",)), n_entities=1),
        make("distant"),
        make("none", teacher()),
    ]
    found = targets_of(*docs)
    values = [*ONE, [p(2), 1], [p(0), p(3)], *ONE, *P]
    assert_targets(found, values, [*[[1, 1]] * 4, *ONE, *[[1, 1]] * 2])
    assert found.taught.tolist() == [False, False, True, True, False, False, True, True]
    assert np.isnan(found.teacher[[0, 1, 4, 5]]).all()


def test_no_pairs():
    found = targets_of(make("none", teacher(np.zeros((0, 3)), ids=("0",)), n_entities=1))
    assert found.values.shape == (0, 2)
    assert found.taught.shape == (0,)
    assert not found.soft


def test_far_logits_are_0_and_1():
    """±65504, the ends of float16; with a scale of 1000 too."""
    logits = [[0, 65504, -65504], [65504, -65504, 65504]]
    for scale in (1.0, 1000.0):
        found = targets_of(make("none", teacher(logits)), teacher_scale=scale)
        assert_targets(found, [[1, 0], [0, 0.5]])


def test_the_documents_stay_as_they_are():
    doc = make("incomplete", teacher(), SECOND)
    before = doc.to_bytes()
    targets_of(doc)
    assert doc.to_bytes() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trust": -0.1}, r"trust must be in \[0, 1\], got -0.1"),
        ({"trust": 1.5}, r"trust must be in \[0, 1\], got 1.5"),
        ({"teacher_scale": 0.0}, "teacher_scale must be > 0, got 0.0"),
        ({"mode": "soft"}, "'soft'.*teacher_soft, teacher_union, positives_only, closed_world"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        create_mixed_targets_v1(**settings)


def test_from_a_config():
    """With defaults, and with names of teachers that have slashes in them."""
    config = '[targets]\n@misc = "spacy-docre.MixedTargets.v1"'
    assert registry.resolve(Config().from_str(config))["targets"].mode == "teacher_soft"
    config += '\ntrust = 0.5\nteacher_weights = {"training/model-best": 2.0}'
    targets = registry.resolve(Config().from_str(config))["targets"]
    assert (targets.trust, targets.teacher_weights) == (0.5, {"training/model-best": 2.0})
