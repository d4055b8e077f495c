"""From raw text to relations: what a pipeline of `project.yml`'s wiki96 finds, and how long making it takes.

    python benchmarks/wiki96.py ../shared/data/redocred --more ../shared/data/docred_incomplete

Runs the workflow in this clone and writes its scores with the machine and the minutes. A killed one goes on; then the
minutes are not written. Without --more all is learned from Re-DocRED's documents.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, machine, run_workflow, write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train.json and dev.json, in Re-DocRED's format")
    parser.add_argument("--more", type=Path, help="folder with documents.json, whose labels are incomplete")
    parser.add_argument("--vars", nargs="*", default=[], help="others of project.yml, as wiki96_steps=2000")
    parser.add_argument("--name", help="of the file in benchmarks/results; wiki96, without --more wiki96_alone")
    args = parser.parse_args()
    options = {"data_dir": args.data.resolve(), **dict(x.split("=", 1) for x in args.vars)}
    if args.more:
        options |= {"wiki96_first": args.more.resolve() / "documents.json", "wiki96_first_labels": "incomplete"}
    minutes = run_workflow("wiki96", options)
    path = RESULTS / f"{args.name or ('wiki96' if args.more else 'wiki96_alone')}.json"
    write_result(path, result(args, dict(options), minutes))
    print(f"{minutes or '?'} minutes; {path}")


def result(args: argparse.Namespace, options: dict[str, Any], minutes: float | None) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if name not in ("data_dir", "wiki96_first")}
    seed = int(given.pop("seed", 0))
    metrics = ROOT / "metrics" / "wiki96"
    scores, thresholds = (
        json.loads((metrics / f"{name}.json").read_text(encoding="utf8")) for name in ("scores", "thresholds")
    )
    del thresholds["labels"]  # one for all
    return {
        "what": "scores of one pipeline from text to relations, on the documents that its threshold was chosen on",
        "settings": {"workflow": "wiki96", "seed": seed, "vars": given},
        "minutes": minutes,
        "machine": machine(),
        "scores": scores,
        "thresholds": thresholds,
    }


if __name__ == "__main__":
    main()
