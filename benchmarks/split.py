"""The split that the figures of this repository are for: 400 documents to train on and 100 to score and tune on.

    python benchmarks/split.py dev_revised.json FOLDER

of Re-DocRED's revised dev documents; writes FOLDER/train.json and FOLDER/dev.json. The 100 are those whose titles'
hashes are in split.txt.
"""

import argparse
import hashlib
import json
from pathlib import Path

HASHES = Path(__file__).parent / "split.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="dev_revised.json")
    parser.add_argument("output", type=Path, help="folder")
    args = parser.parse_args()
    chosen = set(HASHES.read_text(encoding="utf8").split())
    documents = json.loads(args.data.read_text(encoding="utf8"))
    parts = {
        "train": [d for d in documents if hash_of(d["title"]) not in chosen],
        "dev": [d for d in documents if hash_of(d["title"]) in chosen],
    }
    if len(parts["dev"]) != len(chosen):
        parser.error(f"{args.data} has {len(parts['dev'])} of the {len(chosen)} dev documents: is it dev_revised.json?")
    args.output.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        (args.output / f"{name}.json").write_text(json.dumps(part), encoding="utf8")
        print(f"{name}.json: {len(part)} documents")


def hash_of(title: str) -> str:
    return hashlib.sha256(title.encode("utf8")).hexdigest()[:16]


if __name__ == "__main__":
    main()
