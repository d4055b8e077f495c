"""How well do rules put the annotated mentions of real documents into entities?

    python benchmarks/grouping.py ../shared/data/redocred

The rules were written with the errors on dev.json in view; train.json was not looked at.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from common import RESULTS, machine, spacy, write_result

from spacy_docre.annotations import get_entities, group_by_name
from spacy_docre.grouping import EntityGrouper, group_mentions
from spacy_docre.grouping.aliases import build_alias_grouper_v1
from spacy_docre.grouping.names import build_name_grouper_v1
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.scoring.clusters import ClusterCounts

FIGURES = ("muc_f", "b3_p", "b3_r", "b3_f", "ceafe_f", "conll_f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train.json and dev.json")
    args = parser.parse_args()
    names, aliases = build_name_grouper_v1(), build_alias_grouper_v1()
    groupers: dict[str, list[EntityGrouper]] = {"same text": [], "names": [names], "with aliases": [names, aliases]}
    result: dict[str, Any] = {"what": "clusters of annotated mentions", "figures": {}, "machine": machine()}
    print(f"{'':22}{''.join(f'{x:>9}' for x in FIGURES)}")
    for part in ("dev", "train"):
        docs = read(args.data / f"{part}.json")
        for name, chosen in groupers.items():
            scores = score(docs, chosen)
            result["figures"][f"{part}, {name}"] = scores
            print(f"{part + ', ' + name:22}{''.join(f'{scores[x]:9.3f}' for x in FIGURES)}")
    write_result(RESULTS / "grouping.json", result)


def read(path: Path) -> list:
    from spacy.lang.en import English

    with tempfile.TemporaryDirectory() as folder:
        spacy("docre", "convert", path.resolve(), Path(folder) / "docs.spacy")
        return [eg.reference for eg in create_corpus_v1(Path(folder) / "docs.spacy")(English())]


def score(docs: list, groupers: list[EntityGrouper]) -> dict[str, float]:
    """Without groupers: what docre_relations does by itself."""
    counts = ClusterCounts()
    for doc in docs:
        entities = get_entities(doc)
        mentions = {(m.start, m.end): m for e in entities for m in e.mentions}  # one for each place
        in_order = [mentions[place] for place in sorted(mentions)]
        groups = group_mentions(doc, in_order, groupers) if groupers else group_by_name(in_order)
        found = [{(m.start, m.end) for m in group} for group in groups]
        counts.add(found, [{(m.start, m.end) for m in e.mentions} for e in entities])
    return counts.scores()


if __name__ == "__main__":
    main()
