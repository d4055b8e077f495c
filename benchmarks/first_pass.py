"""How many pairs could be dropped before they are scored, and what would be lost? The prior of entity types.

    python benchmarks/first_pass.py corpus/redocred/train.spacy corpus/redocred/dev.spacy

A pair of types is dropped if at most a share of such pairs in the training documents has a relation.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import spacy
from common import RESULTS, machine, write_result
from spacy.tokens import DocBin

from spacy_docre.annotations import get_entities, get_triples

SHARES = (0.0, 0.002, 0.005, 0.01, 0.02)
Types = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    args = parser.parse_args()
    total: Counter[Types] = Counter()
    related: Counter[Types] = Counter()
    for types, n_labels in pairs_of(args.train):
        total[types] += 1
        related[types] += n_labels > 0
    dev = list(pairs_of(args.dev))
    figures = {}
    for share in SHARES:
        kept = {types for types in total if related[types] > share * total[types]}
        inside = [n_labels for types, n_labels in dev if types in kept]
        recall = sum(inside) / sum(n_labels for _, n_labels in dev)
        figures[str(share)] = {"kept": len(inside) / len(dev), "recall": recall}
        print(f"at most {share:5}: {100 * len(inside) / len(dev):5.1f} % of pairs kept, recall {100 * recall:6.2f} %")
    what = "share of the dev documents' pairs whose types are kept, and of their relations"
    write_result(RESULTS / "first_pass.json", {"what": what, "machine": machine(), "figures": figures})


def pairs_of(path: Path) -> Iterator[tuple[Types, int]]:
    """The types of every ordered pair of entities, and how many relations it has."""
    for doc in DocBin().from_disk(path).get_docs(spacy.blank("en").vocab):
        entities = get_entities(doc)
        n_labels = Counter((head, tail) for head, _, tail in set(get_triples(doc)))
        for head in entities:
            for tail in entities:
                if head.id != tail.id:
                    yield (head.label, tail.label), n_labels[head.id, tail.id]


if __name__ == "__main__":
    main()
