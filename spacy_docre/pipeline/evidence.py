"""The evidence of what was predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..features.evidence import Evidence
from .decoding import DocPrediction


def add_evidence(
    model: Model | None, docs: Sequence[Doc], predictions: Sequence[DocPrediction], vectors: Mapping[int, Floats2d] = {}
) -> list[DocPrediction]:
    """model: whose attention has learned from evidence; None goes by the rule.
    vectors: of the tokens of all documents with pairs, by their number, where the model has read them already."""
    found = list(predictions)
    chosen = [i for i, prediction in enumerate(found) if prediction.relations]
    rules = [Evidence(docs[i], found[i].entities) for i in chosen]
    if model is None or not chosen:
        evidence = [[rule(h, t) for h, _, t, _ in found[i].relations] for i, rule in zip(chosen, rules)]
    else:
        from ..models.evidence import predict_focus  # with it come safetensors and all of the head

        pairs = [np.array([(h, t) for h, _, t, _ in found[i].relations], dtype=np.int64) for i in chosen]
        starts = [rule.starts for rule in rules]
        read = [vectors[i] for i in chosen] if vectors else None
        shares = predict_focus(model, [docs[i] for i in chosen], pairs, starts, read)
        evidence = [
            [rule.by_attention(h, t, share) for (h, t), share in zip(some.tolist(), rows)]
            for rule, some, rows in zip(rules, pairs, shares)
        ]
    for i, ranges in zip(chosen, evidence):
        found[i] = replace(found[i], evidence=ranges)
    return found
