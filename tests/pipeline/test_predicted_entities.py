"""Training on entities that an earlier component finds, in place of annotated ones: a ruler's. (A ner: test_ner.py)"""

import random

import numpy as np
import pytest
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_docre import get_entities, set_entities
from spacy_docre.annotations import has_mentions
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.features.targets import MixedTargets
from spacy_docre.training.adamw import create_adamw_v1

from ..cli.test_evaluate_end_to_end import NAMES, named_docs
from ..conftest import make_doc
from ..pipelines import (
    hash_pipeline,
    initialised,
    make_hopper_doc,
    step,
    triples,
    two_examples,
    unlabelled,
)

FOUND = ["entity_ruler", "docre_entities", "test_predicted_probe"]  # that annotate
SEEN: list[Doc] = []


@Language.component("test_predicted_probe")
def probe(doc: Doc) -> Doc:
    """Keeps what the relations will see."""
    SEEN.append(doc.copy())
    return doc


def ruler_pipeline(**settings) -> Language:
    """Relations, after entities of names, which are found without the pronouns of annotated ones."""
    nlp = hash_pipeline()
    patterns = [{"label": label, "pattern": name} for name, label in NAMES.items()]
    nlp.config["initialize"]["components"]["entity_ruler"] = {"patterns": patterns}
    nlp.add_pipe("entity_ruler", first=True)
    nlp.add_pipe("docre_entities", after="entity_ruler", config={"ramp_steps": 1, **settings})
    nlp.add_pipe("test_predicted_probe", after="docre_entities")
    return nlp


def entities(doc: Doc) -> list[list[str]]:
    return [[m.text for m in e.mentions] for e in get_entities(doc)]


ANNOTATED = [entities(make_doc()), entities(make_hopper_doc())]
BY_RULES = [[[name for name in e if name in NAMES] for e in doc] for doc in ANNOTATED]


def seen(nlp: Language, examples: list[Example], optimizer=None, *, annotates=FOUND) -> list[list[list[str]]]:
    """The entities of each document in a training step."""
    SEEN.clear()
    step(nlp, examples, optimizer or create_adamw_v1(), annotates=annotates)
    return [entities(doc) for doc in SEEN]


def test_without_a_share_annotated_entities_stay():
    nlp = initialised(ruler_pipeline())
    assert ANNOTATED != BY_RULES
    for _ in range(3):
        assert seen(nlp, two_examples(nlp)) == ANNOTATED


def test_with_all_of_it_found_ones_take_their_place_after_the_ramp():
    """A ramp of two steps: 0, ½ and then 1."""
    nlp = initialised(ruler_pipeline(predicted_share=1.0, ramp_steps=2))
    examples = two_examples(nlp)
    assert seen(nlp, examples) == ANNOTATED
    seen(nlp, examples)
    for _ in range(3):
        assert seen(nlp, examples) == BY_RULES


def test_annotated_ones_are_back_in_the_next_epoch():
    """The same examples are given again and again, and each time begin as they were."""
    nlp = initialised(ruler_pipeline(predicted_share=1.0))
    examples = two_examples(nlp)
    seen(nlp, examples)
    for share, expected in ((1.0, BY_RULES), (0.0, ANNOTATED), (1.0, BY_RULES)):
        nlp.get_pipe("docre_entities").predicted_share = share
        assert seen(nlp, examples) == expected
        assert [entities(example.predicted) for example in examples] == ANNOTATED
        assert [entities(example.reference) for example in examples] == ANNOTATED


def test_half_of_the_documents_are_other_ones_each_time():
    nlp = initialised(ruler_pipeline(predicted_share=0.5))
    examples, optimizer = two_examples(nlp), create_adamw_v1()
    kept = [doc == gold for _ in range(20) for doc, gold in zip(seen(nlp, examples, optimizer), ANNOTATED)]
    assert 10 < sum(kept) < 30


@pytest.mark.parametrize(("n_before", "expected"), [(0, 0), (25, 0.2), (50, 0.4), (100, 0.8), (1000, 0.8)])
def test_the_share_grows_to_its_end(n_before, expected):
    """To 0.8 within 100 updates: after 25 of them, 0.2 of the documents. The same seed takes the same."""
    nlp = ruler_pipeline(predicted_share=0.8, ramp_steps=100)
    taken = []
    for _ in range(2):
        pipe = nlp.create_pipe("docre_entities", config={"predicted_share": 0.8, "ramp_steps": 100})
        for _ in range(n_before):
            pipe.update([])
        reference = make_doc(nlp.vocab)
        examples = [Example(unlabelled(reference), reference) for _ in range(400)]
        random.seed(1)
        assert pipe.update(examples) == {}
        taken.append([not has_mentions(example.predicted) for example in examples])
    assert taken[0] == taken[1]
    assert np.mean(taken[0]) == pytest.approx(expected, abs=0.08)


def losses(share: float) -> list[float]:
    nlp = ruler_pipeline(predicted_share=share)
    examples = [Example(unlabelled(doc), doc) for doc in named_docs(nlp.vocab)]
    initialised(nlp, examples)
    fix_random_seed(0)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3)
    found = []
    for _ in range(8):
        SEEN.clear()
        found.append(step(nlp, examples, optimizer, annotates=FOUND)["docre_relations"])
        assert [entities(doc) for doc in SEEN] == [entities(eg.reference) for eg in examples]
    return found


def test_found_entities_that_are_the_annotated_ones_teach_the_same():
    assert losses(1.0) == pytest.approx(losses(0.0), abs=1e-6)


def test_relations_go_to_the_entities_that_share_mentions():
    """Found: London, Babbage by his name, a part of Ada, and "worked" between. Only Ada's relations and London's hold.

    Of the reference's Ada (0), London (1), Babbage (2): born (0, 1), colleague (0, 2) and (2, 0). Rows of the pairs
    among four, without the diagonal: Ada is 2, so (2, 0) is row 6, (2, 1) row 7, and (1, 2) row 4.
    """
    reference = make_doc()
    found = unlabelled(reference)
    set_entities(found, [[found[5:6]], [found[10:12]], [found[7:8]], [found[8:9]]])
    labels = {"place of birth": 0, "colleague": 1}
    result = MixedTargets(mode="closed_world")([found], [reference], PairBatch.from_docs([found]), labels)
    assert result.values.shape == (12, 2)
    assert np.argwhere(result.values).tolist() == [[4, 1], [6, 0], [7, 1]]
    assert result.known is None


def test_relations_are_learned_between_found_entities():
    """No pronoun is found, neither in training nor afterwards: all relations between names."""
    nlp = ruler_pipeline(predicted_share=1.0)
    examples = two_examples(nlp)
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(60):
        step(nlp, examples, optimizer, annotates=FOUND)
    for example, expected in zip(examples, BY_RULES):
        doc = nlp(nlp.make_doc(example.reference.text))
        assert entities(doc) == expected
        assert triples(doc) == triples(example.reference)
