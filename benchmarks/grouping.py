"""How well do rules put the annotated mentions of real documents into entities?

    python benchmarks/grouping.py ../shared/data/redocred
    python benchmarks/grouping.py ../shared/data/redocred --train documents.json    # and a trained linker (15 minutes)

The rules were written with the errors on dev.json in view; train.json was not looked at. The linker (MentionLinker, on
all-MiniLM-L6-v2) learns from the entities of the documents given with --train.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, find_encoder, machine, spacy, write_result
from spacy.tokens import Doc, Span
from spacy.util import load_model as load
from thinc.api import Config

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
    parser.add_argument("--train", type=Path, help="documents with entities to train a linker on, in DocRED's format")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--encoder", help="folder or name on the hub; default: all-MiniLM-L6-v2")
    args = parser.parse_args()
    linker = train_linker(args) if args.train else None
    names, aliases = build_name_grouper_v1(), build_alias_grouper_v1()
    groupers: dict[str, list[EntityGrouper]] = {"same text": [], "names": [names], "with aliases": [names, aliases]}
    result: dict[str, Any] = {"what": "clusters of annotated mentions", "figures": {}, "machine": machine()}
    print(f"{'':22}{''.join(f'{x:>9}' for x in FIGURES)}")
    for part in ("dev", "train"):
        docs = read(args.data / f"{part}.json")
        for name, chosen in groupers.items():
            scores = score(docs, chosen)
            result["figures"][f"{part}, {name}"] = scores
            show(f"{part}, {name}", scores)
        if linker is not None:
            scores = result["figures"][f"{part}, trained"] = score_pipeline(linker, docs)
            show(f"{part}, trained", scores)
    write_result(RESULTS / "grouping.json", result)


def show(name: str, scores: dict[str, float]) -> None:
    print(f"{name:22}{''.join(f'{scores[x]:9.3f}' for x in FIGURES)}", flush=True)


def train_linker(args: argparse.Namespace) -> Any:
    """A pipeline whose docre_entities has learned from the entities of --train."""
    config = Config().from_disk(ROOT / "configs" / "docre_pipeline.cfg", interpolate=False)
    config["nlp"]["pipeline"] = ["transformer", "docre_entities"]
    config["components"] = {name: config["components"][name] for name in config["nlp"]["pipeline"]}
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0}
    tok2vec = {**listener, "pooling": {"@layers": "reduce_mean.v1"}}
    linker = {"@architectures": "spacy-docre.MentionLinker.v1", "tok2vec": tok2vec}
    config["components"]["docre_entities"] |= {
        "model": linker,
        "predicted_share": 0.0,
        "spans_key": "mentions",
    }
    config["initialize"] = {}
    config["training"] |= {"annotating_components": [], "max_steps": args.steps, "eval_frequency": args.steps}
    config["training"]["score_weights"] = {"conll_f": 1.0}
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        spacy("docre", "convert", args.train.resolve(), folder / "train.spacy", "--labels-are", "none")
        spacy("docre", "convert", (args.data / "dev.json").resolve(), folder / "dev.spacy")
        config["paths"] |= {"train": str(folder / "train.spacy"), "dev": str(folder / "dev.spacy")}
        config["vars"]["encoder"] = find_encoder(args.encoder)
        config.to_disk(folder / "config.cfg")
        spacy("train", folder / "config.cfg", "-o", folder / "model")
        return load(folder / "model" / "model-last")


def score_pipeline(nlp: Any, docs: list) -> dict[str, float]:
    """With the annotated mentions."""
    counts = ClusterCounts()
    for doc in docs:
        found = Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])
        mentions = {(m.start, m.end): m for e in get_entities(doc) for m in e.mentions}
        group = [Span(found, *place, label=mentions[place].label_) for place in sorted(mentions)]
        found.spans["mentions"] = group
        nlp(found)
        clusters = [{(m.start, m.end) for m in e.mentions} for e in get_entities(found)]
        counts.add(clusters, [{(m.start, m.end) for m in e.mentions} for e in get_entities(doc)])
    return counts.scores()


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
