"""What the component predicts, and what it writes into documents."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from spacy.tokens import Doc, Span

from spacy_docre import get_entities, get_label_status, get_relations, set_entities, set_relations
from spacy_docre.annotations import MENTIONS_KEY, has_mentions

from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, initialised, make_hopper_doc, scored, triples, unlabelled


def references(nlp):
    return [make_doc(nlp.vocab), make_hopper_doc(nlp.vocab)]


def variety(nlp) -> list[Doc]:
    """Documents with 3, 0, 1, 2, 60 and 3 entities, an empty one and one of white space."""
    ada, hopper = references(nlp)
    sizes = [crowd(nlp.vocab, n) for n in (0, 1, 2, 60)]
    others = [nlp.make_doc(""), nlp.make_doc("  \n ")]
    return [unlabelled(ada), *sizes, *others, unlabelled(hopper)]


def test_two_documents_are_learned(trained):
    for gold in references(trained):
        doc = trained(unlabelled(gold))
        assert triples(doc) == triples(gold)
        assert all(0.5 < r.score <= 1 for r in doc._.relations)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_predict_as_single_documents_do(trained, batch_size):
    alone = [scored(trained(doc)) for doc in variety(trained)]
    together = [scored(doc) for doc in trained.pipe(variety(trained), batch_size=batch_size)]
    assert len(alone) == len(together)
    for one, many in zip(alone, together):
        assert one == pytest.approx(many, abs=1e-4)


def test_order_of_documents_is_kept_and_irrelevant(trained):
    forward = [scored(d) for d in trained.pipe(variety(trained))]
    backward = [scored(d) for d in trained.pipe(variety(trained)[::-1])][::-1]
    assert any(forward)
    for one, other in zip(forward, backward):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("n_entities", [0, 1])
def test_fewer_than_two_entities_have_no_relations(trained, n_entities):
    doc = trained(crowd(trained.vocab, n_entities))
    assert doc._.relations == ()
    assert len(doc._.docre_entities) == n_entities


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_texts_without_words(trained, text):
    assert trained(text)._.relations == ()


@pytest.mark.parametrize("n_entities", [2, 60])
def test_every_pair_can_be_predicted(hash_nlp, monkeypatch, n_entities):
    """With an offset far below all margins: n · (n - 1) ordered pairs, each with one label."""
    component = hash_nlp.get_pipe("docre_relations")
    monkeypatch.setattr(component, "threshold_offset", -1e6)
    monkeypatch.setattr(component, "max_labels_per_pair", 1)
    relations = get_relations(hash_nlp(crowd(hash_nlp.vocab, n_entities)))
    pairs = {(r.head.id, r.tail.id) for r in relations}
    assert len(relations) == len(pairs) == n_entities * (n_entities - 1)
    assert all(head != tail for head, tail in pairs)


def test_more_entities_than_axial_attention_takes(hash_nlp):
    """Above the limit documents are predicted without the axial part, counted and said once."""
    nlp = initialised(hash_pipeline({"max_entities_for_axial": 4}))
    with pytest.warns(UserWarning, match="docre-W004"):
        nlp(crowd(nlp.vocab, 5))
    nlp(crowd(nlp.vocab, 4))
    assert nlp.get_pipe("docre_relations").counts["docs_no_axial"] == 1


def test_mentions_are_grouped_from_ents(trained):
    """Without mentions, `doc.ents` with one text and type are one entity."""
    doc = trained.make_doc("Ada met Bob . Ada left .")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "PER"), Span(doc, 4, 5, "PER")]
    doc = trained(doc)
    assert [[m.start for m in e.mentions] for e in get_entities(doc)] == [[0, 4], [2]]


def test_ents_and_mentions_predict_the_same(hash_nlp):
    by_ents = hash_nlp.make_doc("Ada Lovelace was born in London .")
    by_ents.ents = [Span(by_ents, 0, 2, "PER"), Span(by_ents, 5, 6, "LOC")]
    by_hand = hash_nlp.make_doc(by_ents.text)
    set_entities(by_hand, [[span] for span in by_ents.ents])
    assert scored(hash_nlp(by_ents)) == pytest.approx(scored(hash_nlp(by_hand)), abs=1e-6)


def test_empty_mentions_stay_empty(trained):
    """Somebody said that there are none: `doc.ents` does not stand in."""
    doc = make_doc(trained.vocab)
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 5, 6, "LOC")]
    set_entities(doc, [])
    doc = trained(doc)
    assert len(doc.spans[MENTIONS_KEY]) == 0
    assert doc._.relations == ()


def test_predict_leaves_documents_as_they_are(hash_nlp):
    doc = hash_nlp.make_doc("Ada met Bob .")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "PER")]
    annotated = make_doc(hash_nlp.vocab)
    before = [d.to_bytes() for d in (doc, annotated)]
    hash_nlp.get_pipe("docre_relations").predict([doc, annotated])
    assert [d.to_bytes() for d in (doc, annotated)] == before
    assert not has_mentions(doc)


def test_set_annotations_needs_no_model(hash_nlp, monkeypatch):
    component = hash_nlp.get_pipe("docre_relations")
    docs = [unlabelled(gold) for gold in references(hash_nlp)]
    predictions = component.predict(docs)
    monkeypatch.setattr(component, "model", None)
    component.set_annotations(docs, predictions)
    assert [triples(d) for d in docs] == [triples(gold) for gold in references(hash_nlp)]


def test_predictions_replace_relations_and_keep_the_label_status(hash_nlp):
    doc = make_doc(hash_nlp.vocab)
    set_relations(doc, [("1", "colleague", "2")], status="distant")
    assert triples(hash_nlp(doc)) == triples(make_doc(hash_nlp.vocab))
    assert get_label_status(doc) == "distant"


def test_larger_threshold_offsets_predict_subsets(hash_nlp, monkeypatch):
    component = hash_nlp.get_pipe("docre_relations")
    monkeypatch.setattr(component, "max_labels_per_pair", 100)
    found = []
    for offset in (-1e6, -4.0, 0.0, 4.0, 1e6):
        monkeypatch.setattr(component, "threshold_offset", offset)
        found.append(set().union(*(triples(d) for d in hash_nlp.pipe(map(unlabelled, references(hash_nlp))))))
    assert all(larger >= smaller for larger, smaller in pairwise(found))
    n_pairs, n_labels = 6, len(component.labels)
    assert len(found[0]) == n_pairs * n_labels
    assert found[-1] == set()


def test_at_most_so_many_labels_per_pair_and_the_best_ones(hash_nlp, monkeypatch):
    component = hash_nlp.get_pipe("docre_relations")
    monkeypatch.setattr(component, "threshold_offset", -1e6)
    scores = {}
    for limit in (1, 2, 100):
        monkeypatch.setattr(component, "max_labels_per_pair", limit)
        relations = get_relations(hash_nlp(unlabelled(make_doc(hash_nlp.vocab))))
        scores[limit] = [r.score for r in relations if (r.head.id, r.tail.id) == ("0", "1")]
    assert scores[1] == scores[100][:1]
    assert scores[2] == scores[100][:2]
    assert scores[100] == sorted(scores[100], reverse=True)
    assert len(scores[100]) == len(component.labels)


def test_scores_are_the_losses_probability_of_the_margin(hash_nlp, monkeypatch):
    """Adaptive focal loss: σ(label logit - threshold logit)"""
    component = hash_nlp.get_pipe("docre_relations")
    monkeypatch.setattr(component, "threshold_offset", -1e6)
    monkeypatch.setattr(component, "max_labels_per_pair", 100)
    doc = unlabelled(make_doc(hash_nlp.vocab))
    logits = component.model.predict([doc])
    probability = 1 / (1 + np.exp(logits[:, :1] - logits[:, 1:]))  # (n_pairs, n_labels)
    found = [r.score for r in get_relations(hash_nlp(doc))]
    assert sorted(found) == pytest.approx(sorted(probability.ravel().tolist()), abs=1e-5)


def test_relations_attr_names_the_extension():
    nlp = initialised(hash_pipeline(relations_attr="docre_found"))
    doc = nlp(make_doc(nlp.vocab))
    assert doc._.docre_found == get_relations(doc)


def test_a_foreign_extension_is_left_alone_and_said_once():
    Doc.set_extension("taken_by_another", default="theirs")
    with pytest.warns(UserWarning, match="docre-W001"):
        nlp = hash_pipeline(relations_attr="taken_by_another")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = initialised(nlp)(make_doc(nlp.vocab))
    assert doc._.taken_by_another == "theirs"
