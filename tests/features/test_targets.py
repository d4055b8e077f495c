"""Labels and label status to targets."""

import warnings

import numpy as np
import pytest
from spacy import registry
from spacy.tokens import Doc, Span
from thinc.api import Config

from spacy_docre import set_entities, set_relations
from spacy_docre.annotations import STATUSES, set_label_status
from spacy_docre.features.pair_batch import PairBatch, off_diagonal
from spacy_docre.features.targets import MixedTargets, positive_cells, reference_ids
from tests.conftest import make_doc

LABELS = {"colleague": 0, "place of birth": 1}


def targets_of(docs, references, mode="positives_only"):
    return MixedTargets(mode=mode)(docs, references, PairBatch.from_docs(docs), LABELS)


def with_status(status: str) -> Doc:
    doc = make_doc()
    set_label_status(doc, status)
    return doc


def cells(doc: Doc, reference: Doc, labels=LABELS) -> set[tuple[int, int]]:
    rows, columns = positive_cells(reference_ids(doc, reference), reference, labels)
    return set(zip(rows.tolist(), columns.tolist()))


def test_positive_cells_by_hand(ada):
    """Pairs (0,1) (0,2) (1,0) (1,2) (2,0) (2,1): born in is row 0, colleague rows 1 and 4."""
    assert cells(ada, ada) == {(0, 1), (1, 0), (4, 0)}


def test_positive_cells_equal_a_search_through_the_pairs():
    doc = Doc(make_doc().vocab, words=["word"] * 7)
    set_entities(doc, [[Span(doc, i, i + 1)] for i in range(7)])
    pairs = list(zip(*(x.tolist() for x in off_diagonal(7))))
    for row, (head, tail) in enumerate(pairs):
        set_relations(doc, [(str(head), "colleague", str(tail))])
        assert cells(doc, doc) == {(row, 0)}


def test_unknown_labels_are_ignored(ada):
    assert cells(ada, ada, {"place of birth": 0}) == {(0, 0)}
    assert cells(ada, ada, {}) == set()


def test_a_pair_may_have_several_labels_and_a_relation_may_stand_twice(ada):
    born = ("0", "place of birth", "1")
    set_relations(ada, [born, born, ("0", "colleague", "1")])
    assert cells(ada, ada) == {(0, 0), (0, 1)}
    assert targets_of([ada], [ada]).values.sum() == 2


def test_entities_in_another_order_and_under_other_ids(ada):
    """Babbage is entity 0 now, Ada 2: she was born in London is pair (2, 1), row 5."""
    doc = make_doc()
    ada_entity, london, babbage = doc._.docre_entities
    entities = [list(e.mentions) for e in (babbage, london, ada_entity)]
    set_entities(doc, entities, ids=["x", "y", "z"])
    assert cells(doc, ada) == {(5, 1), (1, 0), (4, 0)}


def test_entities_are_matched_by_overlap(ada):
    """Only "Ada Lovelace" was found of her mentions, and Babbage not at all: one of 3 relations is left."""
    doc = make_doc()
    set_entities(doc, [[Span(doc, 5, 6, label="LOC")], [Span(doc, 0, 2, label="PER")]])
    assert cells(doc, ada) == {(1, 1)}  # pairs (0, 1) and (1, 0): London is 0, Ada 1


def test_entities_are_matched_over_other_tokens(ada):
    """The same text in other tokens: "Ada Lovelace" is one of them."""
    words = ["Ada Lovelace", *[t.text for t in ada[2:]]]
    doc = Doc(ada.vocab, words=words)
    assert doc.text == ada.text
    set_entities(doc, [[Span(doc, 0, 1, label="PER"), Span(doc, 6, 7, label="PER")], [Span(doc, 4, 5, label="LOC")]])
    assert cells(doc, ada) == {(0, 1)}


