"""Baselines that do not read, on the fictional corpus: what it takes to be better than guessing.

    python benchmarks/baselines.py

type prior: the labels that pairs of these two types often have. nearest trigger: words that go with a label
in training, and the pair of fitting types that stands nearest to one. bag of words: logistic regression on the
types and the words of the sentences that name both entities. Each has one threshold, chosen on dev.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, ROOT, machine, write_result
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

CORPUS = ROOT / "assets" / "fictional"
N_TRIGGERS = 12  # words for each label
Scores = dict[tuple[int, int, int, str], float]  # (document, head, tail, label): how likely
Scorer = Callable[[list[dict[str, Any]]], Scores]


@dataclass(frozen=True)
class Pair:
    doc: int
    head: int
    tail: int
    types: tuple[str, str]
    words: frozenset[str]
    labels: frozenset[str]


def main() -> None:
    result = {"what": "baselines that do not read, on the fictional corpus", "machine": machine(), "test": measure()}
    for name, scores in result["test"].items():
        print(f"{name:16} F1 {scores['f']:.3f}  P {scores['p']:.3f}  R {scores['r']:.3f}")
    write_result(RESULTS / "baselines.json", result)


def measure(corpus: Path = CORPUS) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each baseline on the test documents."""
    train, dev, test = (json.loads((corpus / f"{s}.json").read_text(encoding="utf8")) for s in ("train", "dev", "test"))
    scores = {}
    for name, build in (
        ("type prior", type_prior),
        ("nearest trigger", nearest_trigger),
        ("bag of words", bag_of_words),
    ):
        scorer = build(train)
        found = scorer(dev)
        threshold = max(
            sorted(set(found.values()))[:: max(1, len(set(found.values())) // 200)],
            key=lambda t: f1(found, dev, t)["f"],
        )
        scores[name] = f1(scorer(test), test, threshold)
    return scores


def f1(found: Scores, docs: list[dict[str, Any]], threshold: float) -> dict[str, float]:
    gold = {(i, x["h"], x["t"], x["r"]) for i, doc in enumerate(docs) for x in doc["labels"]}
    predicted = {key for key, score in found.items() if score >= threshold}
    hits = len(gold & predicted)
    p, r = hits / max(1, len(predicted)), hits / len(gold)
    return {"p": p, "r": r, "f": 2 * hits / max(1, len(gold) + len(predicted))}


def type_prior(train: list[dict[str, Any]]) -> Scorer:
    n_pairs: Counter[tuple[str, str]] = Counter()
    n_labels: Counter[tuple[tuple[str, str], str]] = Counter()
    for pair in pairs(train):
        n_pairs[pair.types] += 1
        n_labels.update((pair.types, label) for label in pair.labels)
    prior: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for (types, label), n in n_labels.items():
        prior[types][label] = n / n_pairs[types]
    return lambda docs: {
        (p.doc, p.head, p.tail, label): score for p in pairs(docs) for label, score in prior[p.types].items()
    }


def nearest_trigger(train: list[dict[str, Any]]) -> Scorer:
    seen: Counter[str] = Counter()
    with_label: dict[str, Counter[str]] = defaultdict(Counter)
    types_of: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for pair in pairs(train):
        seen.update(pair.words)
        for label in pair.labels:
            with_label[label].update(pair.words)
            types_of[label][pair.types] += 1
    triggers: dict[str, list[str]] = defaultdict(list)  # word -> labels
    for label, counts in with_label.items():
        share = {w: n / (seen[w] + 20) for w, n in counts.items() if n >= 3}
        for word in sorted(share, key=lambda w: (-share[w], w))[:N_TRIGGERS]:
            triggers[word].append(label)

    def score(docs: list[dict[str, Any]]) -> Scores:
        found: Scores = {}
        for i, doc in enumerate(docs):
            for s, sentence in enumerate(doc["sents"]):
                here = mentions_in(doc, s)
                for position, word in enumerate(sentence):
                    for label in triggers.get(word.lower(), ()):
                        fitting = [
                            (abs(a - position) + abs(b - position), h, t)
                            for h, a in here
                            for t, b in here
                            if h != t and types_of[label][(type_of(doc, h), type_of(doc, t))]
                        ]
                        if fitting:
                            distance, h, t = min(fitting)
                            key = (i, h, t, label)
                            found[key] = max(found.get(key, 0.0), 1 / (1 + distance))
        return found

    return score


def bag_of_words(train: list[dict[str, Any]]) -> Scorer:
    examples = list(pairs(train))
    vectorizer = DictVectorizer()
    x = _small_indices(vectorizer.fit_transform(features(p) for p in examples))
    models = {}
    for label in sorted({label for p in examples for label in p.labels}):
        y = np.array([label in p.labels for p in examples])
        models[label] = LogisticRegression(C=3.0, max_iter=300, solver="liblinear").fit(x, y)

    def score(docs: list[dict[str, Any]]) -> Scores:
        found: Scores = {}
        there = list(pairs(docs))
        x = _small_indices(vectorizer.transform(features(p) for p in there))
        for label, model in models.items():
            for pair, probability in zip(there, model.predict_proba(x)[:, 1].tolist()):
                if probability > 0.02:
                    found[(pair.doc, pair.head, pair.tail, label)] = probability
        return found

    return score


def _small_indices(matrix):
    """liblinear takes 32-bit indices only."""
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


def features(pair: Pair) -> dict[str, float]:
    types = "-".join(pair.types)
    own = {f"{types} {word}": 1.0 for word in pair.words}
    return {f"types {types}": 1.0, f"together {types} {bool(pair.words)}": 1.0, **own}


def pairs(docs: list[dict[str, Any]]) -> Iterator[Pair]:
    for i, doc in enumerate(docs):
        names = {w for entity in doc["vertexSet"] for m in entity for w in m["name"].lower().split()}
        words = [frozenset(w.lower() for w in s) - names for s in doc["sents"]]
        where = [{m["sent_id"] for m in entity} for entity in doc["vertexSet"]]
        labels = defaultdict(set)
        for x in doc["labels"]:
            labels[x["h"], x["t"]].add(x["r"])
        for h in range(len(where)):
            for t in range(len(where)):
                if h != t:
                    both = frozenset().union(*(words[s] for s in where[h] & where[t]))
                    yield Pair(i, h, t, (type_of(doc, h), type_of(doc, t)), both, frozenset(labels[h, t]))


def type_of(doc: dict[str, Any], entity: int) -> str:
    return doc["vertexSet"][entity][0]["type"]


def mentions_in(doc: dict[str, Any], sentence: int) -> list[tuple[int, float]]:
    """(entity, middle of the mention) in one sentence"""
    return [
        (e, sum(m["pos"]) / 2) for e, entity in enumerate(doc["vertexSet"]) for m in entity if m["sent_id"] == sentence
    ]


if __name__ == "__main__":
    main()
