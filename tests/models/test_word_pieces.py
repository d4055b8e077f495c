"""Which word pieces a token consists of: the same as spacy-transformers says, whatever the text."""

import random

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy_transformers.align import get_alignment_via_offset_mapping
from spacy_transformers.data_classes import FullTransformerBatch, WordpieceBatch
from spacy_transformers.layers.transformer_model import huggingface_tokenize
from spacy_transformers.span_getters import configure_strided_spans
from transformers import AutoTokenizer
from transformers.file_utils import ModelOutput

from spacy_docre.models.word_pieces import EncodedBatch, align_by_offsets, tokenize

from ..conftest import make_doc
from ..pipelines import make_hopper_doc, overfit, scored, transformer_pipeline, unlabelled

WORDS = [
    *("a", "b", "x" * 40, "don't", "naïve-ly", "Straße", "ﬁ", "é", "中文", "١٢", "😀", "…"),
    *(" ", "  ", "\n", "\u0301", "\x00", "\u200b", "\ufeff"),
]
nlp = spacy.blank("en")


@pytest.fixture(scope="module")
def tokenizer(encoder):
    return AutoTokenizer.from_pretrained(encoder)


def align_both_ways(tokenizer, docs, *, window: int, stride: int):
    spans = [span for of_doc in configure_strided_spans(window, stride)(docs) for span in of_doc]
    offsets = huggingface_tokenize(tokenizer, [span.text for span in spans])["offset_mapping"]
    return align_by_offsets(spans, offsets), get_alignment_via_offset_mapping(spans, offsets)


@pytest.mark.parametrize("seed", range(200))
def test_alignment_is_that_of_spacy_transformers(tokenizer, seed):
    rng = random.Random(seed)
    docs = []
    for _ in range(rng.randint(1, 3)):
        words = rng.choices(WORDS, k=rng.randint(1, 30))
        spaces = [rng.random() < 0.5 for _ in words]
        docs.append(Doc(nlp.vocab, words=words, spaces=spaces) if seed % 2 else nlp("a" + " ".join(words)))
    ours, theirs = align_both_ways(tokenizer, docs, window=9, stride=6)
    assert np.array_equal(ours.dataXd, theirs.dataXd)
    assert np.array_equal(ours.lengths, theirs.lengths)
    assert (ours.dataXd.dtype, ours.lengths.dtype) == (theirs.dataXd.dtype, theirs.lengths.dtype)


@pytest.mark.parametrize("more", [False, True], ids=["hidden states", "and others"])
def test_documents_get_the_part_that_spacy_transformers_gives_them(tokenizer, more):
    """Of several windows, of one, and of none."""
    docs = [nlp("a " * 20), nlp(""), nlp("Straße 😀 x"), nlp("b " * 11)]
    nested = configure_strided_spans(9, 6)(docs)
    spans = [span for of_doc in nested for span in of_doc]
    pieces, offsets = tokenize(tokenizer, [span.text for span in spans])
    hidden = torch.randn(*pieces.input_ids.shape, 4)
    output = ModelOutput(last_hidden_state=hidden, **({"pooler_output": hidden[:, 0]} if more else {}))
    batch = {"spans": nested, "wordpieces": pieces, "model_output": output, "align": align_by_offsets(spans, offsets)}
    ours, theirs = EncodedBatch(**batch).doc_data, FullTransformerBatch(**batch).doc_data
    assert len(ours) == len(theirs) == 4
    for part, expected in zip(ours, theirs):
        assert part.wordpieces.strings == expected.wordpieces.strings
        assert list(part.model_output) == list(expected.model_output)
        for name, array in expected.model_output.items():
            assert np.array_equal(part.model_output[name], array)
        assert np.array_equal(part.align.dataXd, expected.align.dataXd)
        assert np.array_equal(part.align.lengths, expected.align.lengths)


def test_word_pieces_are_those_of_spacy_transformers(tokenizer):
    texts = ["Ada Lovelace was born in London.", "", "x é [PAD] 😀", "a" * 300]
    ours, offsets = tokenize(tokenizer, texts)
    encoding = huggingface_tokenize(tokenizer, texts)
    theirs = WordpieceBatch.from_batch_encoding(encoding)
    assert ours.strings == theirs.strings
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert ours.lengths[:2] == theirs.lengths[:2]
    assert ours.lengths[2] == theirs.lengths[2] + 1, "a [PAD] in the text is a piece of it"
    assert np.array_equal(offsets, encoding["offset_mapping"])


def test_pieces_of_both_windows_of_a_token(tokenizer):
    ours, _ = align_both_ways(tokenizer, [Doc(nlp.vocab, words=["a", "b", "a"])], window=2, stride=1)
    # [CLS] a b [SEP] [CLS] b a [SEP]
    assert ours.lengths.tolist() == [1, 2, 1]
    assert ours.dataXd.tolist() == [1, 2, 5, 6]


def test_no_spans_no_pieces():
    ours = align_by_offsets([], np.zeros((0, 0, 2), dtype=np.int64))
    assert ours.dataXd.tolist() == ours.lengths.tolist() == []


def test_windows_of_whole_documents_may_be_empty(encoder):
    """doc_spans gives an empty document a window without tokens; the next one's vectors stay its own."""
    pipeline = transformer_pipeline(encoder, {"get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"}})
    overfit(pipeline, steps=20)
    docs = [unlabelled(doc, pipeline.vocab) for doc in (make_doc(), make_hopper_doc())]
    alone = [scored(pipeline(doc.copy())) for doc in docs]
    first, empty, last = pipeline.pipe([docs[0], pipeline.make_doc(""), docs[1]])
    assert scored(empty) == {}
    assert [scored(first), scored(last)] == [pytest.approx(expected, abs=1e-4) for expected in alone]
    assert any(alone)
