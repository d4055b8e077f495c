"""Which sentences speak for a relation? The rule of the package against the attention of the model.

    python benchmarks/evidence.py MODEL corpus/redocred/dev.spacy

For every gold fact with evidence: the sentences that name both entities, or else the nearest two (the rule), and
sentences by their share of the pair's attention q (ATLOP, eq. 10), for several thresholds.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from common import RESULTS, machine, write_result
from spacy.tokens import Doc, DocBin

from spacy_docre import get_relations
from spacy_docre.annotations import get_entities
from spacy_docre.features.evidence import Evidence, sentence_starts
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.layers.localised_context import pair_attention
from spacy_docre.models.docre import to_torch

THRESHOLDS = (0.1, 0.2, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="trained pipeline")
    parser.add_argument("data", type=Path, help=".spacy file with evidence")
    args = parser.parse_args()
    nlp = spacy.load(args.model)
    docs = list(DocBin().from_disk(args.data).get_docs(nlp.vocab))
    result = {
        "what": "F1 of evidence sentences for gold facts that have evidence, by method",
        "data": {"file": args.data.name, "documents": len(docs)},
        "machine": machine(),
        "methods": measure(nlp, docs),
    }
    for method, scores in result["methods"].items():
        print(f"{method:24} F1 {scores['f']:.3f}  P {scores['p']:.3f}  R {scores['r']:.3f}")
    write_result(RESULTS / "evidence.json", result)


def measure(nlp: Any, docs: list[Doc]) -> dict[str, dict[str, float]]:
    hits, n_said, n_gold = defaultdict(int), defaultdict(int), 0
    for doc in docs:
        starts, mass = attention_by_sentence(nlp, doc)
        entities = get_entities(doc)
        number = {e.id: i for i, e in enumerate(entities)}
        rule = Evidence(doc, entities)
        for relation in get_relations(doc):
            gold = {starts.index(doc[span.start].sent.start) for span in relation.evidence}
            if not gold:
                continue
            n_gold += len(gold)
            h, t = number[relation.head.id], number[relation.tail.id]
            said = {"rule": {starts.index(start) for start, _ in rule(h, t)}}
            for threshold in THRESHOLDS:
                said[f"attention > {threshold}"] = set(np.flatnonzero(mass[h, t] > threshold)) or {mass[h, t].argmax()}
            for method, sentences in said.items():
                hits[method] += len(sentences & gold)
                n_said[method] += len(sentences)
    return {
        m: {"p": hits[m] / n_said[m], "r": hits[m] / n_gold, "f": 2 * hits[m] / (n_said[m] + n_gold)} for m in n_said
    }


def attention_by_sentence(nlp: Any, doc: Doc) -> tuple[list[int], np.ndarray]:
    """First tokens of the sentences, and each pair's attention to each: (n_entities, n_entities, n_sentences)"""
    starts = sentence_starts(doc)
    encoder, component = nlp.get_pipe("transformer"), nlp.get_pipe("docre_relations")
    encoder.set_annotations([doc], encoder.predict([doc]))
    vectors = component.model.get_ref("tok2vec").predict([doc])[0]
    batch = PairBatch.from_docs([doc])
    groups = batch.groups(max_cells=10**6, max_tokens=10**6, max_padding=1.0, never_across=10**6)
    grid = to_torch(batch, next(iter(groups)), torch.device("cpu"))
    head = component.model.get_ref("head").shims[0]._model.docre_head
    with torch.no_grad():
        tokens = torch.from_numpy(vectors)[grid.tokens]
        _, attention = head.read_entities(tokens, (tokens != 0).any(-1), grid)
        focus = pair_attention(attention, attention)[0]  # (n_entities², n_tokens)
    sentence = torch.bucketize(torch.arange(len(doc)), torch.tensor(starts), right=True) - 1
    mass = torch.zeros(len(focus), len(starts)).index_add_(1, sentence, focus)
    n = attention.shape[2]
    return starts, mass.unflatten(0, (n, n)).numpy()


if __name__ == "__main__":
    main()
