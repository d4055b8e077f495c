"""Training on entities that earlier components find, from a ruler's to those of a ner beside the relations."""

import random
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from thinc.api import fix_random_seed

from spacy_docre import get_entities, get_relations, set_entities, set_relations
from spacy_docre.annotations import MENTIONS_KEY, has_mentions
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.features.targets import MixedTargets
from spacy_docre.readers.shards import write_shard
from spacy_docre.training.adamw import create_adamw_v1
from spacy_docre.training.callbacks import create_copy_weights_v1

from ..conftest import make_doc
from ..pipelines import (
    HASH_EMBED,
    hash_pipeline,
    initialised,
    make_hopper_doc,
    step,
    transformer_pipeline,
    triples,
    two_examples,
    unlabelled,
)
from ..training.test_copy_weights import finetune_config

CONFIG = Path(__file__).parents[2] / "configs" / "docre_pipeline.cfg"
NAMES = {"Ada Lovelace": "PER", "London": "LOC", "Charles Babbage": "PER"}
NAMES |= {"Grace Hopper": "PER", "New York": "LOC", "Navy": "ORG", "Lovelace": "PER", "Hopper": "PER"}
FOUND = ["entity_ruler", "docre_entities", "test_predicted_probe"]  # that annotate
SEEN: list[Doc] = []
LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "pooling": {"@layers": "reduce_mean.v1"},
}


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
    kinds = [doc == gold for _ in range(20) for doc, gold in zip(seen(nlp, examples, optimizer), ANNOTATED)]
    assert 10 < sum(kinds) < 30


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


def named(doc: Doc, name: str) -> Doc:
    """With a name instead of "She", so that rules find all mentions."""
    result = Doc(doc.vocab, words=[name if t.text == "She" else t.text for t in doc])
    spans = [[Span(result, m.start, m.end, label=m.label_) for m in e.mentions] for e in get_entities(doc)]
    set_entities(result, spans)
    set_relations(result, get_relations(doc), status="complete")
    return result


def losses(share: float) -> list[float]:
    nlp = ruler_pipeline(predicted_share=share)
    docs = [named(make_doc(nlp.vocab), "Lovelace"), named(make_hopper_doc(nlp.vocab), "Hopper")]
    examples = [Example(unlabelled(doc), doc) for doc in docs]
    initialised(nlp, examples)
    fix_random_seed(0)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3)
    found = []
    for _ in range(8):
        SEEN.clear()
        found.append(step(nlp, examples, optimizer, annotates=FOUND)["docre_relations"])
        assert [entities(doc) for doc in SEEN] == [entities(doc) for doc in docs]
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


def with_ents(doc: Doc) -> Doc:
    doc.ents = list(doc.spans[MENTIONS_KEY])
    return doc


def ner_pipeline(encoder, **settings) -> Language:
    """As configs/docre_pipeline.cfg: a ner and relations that listen to one encoder."""
    nlp = transformer_pipeline(encoder)
    ner = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner", "extra_state_tokens": False}
    ner |= {"hidden_width": 32, "maxout_pieces": 2, "use_upper": False, "nO": None, "tok2vec": LISTENER}
    nlp.add_pipe("ner", after="transformer", config={"model": ner})
    nlp.add_pipe("docre_entities", after="ner", config={"predicted_share": 1.0, "ramp_steps": 40, **settings})
    nlp.add_pipe("test_predicted_probe", after="docre_entities")
    return nlp


def ner_examples(nlp: Language) -> list[Example]:
    return [Example(eg.predicted, with_ents(eg.reference)) for eg in two_examples(nlp)]


def trained_with_ner(encoder, annotates) -> tuple[Language, list[Example]]:
    nlp = ner_pipeline(encoder)
    examples = ner_examples(nlp)
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(80):
        seen(nlp, examples, optimizer, annotates=annotates)
    return nlp, examples


def ents(doc: Doc) -> list[tuple[str, str]]:
    return [(e.text, e.label_) for e in doc.ents]


def test_a_ner_that_sees_the_annotating_encoder_is_right(encoder):
    """In training as afterwards, from the text alone: its entities, and the relations between them."""
    nlp, examples = trained_with_ner(encoder, ["transformer", "ner", "docre_entities", "test_predicted_probe"])
    gold = [ents(example.reference) for example in examples]
    assert [ents(doc) for doc in SEEN] == gold
    docs = [nlp(nlp.make_doc(example.reference.text)) for example in examples]
    assert [ents(doc) for doc in docs] == gold
    names = [{(r.head.name, r.label_, r.tail.name) for r in get_relations(doc)} for doc in docs]
    assert names == [{(r.head.name, r.label_, r.tail.name) for r in get_relations(eg.reference)} for eg in examples]


def test_a_ner_whose_encoder_does_not_annotate_sees_zeros_in_training(encoder):
    """What it has learned is right, but in training it finds the same in all texts with sentences of these lengths."""
    annotates = ["ner", "docre_entities", "test_predicted_probe"]
    nlp, examples = trained_with_ner(encoder, annotates)
    gold = [ents(example.reference) for example in examples]
    assert [ents(nlp(nlp.make_doc(example.reference.text))) for example in examples] == gold
    assert [ents(doc) for doc in SEEN] != gold
    words = "Navy and Ada died in Paris . He founded New York in London".split()
    other = Doc(nlp.vocab, words=words, sent_starts=[i in (0, 7) for i in range(len(words))])
    assert len(other) == len(examples[0].predicted)
    nothing = Doc(nlp.vocab, words=words, ents=["O"] * len(words))
    seen(nlp, [examples[0], Example(other, nothing)], annotates=annotates)
    first, second = ([(e.start, e.end, e.label_) for e in doc.ents] for doc in SEEN)
    assert first == second != []


def test_a_batch_without_pairs_still_teaches_the_encoder_what_the_ner_needs(encoder):
    """One entity each: the relations have nothing to learn from, and pass on the ner's gradient."""
    nlp = initialised(ner_pipeline(encoder), ner_examples(ner_pipeline(encoder)))
    examples = ner_examples(nlp)
    for example in examples:
        set_entities(example.predicted, get_entities(example.predicted)[:1])
    before = [w.detach().clone() for w in nlp.get_pipe("transformer").model.transformer.parameters()]
    step(nlp, examples, create_adamw_v1(weight_decay=0.0))
    after = list(nlp.get_pipe("transformer").model.transformer.parameters())
    assert sum(bool((old != new).any()) for old, new in zip(before, after)) > len(before) / 2


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "train.spacy"
    write_shard([with_ents(make_doc()), with_ents(make_hopper_doc())] * 2, path)
    return path
