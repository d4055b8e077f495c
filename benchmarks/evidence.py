"""Which sentences speak for a relation? The rule of the package against the attention of the model.

    python benchmarks/evidence.py NAME MODEL corpus/redocred/dev.spacy

For every gold fact with evidence: the sentences that name both entities, or else the nearest two (the rule), sentences
by their share of the pair's attention q (ATLOP, eq. 10), for several thresholds, and both together, as a component
chooses whose attention was taught. NAME is that of the model in the results.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from common import RESULTS, machine, write_result
from spacy.tokens import Doc, DocBin

from spacy_docre import get_relations
from spacy_docre.annotations import get_entities
from spacy_docre.features.evidence import Evidence, sentence_starts
from spacy_docre.models.evidence import predict_focus

THRESHOLDS = (0.1, 0.2, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the model in the results")
    parser.add_argument("model", help="trained pipeline")
    parser.add_argument("data", type=Path, help=".spacy file with evidence")
    args = parser.parse_args()
    nlp = spacy.load(args.model)
    docs = list(DocBin().from_disk(args.data).get_docs(nlp.vocab))
    path = RESULTS / "evidence.json"
    result = json.loads(path.read_text(encoding="utf8")) if path.exists() else {"models": {}}
    result.update(
        what="F1 of evidence sentences for gold facts that have evidence, by method",
        data={"file": args.data.name, "documents": len(docs)},
        machine=machine(),
    )
    result["models"][args.name] = measure(nlp, docs)
    for method, scores in result["models"][args.name].items():
        print(f"{method:24} F1 {scores['f']:.3f}  P {scores['p']:.3f}  R {scores['r']:.3f}")
    write_result(path, result)


def measure(nlp: Any, docs: list[Doc]) -> dict[str, dict[str, float]]:
    hits, n_said, n_gold = defaultdict(int), defaultdict(int), 0
    for doc in docs:
        entities, starts = get_entities(doc), sentence_starts(doc)
        number = {e.id: i for i, e in enumerate(entities)}
        rule = Evidence(doc, entities)
        relations = [r for r in get_relations(doc) if r.evidence]
        if not relations:
            continue
        pairs = np.array([(number[r.head.id], number[r.tail.id]) for r in relations])
        for relation, (h, t), shares in zip(relations, pairs.tolist(), attention_by_sentence(nlp, doc, pairs)):
            gold = {starts.index(doc[span.start].sent.start) for span in relation.evidence}
            n_gold += len(gold)
            said = {
                "rule": {starts.index(start) for start, _ in rule(h, t)},
                "rule and attention": {starts.index(start) for start, _ in rule.by_attention(h, t, shares)},
            }
            for threshold in THRESHOLDS:
                said[f"attention > {threshold}"] = set(np.flatnonzero(shares > threshold)) or {shares.argmax()}
            for method, sentences in said.items():
                hits[method] += len(sentences & gold)
                n_said[method] += len(sentences)
    return {
        m: {"p": hits[m] / n_said[m], "r": hits[m] / n_gold, "f": 2 * hits[m] / (n_said[m] + n_gold)} for m in n_said
    }


def attention_by_sentence(nlp: Any, doc: Doc, pairs: np.ndarray) -> np.ndarray:
    """The share of each pair's attention on each sentence: (n_pairs, n_sentences)"""
    encoder, component = nlp.get_pipe("transformer"), nlp.get_pipe("docre_relations")
    encoder.set_annotations([doc], encoder.predict([doc]))
    return predict_focus(component.model, [doc], [pairs], [sentence_starts(doc)])[0]


if __name__ == "__main__":
    main()
