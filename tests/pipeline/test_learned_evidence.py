"""Evidence that attention learns: the component names the sentences that annotators name."""

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import get_relations, set_entities, set_relations
from spacy_docre.annotations import copy_mentions
from spacy_docre.models.evidence import predict_focus
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..pipelines import (
    crowd,
    hash_pipeline,
    initialised,
    step,
    transformer_pipeline,
    triples,
    two_examples,
    unlabelled,
)
from ..reloading import from_bytes, from_folder, from_pickle
from .test_rdrop import gradients

FIRST, SECOND, THIRD = (0, 4), (4, 7), (7, 11)


def component_of(nlp):
    return nlp.get_pipe("docre_relations")


def task_of(nlp):
    return component_of(nlp).model.attrs["evidence"]


def make_story(words: str, vocab: Vocab | None = None) -> Doc:
    """The first sentence names both, the evidence is the third, which names neither."""
    starts = [i in (0, 4, 7) for i in range(11)]
    doc = Doc(vocab or Vocab(), words=words.split(), sent_starts=starts)
    set_entities(doc, [[Span(doc, 0, 1, label="PER")], [Span(doc, 2, 3, label="PER")]])
    set_relations(doc, [("0", "colleague", "1", 1.0, [THIRD])], status="complete")
    return doc


def stories(vocab: Vocab | None = None) -> list[Doc]:
    return [
        make_story("Ada saw Babbage . Rain fell . Letters name them .", vocab),
        make_story("Marie kissed Pierre . Snow melted . Papers recall this .", vocab),
    ]


def examples_of(nlp: Language) -> list[Example]:
    return [Example(unlabelled(doc), doc) for doc in stories(nlp.vocab)]


def without_evidence(examples: list[Example]) -> list[Example]:
    """The same relations; nobody says where they stand."""
    for eg in examples:
        set_relations(eg.reference, [(r.head.id, r.label_, r.tail.id) for r in get_relations(eg.reference)])
    return examples


def train(nlp: Language, examples: list[Example], *, steps: int = 30, **settings) -> Language:
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(steps):
        step(nlp, examples, optimizer, **settings)
    return nlp


@pytest.fixture(scope="module")
def learned() -> Language:
    nlp = hash_pipeline(evidence_weight=1.0)
    return train(nlp, examples_of(nlp))


