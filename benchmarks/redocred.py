"""Train the main config on real documents, once per seed, and score it on the dev documents.

    python benchmarks/redocred.py ../shared/data/redocred --seeds 0 1 2

DATA is a folder with train.json and dev.json in Re-DocRED's format. Each seed took 20 to 40 minutes on
one core. Results are written after each seed; seeds that are in the result already are not trained again.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, find_encoder, machine, spacy, write_result

FIGURES = (
    "rel_micro_f",
    "rel_ign_f",
    "rel_micro_p",
    "rel_micro_r",
    "rel_intra_f",
    "rel_inter_f",
    "rel_macro_rare_f",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train.json and dev.json")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "docre_trf.cfg")
    parser.add_argument("--encoder", help="folder or name on the hub; default: all-MiniLM-L6-v2")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--name", default="redocred", help="results go to benchmarks/results/NAME.json")
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="where corpora and models go")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args, overrides = parser.parse_known_args()
    output = RESULTS / f"{args.name}.json"
    corpus = prepare(args.data.resolve(), args.work.resolve() / "corpus")
    for seed in args.seeds:
        result = read_result(output)
        if str(seed) not in result["runs"]:
            folder = args.work.resolve() / args.name / f"seed{seed}"
            scores = run(args, overrides, corpus, folder, seed)
            result = read_result(output)  # another process may have added its seeds meanwhile
            result["runs"][str(seed)] = scores
        result.update(describe(args, overrides), summary=summarise(result["runs"]))
        write_result(output, result)
    for figure, s in result["summary"].items():
        print(f"{figure:18} {s['mean']:.4f} ± {s['sd']:.4f}  ({s['n']} seeds)")


def read_result(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else {"runs": {}}


def prepare(data: Path, corpus: Path) -> Path:
    for part in ("train", "dev"):
        if not (corpus / f"{part}.spacy").exists():
            spacy("docre", "convert", data / f"{part}.json", corpus / f"{part}.spacy")
    if not (corpus / "facts.json").exists():
        spacy("docre", "facts", corpus / "train.spacy", corpus / "facts.json")
    return corpus


def run(args: argparse.Namespace, overrides: list[str], corpus: Path, folder: Path, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    options = {
        "paths.train": corpus / "train.spacy",
        "paths.dev": corpus / "dev.spacy",
        "paths.facts": corpus / "facts.json",
        "vars.encoder": find_encoder(args.encoder),
        "system.seed": seed,
    }
    settings = [x for name, value in options.items() for x in (f"--{name}", value)]
    spacy("train", args.config, "-o", folder, "-g", args.gpu_id, *settings, *overrides)
    seconds = time.perf_counter() - start
    scores = folder / "scores.json"
    facts = ("--facts", corpus / "facts.json")
    spacy(
        "docre",
        "evaluate",
        folder / "model-last",
        corpus / "dev.spacy",
        *facts,
        "-o",
        scores,
        "-g",
        args.gpu_id,
    )
    return {"training_seconds": round(seconds), **json.loads(scores.read_text(encoding="utf8"))}


def describe(args: argparse.Namespace, overrides: list[str]) -> dict[str, Any]:
    return {
        "what": "main config, last model (no early stopping), scored on the 100 dev documents, gold entities",
        "data": "Re-DocRED's revised dev set: 400 documents to train, 100 to score (see benchmarks/README.md)",
        "config": args.config.name,
        "overrides": overrides,
        "encoder": args.encoder or "all-MiniLM-L6-v2",
        "machine": machine(),
    }


def summarise(runs: dict[str, Any]) -> dict[str, Any]:
    summary = {}
    for figure in (*FIGURES, "training_seconds", "docs_per_second"):
        values = [r[figure] for r in runs.values() if r.get(figure) is not None]
        if values:
            sd = statistics.stdev(values) if len(values) > 1 else 0.0
            summary[figure] = {"mean": statistics.mean(values), "sd": sd, "n": len(values)}
    return summary


if __name__ == "__main__":
    main()
