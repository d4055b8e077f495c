"""What pairs of entities look at."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model, PyTorchShim, xp2torch
from thinc.types import Floats2d

from ..features.pair_batch import Ints, PairBatch
from ..layers.evidence import share_of_parts
from .docre import to_torch

MAX_FOCUS = 8_000_000  # attention of pairs, times heads, that is in memory at once: 32 MB


def predict_focus(
    model: Model,
    docs: Sequence[Doc],
    pairs: Sequence[Ints],
    starts: Sequence[Sequence[int]],
    vectors: Sequence[Floats2d] | None = None,
) -> list[NDArray[np.float32]]:
    """How much of the attention of some pairs of entities is on each part of their document.

    pairs: of each document (n_pairs, 2), at least one; starts: the first tokens of its parts.
    vectors: of the tokens of each document, where the model has read them already.
    -> (n_pairs, n_parts) for each
    """
    shim = cast(PyTorchShim, model.get_ref("head").shims[0])
    docre_head: Any = shim._model.docre_head
    found = []
    with torch.no_grad():
        vectors = vectors or model.get_ref("tok2vec").predict(docs)
        for doc, tokens, some, first in zip(docs, vectors, pairs, starts):
            grid = to_torch(PairBatch.from_docs([doc]), np.array([0]), shim.device)
            attention = docre_head.attention_of(xp2torch(tokens, device=shim.device), grid)
            at_once = max(1, MAX_FOCUS // (attention.shape[1] * attention.shape[3]))
            ends = torch.tensor([*first[1:], len(doc)], device=shim.device)
            chunks = torch.from_numpy(some).to(shim.device).split(at_once)
            shares = [share_of_parts(attention, rows[:, 0], rows[:, 1], ends) for rows in chunks]
            found.append(torch.cat(shares).cpu().numpy())
    return found
