"""The forward pass of `transformer` models: spacy-transformers', with an alignment that does not loop over tokens."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX
from spacy.tokens import Doc, Span
from spacy_transformers.align import get_alignment
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from spacy_transformers.layers.transformer_model import huggingface_tokenize
from spacy_transformers.truncate import truncate_oversize_splits
from thinc.api import Model, torch2xp
from thinc.types import Ints1d, Ragged
from transformers.file_utils import ModelOutput


def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[FullTransformerBatch, Callable]:
    """Windows of the documents through tokenizer and encoder."""
    tokenizer: Any = model.tokenizer  # type: ignore[attr-defined]
    nested = model.attrs["get_spans"](docs)
    spans = [span for of_doc in nested for span in of_doc]
    texts = [span.text for span in spans]
    if tokenizer.is_fast and texts:
        pieces, offsets = tokenize(tokenizer, texts)
        align = align_by_offsets(spans, offsets)
    else:  # others do not know where their pieces are in the text
        pieces = WordpieceBatch.from_batch_encoding(huggingface_tokenize(tokenizer, texts))
        align = get_alignment(spans, pieces.strings, tokenizer.all_special_tokens)
    pieces, align = truncate_oversize_splits(pieces, align, tokenizer.model_max_length)
    output, backprop = model.layers[0](pieces, is_train)

    def backprop_docs(d_output: FullTransformerBatch) -> list[Doc]:
        backprop(d_output.model_output)
        return docs

    return EncodedBatch(spans=nested, wordpieces=pieces, model_output=output, align=align), backprop_docs


class EncodedBatch(FullTransformerBatch):
    """spacy-transformers' batch, cut into documents without a look at each token: their windows hold all of them."""

    def split_by_doc(self) -> list[TransformerData]:
        if list(self.model_output) != ["last_hidden_state"]:
            return super().split_by_doc()
        hidden = torch2xp(self.model_output["last_hidden_state"])
        n_pieces = self.wordpieces.input_ids.shape[1]
        parts: list[TransformerData] = []
        row = token = 0
        for spans in self.spans:
            rows = slice(row, row + len(spans))
            if not spans or not len(spans[0]):
                parts.append(TransformerData.empty())
                row = rows.stop
                continue
            align = self.align[token + spans[0].start : token + spans[-1].end]
            align.data = align.data - row * n_pieces
            output = ModelOutput(last_hidden_state=hidden[rows])
            parts.append(TransformerData(wordpieces=self.wordpieces[rows], model_output=output, align=align))
            row, token = rows.stop, token + len(spans[0].doc)
        return parts


def tokenize(tokenizer: Any, texts: Sequence[str]) -> tuple[WordpieceBatch, NDArray[np.int64]]:
    """The word pieces of texts, as spacy-transformers has them, and their offsets (n_texts, n_pieces, 2); for a "fast"
    tokenizer."""
    encoding = tokenizer(
        texts, return_attention_mask=True, return_offsets_mapping=True, return_tensors="np", padding="longest"
    )
    pieces = WordpieceBatch(
        strings=[of_text.tokens for of_text in encoding.encodings],
        input_ids=encoding["input_ids"],
        attention_mask=encoding["attention_mask"].astype("f"),
        lengths=encoding["attention_mask"].sum(1).tolist(),
        token_type_ids=encoding.get("token_type_ids"),
    )
    return pieces, encoding["offset_mapping"]


def align_by_offsets(spans: Sequence[Span], offsets: NDArray[np.int64]) -> Ragged:
    """Which word pieces each token consists of, as `spacy_transformers.align.get_alignment_via_offset_mapping` has it.

    offsets (n_spans, n_pieces, 2): first character of each piece in its span's text, and the one after the last
    -> for each token of the spans' documents, rows of the flattened pieces (n_spans · n_pieces). A token that stands in
    two windows has the pieces of both; a piece that covers two tokens belongs to both, and a space to the token
    before it.
    """
    first_tokens: dict[Doc, int] = {}
    starts: dict[Doc, NDArray[np.int64]] = {}
    n_tokens = 0
    tokens, rows = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for i, span in enumerate(spans):
        doc = span.doc
        if doc not in starts:
            starts[doc] = doc.to_array(IDX).astype(np.int64)
            first_tokens[doc] = n_tokens
            n_tokens += len(doc)
        used = np.flatnonzero(offsets[i, :, 1] > offsets[i, :, 0])  # neither special tokens nor padding
        if not len(span):
            continue  # of an empty document
        characters = starts[doc][span.start : span.end]
        ends = np.searchsorted(characters, offsets[i, used] - (0, 1) + characters[0], side="right") - 1
        first, last = ends[:, 0], ends[:, 1]
        n = last - first + 1
        places = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        tokens.append(first_tokens[doc] + span.start + np.repeat(first, n) + places)
        rows.append(i * offsets.shape[1] + np.repeat(used, n))
    flat_tokens, flat_rows = np.concatenate(tokens), np.concatenate(rows)
    order = np.argsort(flat_tokens, kind="stable")  # rows of one token are in order already
    lengths = np.bincount(flat_tokens, minlength=n_tokens)
    return Ragged(cast(Ints1d, flat_rows[order].astype("i")), cast(Ints1d, lengths.astype("i")))
