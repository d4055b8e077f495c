"""Predictions that would be wrong without a word: of other threads' entities, changed tokens, failed weights."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from spacy.tokens import Doc, Span

from spacy_docre import get_relations, set_entities

from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, overfit, transformer_pipeline, unlabelled


@pytest.fixture(scope="module")
def nlp():
    nlp = hash_pipeline()
    overfit(nlp, steps=3)
    return nlp


def test_threads_do_not_take_each_others_entities(nlp):
    """As a web server's threads, on one pipeline."""
    component = nlp.get_pipe("docre_relations")
    docs = []
    for first in (0, 40):
        doc = Doc(nlp.vocab, words=[f"w{i}" for i in range(400)])
        set_entities(doc, [[Span(doc, first + i, first + i + 1 + first // 40, label="PER")] for i in range(0, 30, 3)])
        docs.append(doc)
    alone = [component.predict_logits([doc])[0] for doc in docs]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda i: component.predict_logits([docs[i % 2]])[0], range(40)))
    assert all(np.allclose(logits, alone[i % 2], atol=1e-4) for i, logits in enumerate(found))


def test_weights_that_give_no_numbers_are_said(tmp_path):
    nlp = hash_pipeline()
    overfit(nlp, steps=1)
    head = nlp.get_pipe("docre_relations").model.get_ref("head").shims[0]._model
    for weight in head.parameters():
        weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"docre-E154.*float32"):
        nlp(make_doc(nlp.vocab))


def test_tokens_that_were_merged_after_the_encoder_are_said(encoder):
    """Otherwise the next document of the batch would read this one's vectors."""
    nlp = transformer_pipeline(encoder)
    overfit(nlp, steps=1)
    nlp.add_pipe("merge_entities", after="transformer")
    doc = unlabelled(make_doc(), nlp.vocab)
    doc.ents = [Span(doc, 0, 2, label="PER")]
    with pytest.raises(ValueError, match=r"docre-E155.*merge_entities"):
        nlp(doc)


@pytest.mark.parametrize("text", ["\u0301", "\ufe0f", " \u0301"])
def test_accents_alone_are_no_text(encoder, text):
    """The encoder's tokenizer leaves them out; the other documents of the batch are as ever."""
    nlp = transformer_pipeline(encoder)
    overfit(nlp, steps=1)
    docs = [nlp.make_doc(text), crowd(nlp.vocab, 3)]
    assert [len(get_relations(doc)) >= 0 for doc in nlp.pipe(docs)] == [True, True]
