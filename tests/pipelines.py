"""Small pipelines, the documents they learn, and a training step as `spacy train` takes it."""

from collections.abc import Mapping
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Optimizer, fix_random_seed

from spacy_docre import get_relations, set_entities, set_relations
from spacy_docre.annotations import copy_mentions
from spacy_docre.training.adamw import create_adamw_v1

from .conftest import make_doc
from .test_old_models import TINY

SMALL_HEAD = {
    "hidden_width": 32,
    "attention": {"n_heads": 2, "head_width": 16},
    "pair_scorer": {"block_size": 8},
    "axial": {"n_layers": 1, "n_heads": 2},
}
HASH_EMBED = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 32,
    "depth": 1,
    "embed_size": 500,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
    "pretrained_vectors": None,
}
WINDOWS = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 320, "stride": 240}


def hash_pipeline(model: dict = {}, **settings) -> Language:
    """A blank pipeline whose relations need no other component. model: changes to the small model."""
    nlp = spacy.blank("en")
    config = {"model": {**SMALL_HEAD, "tok2vec": HASH_EMBED, **model}, **settings}
    nlp.add_pipe("docre_relations", config=config)
    return nlp


def transformer_pipeline(encoder, model: dict = {}, head: dict = {}, **settings) -> Language:
    """A transformer and the relation head that listens to it. model, head: changes to either's model."""
    nlp = spacy.blank("en")
    trf = {
        "@architectures": "spacy-docre.TransformerModel.v1",
        "name": str(encoder),
        "get_spans": WINDOWS,
        "tokenizer_config": {"use_fast": True},
        **model,
    }
    nlp.add_pipe("transformer", config={"model": trf})
    nlp.add_pipe("docre_relations", config={"model": {**SMALL_HEAD, **head}, **settings})
    return nlp


def save_naming_pipeline(folder: Path, names: Mapping[str, str]) -> Path:
    """The tiny trained pipeline, which finds its own sentences, and entities by their names. names: to types"""
    nlp = spacy.load(TINY)
    nlp.add_pipe("sentencizer", first=True)
    ruler = nlp.add_pipe("entity_ruler", before="docre_relations")
    ruler.add_patterns([{"label": label, "pattern": name} for name, label in names.items()])
    nlp.to_disk(folder)
    return folder


def make_hopper_doc(vocab: Vocab | None = None) -> Doc:
    """Grace Hopper (0) died in New York (1). She (0) founded the Navy (2)."""
    words = ["Grace", "Hopper", "died", "in", "New", "York", ".", "She", "founded", "the", "Navy", "."]
    doc = Doc(vocab or Vocab(), words=words, sent_starts=[i in (0, 7) for i in range(len(words))])
    grace = [Span(doc, 0, 2, label="PER"), Span(doc, 7, 8, label="PER")]
    set_entities(doc, [grace, [Span(doc, 4, 6, label="LOC")], [Span(doc, 10, 11, label="ORG")]])
    relations = [("0", "place of death", "1"), ("0", "founder of", "2"), ("2", "founded by", "0")]
    set_relations(doc, relations, status="complete")
    return doc


def crowd(vocab: Vocab, n_entities: int, *, status: str | None = None) -> Doc:
    """A document in which every word is an entity."""
    doc = Doc(vocab, words=[f"w{i}" for i in range(max(1, n_entities))])
    set_entities(doc, [[Span(doc, i, i + 1, label="PER")] for i in range(n_entities)])
    set_relations(doc, [], status=status)
    return doc


def unlabelled(reference: Doc, vocab: Vocab | None = None, *, sentences: bool = True) -> Doc:
    """The same tokens, sentences and entities, without relations."""
    words, spaces = [t.text for t in reference], [bool(t.whitespace_) for t in reference]
    sentences = sentences and reference.has_annotation("SENT_START")
    starts = [t.is_sent_start for t in reference] if sentences else None
    doc = Doc(vocab or reference.vocab, words=words, spaces=spaces, sent_starts=starts)
    copy_mentions(reference, doc)
    return doc


def two_examples(nlp: Language) -> list[Example]:
    return [Example(unlabelled(doc), doc) for doc in (make_doc(nlp.vocab), make_hopper_doc(nlp.vocab))]


def initialised(nlp: Language, examples: list[Example] | None = None) -> Language:
    examples = examples or two_examples(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    return nlp


def step(nlp: Language, examples: list[Example], optimizer: Optimizer, **settings) -> dict[str, float]:
    """One step as `spacy train` takes it: all gradients first, then every component's weights."""
    losses = nlp.update(examples, sgd=False, **settings)
    for name, pipe in nlp.pipeline:
        if name not in settings.get("exclude", ()) and getattr(pipe, "is_trainable", False):
            pipe.finish_update(optimizer)
    optimizer.step_schedules()
    return losses


def overfit(nlp: Language, *, steps: int = 60, rate: float = 3e-3, **settings) -> list[Example]:
    """Initialise, and train on the two documents; returns them."""
    examples = two_examples(nlp)
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=rate, head_learn_rate=rate, weight_decay=0.0)
    for _ in range(steps):
        step(nlp, examples, optimizer, **settings)
    return examples


def triples(doc: Doc) -> set[tuple[str, str, str]]:
    return {(r.head.id, r.label_, r.tail.id) for r in get_relations(doc)}


def scored(doc: Doc) -> dict[tuple[str, str, str], float]:
    return {(r.head.id, r.label_, r.tail.id): r.score for r in get_relations(doc)}