@pytest.fixture(scope="module")
def saved(learned, tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    learned.to_disk(folder)
    return folder


def ranges(doc: Doc) -> list[list[tuple[int, int]]]:
    """The evidence of each relation."""
    return [[(span.start, span.end) for span in r.evidence] for r in get_relations(doc)]


def found_by(nlp: Language) -> list[list[list[tuple[int, int]]]]:
    return [ranges(doc) for doc in nlp.pipe(unlabelled(doc, nlp.vocab) for doc in stories())]


def test_it_names_the_sentence_that_annotators_name(learned):
    """And the relations are learned beside."""
    for doc in stories(learned.vocab):
        predicted = learned(unlabelled(doc))
        assert triples(predicted) == triples(doc)
        assert ranges(predicted) == ranges(doc) == [[THIRD]]


def test_it_looks_there(learned):
    pairs = np.array([[0, 1], [1, 0]])
    docs = [unlabelled(doc, learned.vocab) for doc in stories()]
    for shares in predict_focus(component_of(learned).model, docs, [pairs] * 2, [[0, 4, 7]] * 2):
        assert (shares[:, 2] > 0.8).all()


def test_without_a_weight_it_goes_by_the_rule():
    """Though the documents have evidence: the sentence that names both."""
    nlp = hash_pipeline()
    train(nlp, examples_of(nlp))
    assert found_by(nlp) == [[[FIRST]]] * 2
    assert "knows_evidence" not in component_of(nlp).cfg


def test_without_evidence_it_goes_by_the_rule():
    nlp = hash_pipeline(evidence_weight=1.0)
    train(nlp, without_evidence(examples_of(nlp)))
    assert found_by(nlp) == [[[FIRST]]] * 2
    assert "knows_evidence" not in component_of(nlp).cfg
    assert not component_of(nlp).knows_evidence


def test_it_is_learned_through_an_encoder(encoder):
    nlp = transformer_pipeline(encoder, evidence_weight=1.0)
    train(nlp, examples_of(nlp), steps=40)
    assert found_by(nlp) == [[[THIRD]]] * 2


@pytest.mark.parametrize("n_docs", [1, 2, 5])
def test_the_encoder_reads_a_document_once(learned, monkeypatch, n_docs):
    """Relations and their evidence are of the same token vectors."""
    tok2vec, read = component_of(learned).model.get_ref("tok2vec"), []
    forward = tok2vec._func
    monkeypatch.setattr(
        tok2vec, "_func", lambda model, docs, is_train: read.extend(docs) or forward(model, docs, is_train)
    )
    docs = [unlabelled(stories()[i % 2], learned.vocab) for i in range(n_docs)]
    assert [ranges(doc) for doc in learned.pipe(docs)] == [[[THIRD]]] * n_docs
    assert list(map(id, read)) == list(map(id, docs))


def test_one_by_one_and_in_batches(learned):
    """With documents without relations, without entities and without tokens between them."""

    def docs() -> list[Doc]:
        first, second = (unlabelled(doc, learned.vocab) for doc in stories())
        return [learned.make_doc(""), first, crowd(learned.vocab, 0), crowd(learned.vocab, 1), second]

    expected = [[], [[THIRD]], [], [], [[THIRD]]]
    assert [ranges(learned(doc)) for doc in docs()] == expected
    for size in (1, 2, 10):
        assert [ranges(doc) for doc in learned.pipe(docs(), batch_size=size)] == expected


@pytest.mark.filterwarnings("ignore:.*W009", "ignore:.*W013")
def test_every_pair_has_evidence(learned, monkeypatch):
    """Whatever is predicted: one list of the document's sentences for each relation, in the order of the text."""
    monkeypatch.setattr(component_of(learned), "threshold_offset", -1e6)
    docs = [crowd(learned.vocab, 7), make_doc(learned.vocab)]
    for doc in docs:
        doc = learned(unlabelled(doc))
        n = len(doc._.docre_entities)
        assert len(get_relations(doc)) == n * (n - 1)
        sents = [(s.start, s.end) for s in doc.sents] if doc.has_annotation("SENT_START") else [(0, 7)]
        assert all(found and found == [s for s in sents if s in found] for found in ranges(doc))


def test_documents_without_sentences_have_windows(learned, monkeypatch):
    """All of a short one; of a long one that in which the third sentence is, though the entities are in another."""
    first, _ = stories(learned.vocab)
    words = [t.text for t in first]
    long = Doc(learned.vocab, words=[*words[:7], *["and"] * 60, *words[7:], *["and"] * 22])
    set_entities(long, [[Span(long, i, i + 1, label="PER")] for i in (0, 2)])
    with pytest.warns(UserWarning, match="docre-W009"):
        assert ranges(learned(unlabelled(first, sentences=False))) == [[(0, 11)]]
    monkeypatch.setattr(component_of(learned), "threshold_offset", -1e6)
    (found, *_) = ranges(learned(long))
    assert (64, 93) in found
    assert set(found) <= {(0, 32), (32, 64), (64, 93)}


def test_references_that_are_tokenised_differently():
    """As a tokenizer would: the evidence is found by its characters, and it teaches the same."""
    nlp = hash_pipeline(evidence_weight=1.0)
    examples = []
    for doc in stories(nlp.vocab):
        words = [part for t in doc for part in ([t.text[:2], t.text[2:]] if t.i == 7 else [t.text])]
        starts = [i in (0, 4, 7) for i in range(len(words))]
        reference = Doc(nlp.vocab, words=words, sent_starts=starts)
        copy_mentions(doc, reference)
        set_relations(reference, [("0", "colleague", "1", 1.0, [(7, 12)])], status="complete")
        examples.append(Example(unlabelled(doc), reference))
    train(nlp, examples)
    assert found_by(nlp) == [[[THIRD]]] * 2


def test_evidence_that_is_part_of_a_sentence():
    """The annotators name two words of it, the component the sentence."""
    nlp = hash_pipeline(evidence_weight=1.0)
    examples = examples_of(nlp)
    for eg in examples:
        set_relations(eg.reference, [("0", "colleague", "1", 1.0, [(8, 10)])])
    train(nlp, examples)
    assert found_by(nlp) == [[[THIRD]]] * 2


@pytest.mark.parametrize("reload", [from_folder, from_bytes, from_pickle])
def test_reloaded_pipelines_know_it(learned, tmp_path, reload):
    loaded = reload(learned, tmp_path)
    assert component_of(loaded).cfg["knows_evidence"] is True
    assert component_of(loaded).knows_evidence
    assert found_by(loaded) == found_by(learned) == [[[THIRD]]] * 2


def test_a_weight_of_zero_goes_back_to_the_rule(saved):
    """And what was learned is not lost."""
    config = {"components": {"docre_relations": {"evidence_weight": 0.0}}}
    plain = spacy.load(saved, config=config)
    assert component_of(plain).cfg["knows_evidence"]
    assert not component_of(plain).knows_evidence
    assert found_by(plain) == [[[FIRST]]] * 2
    component_of(plain).evidence_weight = 0.1
    assert found_by(plain) == [[[THIRD]]] * 2


def test_initialising_again_forgets(saved):
    nlp = spacy.load(saved)
    assert component_of(nlp).knows_evidence
    initialised(nlp, without_evidence(examples_of(nlp)))
    assert not component_of(nlp).knows_evidence
    component_of(nlp).threshold_offset = -1e6
    assert found_by(nlp) == [[[FIRST]] * 2] * 2


@pytest.mark.parametrize("way", ["disk", "bytes"])
def test_loading_what_does_not_know_it_forgets(saved, tmp_path, way):
    """As users do who load a component in place."""
    nlp = spacy.load(saved)
    other = hash_pipeline(evidence_weight=1.0)
    initialised(other, examples_of(other))
    if way == "disk":
        component_of(other).to_disk(tmp_path / "other")
        component_of(nlp).from_disk(tmp_path / "other")
    else:
        component_of(nlp).from_bytes(component_of(other).to_bytes())
    assert not component_of(nlp).knows_evidence


def updated(examples=examples_of, *, drop: float = 0.0, **settings) -> tuple[Language, float]:
    """A pipeline after one update without a step, and its loss."""
    nlp = initialised(hash_pipeline(**settings), two_examples(spacy.blank("en")))
    torch.manual_seed(0)
    return nlp, component_of(nlp).update(examples(nlp), drop=drop)["docre_relations"]


def assert_same_gradients(one: Language, other: Language) -> None:
    first, second = gradients(one), gradients(other)
    assert first.keys() == second.keys()
    assert any(gradient.any() for gradient in first.values())
    for name, gradient in first.items():
        assert np.allclose(second[name], gradient, rtol=1e-3, atol=1e-6), name


def weights(nlp: Language) -> dict[str, np.ndarray]:
    model = component_of(nlp).model
    found = {f"{i}.{n}": np.array(node.get_param(n)) for i, node in enumerate(model.walk()) for n in node.param_names}
    head = model.get_ref("head").shims[0]._model
    return {**found, **{name: w.detach().numpy().copy() for name, w in head.named_parameters()}}


def test_a_weight_of_zero_changes_nothing():
    """After three steps with dropout, on documents with evidence: the weights are those without the setting."""
    found = []
    for settings in ({}, {"evidence_weight": 0.0}, {"evidence_weight": 1.0}):
        nlp = hash_pipeline(**settings)
        train(nlp, examples_of(nlp), steps=3, drop=0.2)
        found.append(weights(nlp))
    plain, zero, one = found
    assert all(np.array_equal(plain[name], zero[name]) for name in plain)
    assert not all(np.array_equal(plain[name], one[name]) for name in plain)


def test_references_without_evidence_change_nothing():
    """The weight is for nothing then: same loss, same gradients."""
    plain, loss = updated(two_examples_without)
    weighted, same = updated(two_examples_without, evidence_weight=5.0)
    assert same == pytest.approx(loss, rel=1e-6)
    assert_same_gradients(plain, weighted)
    assert "knows_evidence" not in component_of(weighted).cfg


def two_examples_without(nlp: Language) -> list[Example]:
    return without_evidence(two_examples(nlp))


def test_the_loss_is_that_of_relations_and_the_weighted_one_of_evidence():
    """Twice the weight, twice as much is added: the mean of -log of the share on the third sentence."""
    nlp, loss = updated()
    examples = examples_of(nlp)
    docs = [eg.predicted for eg in examples]
    shares = predict_focus(component_of(nlp).model, docs, [np.array([[0, 1]])] * 2, [[0, 4, 7]] * 2)
    expected = -np.mean([np.log(rows[0, 2]) for rows in shares])
    for weight in (1.0, 2.0):
        _, other = updated(evidence_weight=weight)
        assert other - loss == pytest.approx(weight * expected, rel=1e-3)


def test_losses_add_up():
    nlp = initialised(hash_pipeline(evidence_weight=1.0))
    examples, losses = examples_of(nlp), {"docre_relations": 5.0}
    once = component_of(nlp).update(examples)["docre_relations"]
    component_of(nlp).update(examples, losses=losses)
    assert losses["docre_relations"] == pytest.approx(5.0 + once)


@pytest.mark.parametrize("rdrop_alpha", [1e-9, 3.0])
def test_the_weight_is_not_doubled_by_two_passes(rdrop_alpha):
    """R-Drop without dropout: same loss, same gradients."""
    once, loss = updated(evidence_weight=2.0)
    twice, same = updated(evidence_weight=2.0, rdrop_alpha=rdrop_alpha)
    assert same == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(once, twice)


def test_two_passes_learn_it_too():
    nlp = hash_pipeline(evidence_weight=1.0, rdrop_alpha=1.0)
    train(nlp, examples_of(nlp), drop=0.1)
    assert found_by(nlp) == [[[THIRD]]] * 2


def distilled(student: Language, teacher: Language) -> float:
    return component_of(student).distill(component_of(teacher), two_examples(student))["docre_relations"]


def clear_gradients(nlp: Language) -> None:
    component_of(nlp).finish_update(lambda key, weight, gradient: (weight, gradient.fill(0)))


def test_distillation_after_an_update_learns_no_evidence(hash_nlp):
    """Its documents have some."""
    student, _ = updated(two_examples, evidence_weight=3.0)
    clear_gradients(student)
    plain = initialised(hash_pipeline())
    assert distilled(student, hash_nlp) == pytest.approx(distilled(plain, hash_nlp), rel=1e-6)
    assert_same_gradients(plain, student)
    assert task_of(student).rows is None


def test_distillation_after_an_update_that_failed_learns_no_evidence(hash_nlp, monkeypatch):
    student = initialised(hash_pipeline(evidence_weight=3.0))
    with monkeypatch.context() as patch:
        patch.setattr(component_of(student), "get_loss", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            component_of(student).update(two_examples(student))
    plain = initialised(hash_pipeline())
    distilled(student, hash_nlp)
    distilled(plain, hash_nlp)
    assert_same_gradients(plain, student)


def test_a_weight_set_to_zero_between_updates():
    nlp, _ = updated(evidence_weight=3.0)
    component_of(nlp).evidence_weight = 0.0
    _, loss = updated()
    assert component_of(nlp).update(examples_of(nlp))["docre_relations"] == pytest.approx(loss, rel=1e-5)


def test_a_batch_without_evidence_after_one_with():
    nlp, _ = updated(evidence_weight=3.0)
    _, loss = updated(two_examples_without)
    later = component_of(nlp).update(two_examples_without(nlp))["docre_relations"]
    assert later == pytest.approx(loss, rel=1e-5)
    assert component_of(nlp).knows_evidence


@pytest.mark.parametrize("sizes", [[], [0], [1, 0], [None], [None, 3, 1]])
def test_batches_without_evidence_or_pairs(sizes):
    """None: a document without tokens."""
    nlp = initialised(hash_pipeline(evidence_weight=1.0))
    docs = [nlp.make_doc("") if n is None else crowd(nlp.vocab, n) for n in sizes]
    for doc in docs:
        set_relations(doc, [], status="complete")
    losses = step(nlp, [Example(unlabelled(doc), doc) for doc in docs], create_adamw_v1(), drop=0.1)
    assert np.isfinite(losses.get("docre_relations", 0))
    assert "knows_evidence" not in component_of(nlp).cfg


def test_some_documents_have_evidence():
    """Between documents without any, without pairs, and without tokens: the loss is that of the one pair which has."""

    def mixed(nlp: Language) -> list[Example]:
        docs = [crowd(nlp.vocab, 1), nlp.make_doc(""), make_doc(nlp.vocab), crowd(nlp.vocab, 5)]
        for doc in (docs[0], docs[1], docs[3]):
            set_relations(doc, [], status="complete")
        return [Example(unlabelled(doc), doc) for doc in docs]

    plain, loss = updated(mixed)
    nlp, weighted = updated(mixed, evidence_weight=1.0)
    ((share, _),) = predict_focus(
        component_of(plain).model, [unlabelled(make_doc(plain.vocab))], [np.array([[0, 1]])], [[0, 7]]
    )[0]
    assert weighted - loss == pytest.approx(-np.log(share), rel=1e-3)
    assert component_of(nlp).knows_evidence


@pytest.mark.filterwarnings("ignore:.*W008")
def test_relations_with_labels_that_are_not_learned_teach_it_too():
    """Evidence is that of the pair."""
    nlp = hash_pipeline(evidence_weight=1.0)
    examples = examples_of(nlp)
    component_of(nlp).initialize(lambda: examples, labels=["spouse"])
    component_of(nlp).update(examples)
    assert component_of(nlp).knows_evidence


@pytest.mark.filterwarnings("ignore:.*W005")
@pytest.mark.parametrize("precision", ["bfloat16", "float16", "auto"])
def test_lower_precision(precision):
    nlp = hash_pipeline({"precision": precision}, evidence_weight=1.0)
    examples = examples_of(nlp)
    initialised(nlp, examples)
    losses = [step(nlp, examples, create_adamw_v1(), drop=0.1)["docre_relations"] for _ in range(3)]
    assert np.isfinite(losses).all()
    assert all(np.isfinite(weight).all() for weight in weights(nlp).values())
    component_of(nlp).threshold_offset = -1e6
    assert all(len(found) == 2 and all(found) for found in found_by(nlp))


def test_learning_leaves_documents_as_they_are():
    nlp = initialised(hash_pipeline(evidence_weight=1.0))
    examples = examples_of(nlp)
    docs = [doc for eg in examples for doc in (eg.predicted, eg.reference)]
    before = [doc.to_bytes() for doc in docs]
    component_of(nlp).update(examples)
    assert [doc.to_bytes() for doc in docs] == before


def test_predicting_is_no_update(learned):
    """Predictions leave the component as it is."""
    before = component_of(learned).to_bytes()
    found_by(learned)
    assert component_of(learned).to_bytes() == before


def test_the_weight_is_not_negative():
    with pytest.raises(ValueError, match=r"docre-E081.*evidence_weight must be >= 0, got -0.5"):
        hash_pipeline(evidence_weight=-0.5)
