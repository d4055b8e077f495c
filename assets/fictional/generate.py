"""Write the fictional corpus: the same files whenever and wherever it runs.

    python assets/fictional/generate.py            # writes them beside this script
    python assets/fictional/generate.py --check    # says which files differ, and exits with 1 if one does

The corpus shows that everything works. It is made of templates: no score on it says how good a model is.
"""

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
from fiction.entities import Fact, complete
from fiction.story import Story, Teller
from fiction.templates import LABELS, read_templates
from fiction.world import World, make_world

HERE = Path(__file__).parent
N_DOCS = {"train": 240, "dev": 60, "test": 60, "distant": 800}
# Worlds are larger than what is told of them, so that hardly a fact is told twice and could be learned by heart.
WORLD_SIZE = {"train": 720, "dev": 180, "test": 180, "distant": 800}
# the share of its facts that the knowledge base behind the distant labels knows
KNOWN = {"birth": 0.95, "spouse": 0.9, "author": 0.9, "located": 0.85, "employer": 0.5, "residence": 0.4}
KNOWN_OTHERS = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the files that are there, write nothing")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    args = parser.parse_args()
    files = {f"{split}.json": to_text(make_split(split)) for split in N_DOCS}
    files["distant.json.gz"] = files.pop("distant.json")
    names = {label: name for label, (name, _, _) in LABELS.items()}
    files["rel_info.json"] = json.dumps(names, indent=1) + "\n"
    differ = []
    for name, text in files.items():
        path = args.output / name
        if args.check:
            differ += [name] if not path.exists() or read(path) != text else []
        else:
            write(path, text)
            print(f"{path}: {path.stat().st_size:,} bytes")
    if differ:
        sys.exit(f"These files are not what the generator makes: {', '.join(differ)}")


def read(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf8")


def write(path: Path, text: str) -> None:
    content = text.encode("utf8")
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def make_split(split: str) -> Iterator[dict[str, Any]]:
    """The documents of one split, in DocRED's format."""
    rng = random.Random(f"documents of {split}")
    world = make_world(split, WORLD_SIZE[split])
    base = know(world, split) if split == "distant" else None
    templates = read_templates(HERE / "templates" / f"{split}.txt")
    if base is not None:
        templates += read_templates(HERE / "templates" / "train.txt")
    teller = Teller(world, templates, rng, reckless=base is not None)
    tokenizer = spacy.blank("en").tokenizer
    for i in range(N_DOCS[split]):
        yield to_docred(teller.tell(), f"{split} {i}", tokenizer, base)


def know(world: World, split: str) -> set[Fact]:
    """What the knowledge base knows of a world: a part of its facts, and what follows from them."""
    rng = random.Random(f"knowledge of {split}")
    facts = [f for f in world.facts if rng.random() < KNOWN.get(f.label, KNOWN_OTHERS)]
    return set(facts)


def to_docred(story: Story, number: str, tokenizer, base: set[Fact] | None) -> dict[str, Any]:
    """base: label with what it knows of the entities, whether the text says so or not."""
    tokens = [tokenizer(text) for text in story.sentences]
    order = list(dict.fromkeys(entity for entity, *_ in story.mentions))
    vertices: list[list[dict[str, Any]]] = [[] for _ in order]
    for entity, i, start, end in story.mentions:
        span = tokens[i].char_span(start, end)
        if span is None:
            raise ValueError(f"No tokens for {story.sentences[i][start:end]!r} in {story.sentences[i]!r}")
        pos = [span.start, span.end]
        vertices[order.index(entity)].append({"name": span.text, "pos": pos, "sent_id": i, "type": entity.type})
    if base is None:
        facts = complete(story.facts)
    else:
        facts = complete({f: frozenset() for f in base if f.head in order and f.tail in order})
    labels = []
    for fact, evidence in facts.items():
        if fact.head in order and fact.tail in order:
            label = {"h": order.index(fact.head), "t": order.index(fact.tail), "r": fact.label}
            labels.append(label | ({"evidence": sorted(evidence)} if base is None else {}))
    labels.sort(key=lambda x: (x["h"], x["t"], x["r"]))
    return {
        "title": f"{story.title} ({number})",
        "sents": [[t.text for t in doc] for doc in tokens],
        "vertexSet": vertices,
        "labels": labels,
    }


def to_text(documents: Iterator[dict[str, Any]]) -> str:
    rows = (json.dumps(d, ensure_ascii=False, separators=(",", ":")) for d in documents)
    return "[\n" + ",\n".join(rows) + "\n]\n"


if __name__ == "__main__":
    main()
