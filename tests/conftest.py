"""Shared fixtures: a tiny real transformer, and documents that a model can learn."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import install_extensions, set_entities, set_relations
from spacy_docre.errors import once

WORDS = (
    "ada lovelace was born in london . she worked with charles babbage on the analytical engine grace hopper new york "
    "navy he paris marie curie and died ; founded wrote a book of"
).split()


@pytest.fixture(scope="session", autouse=True)
def _extensions():
    install_extensions()


@pytest.fixture(autouse=True)
def _each_test_warns_anew(monkeypatch):
    monkeypatch.setattr(once, "_given", set())


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """A BERT with random weights, 2 layers and width 32: everything real but the size."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,;()'-é")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join([*pieces, *dict.fromkeys(w for w in WORDS if len(w) > 1)]), encoding="utf8")
    config = BertConfig(
        vocab_size=len(vocab.read_text(encoding="utf8").split("\n")),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
    )
    import torch

    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(vocab), model_max_length=512).save_pretrained(folder)
    return folder


def make_doc(vocab: Vocab | None = None) -> Doc:
    """Ada Lovelace (0) was born in London (1). She (0) worked with Charles Babbage (2)."""
    words = "Ada Lovelace was born in London . She worked with Charles Babbage .".split()
    doc = Doc(vocab or Vocab(), words=words, sent_starts=[i in (0, 7) for i in range(len(words))])
    ada = [Span(doc, 0, 2, label="PER"), Span(doc, 7, 8, label="PER")]
    set_entities(doc, [ada, [Span(doc, 5, 6, label="LOC")], [Span(doc, 10, 12, label="PER")]])
    set_relations(
        doc,
        [("0", "place of birth", "1", 1.0, [(0, 7)]), ("0", "colleague", "2"), ("2", "colleague", "0")],
        status="complete",
    )
    return doc


@pytest.fixture
def ada() -> Doc:
    return make_doc()


@pytest.fixture
def blank():
    return spacy.blank("en")