def test_an_entity_that_the_reference_lacks_has_no_relation(ada):
    doc = make_doc()
    set_entities(doc, [*(list(e.mentions) for e in doc._.docre_entities), [Span(doc, 3, 4, label="MISC")]])
    rows, columns = positive_cells(reference_ids(doc, ada), ada, LABELS)
    head, tail = (x[rows] for x in off_diagonal(4))
    assert set(zip(head, columns, tail)) == {(0, 1, 1), (0, 0, 2), (2, 0, 0)}


@pytest.mark.parametrize("mode", ["positives_only", "closed_world"])
def test_a_complete_document_says_something_of_every_cell(ada, mode):
    targets = targets_of([ada], [ada], mode)
    assert targets.values.tolist() == [[0, 1], [1, 0], [0, 0], [0, 0], [1, 0], [0, 0]]
    assert targets.values.dtype == np.float32
    assert targets.known is None


@pytest.mark.filterwarnings("ignore:.*W007")
@pytest.mark.parametrize("status", [s for s in STATUSES if s != "complete"])
def test_other_documents_say_what_holds_only(status):
    doc = with_status(status)
    targets = targets_of([doc], [doc])
    assert np.array_equal(targets.known, targets.values == 1)
    assert targets.known.sum() == 3
    assert targets_of([doc], [doc], "closed_world").known is None


@pytest.mark.filterwarnings("ignore:.*W007")
def test_statuses_may_be_mixed_in_a_batch(ada):
    """6 pairs and 2 labels each: the second document's 12 cells are unknown but for its 3 relations."""
    docs = [ada, with_status("incomplete"), Doc(ada.vocab), make_doc()]
    targets = targets_of(docs, docs)
    complete, incomplete, empty, last = PairBatch.from_docs(docs).split(targets.known)
    assert complete.all()
    assert last.all()
    assert incomplete.sum() == 3
    assert empty.shape == (0, 2)
    assert targets.values.sum() == 9


@pytest.mark.filterwarnings("ignore:.*W007")
def test_an_unlabelled_document_says_nothing(ada):
    doc = make_doc()
    set_relations(doc, [], status="none")
    targets = targets_of([doc], [doc])
    assert not targets.known.any()
    assert targets.values.shape == (6, 2)


def test_each_status_is_warned_of_once_and_counted():
    mixed = MixedTargets(mode="teacher_soft")
    docs = [with_status("distant"), with_status("distant"), with_status("incomplete")]
    with pytest.warns(UserWarning, match="W007") as caught:
        mixed(docs, docs, PairBatch.from_docs(docs), LABELS)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 2
    assert "distant" in said[0]
    assert "incomplete" in said[1]
    assert mixed.counts == {"distant": 2, "incomplete": 1}


def test_closed_world_does_not_warn():
    doc = with_status("distant")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert targets_of([doc], [doc], "closed_world").known is None


def test_what_can_be_learned_from():
    """Without complete documents or teachers, nothing says what does not hold, unless the world is closed."""
    for mode, complete, taught, neither in [
        ("closed_world", True, True, True),
        ("positives_only", True, False, False),
        ("teacher_soft", True, True, False),
        ("teacher_union", True, True, False),
    ]:
        mixed = MixedTargets(mode=mode)
        assert mixed.can_learn({"complete", "distant"}, taught=False) == complete
        assert mixed.can_learn({"distant"}, taught=True) == taught
        assert mixed.can_learn({"distant"}, taught=False) == neither


def test_no_documents():
    targets = targets_of([], [])
    assert targets.values.shape == (0, 2)
    assert targets.known is None


def test_unknown_mode_says_what_there_is():
    with pytest.raises(ValueError, match=r"E064.*'open_world'.*positives_only, closed_world"):
        MixedTargets(mode="open_world")


def test_from_a_config():
    config = Config().from_str('[targets]\n@misc = "spacy-docre.MixedTargets.v1"\nmode = "closed_world"')
    assert registry.resolve(config)["targets"].mode == "closed_world"
