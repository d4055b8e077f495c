"""Every loss on the same documents, encoder, rates, steps and seeds: which one to take?

    python benchmarks/losses.py fictional --seeds 0 1 2
    python benchmarks/losses.py redocred --data FOLDER                 # train.json and dev.json
    python benchmarks/losses.py incomplete --data FOLDER --train documents.json
    python benchmarks/losses.py table                                  # prints all results, and draws them
    python benchmarks/losses.py tune --data FOLDER                     # how the rates were chosen

`incomplete` trains on 400 documents whose labels are right but not all there, closed-world, and scores on the complete
dev documents of the other folder. Results are written after each run, and what is in the result already is not run
again: add seeds or losses any day, on any machine. A run takes 4 to 15 minutes on one core.
"""

import argparse
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

import losses_report
from common import RESULTS, ROOT, find_encoder, machine, spacy, write_result
from thinc.api import Config

RESULT = RESULTS / "losses.json"
SETTINGS = ("fictional", "redocred", "incomplete")
N_LAYERS, N_INCOMPLETE, STEPS = 3, 400, 400
RATES = (2e-4, 1e-3)  # of encoder and head: the best of TRIED for adaptive focal loss on redocred's dev documents
TRIED = ((1e-4, 3e-4), (2e-4, 1e-3), (4e-4, 2e-3))


def named(name: str, **settings: Any) -> dict[str, Any]:
    return {"@losses": f"spacy-docre.{name}.v1", **settings}


def table_of_losses(files: Path) -> dict[str, dict[str, Any]]:
    """Config blocks. EXACT's slopes vanish at the start of training, so it takes over from BCE half-way."""
    half = {"until": {"bce": 200}, "start": {"exact": 200}, "decides": "exact"}
    return {
        "AdaptiveFocal": named("AdaptiveFocal"),
        "ATL": named("ATL"),
        "ZLPR": named("ZLPR"),
        "BCE": named("BCE"),
        "BCE, positives × 5": named("BCE", pos_weight=5.0),
        "PowerBCE": named("PowerBCE"),
        "Focal": named("Focal", alpha=0.75),
        "Dice": named("Dice"),
        "BCE + Dice": named("Sum", losses={"bce": named("BCE"), "dice": named("Dice")}),
        "Tversky, β = 0.7": named("Tversky", alpha=0.3, beta=0.7),
        "DSC": named("DSC"),
        "SSRPU": named("SSRPU", priors=str(files / "priors.json")),
        "EMO": named("EMO", costs=str(files / "costs.json")),
        "BCE, then EXACT": named("Sum", losses={"bce": named("BCE"), "exact": named("EXACT", sigma=2.0)}, **half),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=(*SETTINGS, "tune", "table"))
    parser.add_argument(
        "--data", type=Path, help="folder with train.json, dev.json and rel_info.json (not for fictional)"
    )
    parser.add_argument("--train", type=Path, help="incomplete: the documents to train on, in DocRED's format")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--losses", nargs="+", help="only these")
    parser.add_argument("--encoder", help="folder or name on the hub; default: all-MiniLM-L6-v2")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "losses", help="where corpora and models go")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()
    if args.setting == "tune":
        tune(args)
    elif args.setting != "table":
        files = prepare(args, args.work.resolve() / args.setting)
        for seed in args.seeds:
            for name, block in table_of_losses(files).items():
                if not args.losses or name in args.losses:
                    run_once(args, files, name, block, seed)
    losses_report.main(RESULT)


def run_once(args: argparse.Namespace, files: Path, name: str, block: dict[str, Any], seed: int) -> None:
    """Train and score, unless that has been done; then add it to the results."""
    if (
        set(losses_report.FIGURES)
        <= read().get("runs", {}).get(args.setting, {}).get(name, {}).get(str(seed), {}).keys()
    ):
        return
    print(f"== {args.setting}, {name}, seed {seed}", flush=True)
    figures = train(args, files, block, seed)
    result = read()  # another process may have added its runs meanwhile
    result["what"] = "dev documents, gold entities, last model; the same steps and rates for all"
    result["training"] = {"steps": STEPS, "docs_per_step": 4, "rates": RATES, **describe_encoder(args)}
    runs = result.setdefault("runs", {}).setdefault(args.setting, {}).setdefault(name, {})
    runs[str(seed)] = {**figures, "loss": json.loads(json.dumps(block).replace(f"{files}/", ""))}
    result.setdefault("machines", {})[args.setting] = machine()
    write_result(RESULT, result)


def tune(args: argparse.Namespace) -> None:
    """Adaptive focal loss with every pair of rates."""
    args.setting = "redocred"
    files = prepare(args, args.work.resolve() / args.setting)
    for rates in TRIED:
        name = f"{rates[0]:g} / {rates[1]:g}"
        if name not in read().get("tuning", {}):
            print(f"== rates {name}", flush=True)
            figures = train(args, files, named("AdaptiveFocal"), 0, rates)
            result = read()
            result.setdefault("tuning", {})[name] = figures
            write_result(RESULT, result)


def describe_encoder(args: argparse.Namespace) -> dict[str, Any]:
    return {"encoder": args.encoder or "all-MiniLM-L6-v2", "encoder_layers": N_LAYERS}


def read() -> dict[str, Any]:
    return json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}


def prepare(args: argparse.Namespace, files: Path) -> Path:
    """Corpora, label costs and priors of a setting."""
    if (files / "priors.json").exists():
        return files
    files.mkdir(parents=True, exist_ok=True)
    data = ROOT / "assets" / "fictional" if args.setting == "fictional" else args.data.resolve()
    names = data / "rel_info.json"
    train = data / "train.json"
    status = ("--labels-are", "complete")
    if args.setting == "incomplete":
        train, status = files / "train.json", ("--labels-are", "incomplete")
        with args.train.open(encoding="utf8") as file_:
            train.write_text(json.dumps(list(islice(json.load(file_), N_INCOMPLETE))), encoding="utf8")
    spacy("docre", "convert", train, files / "train.spacy", "-l", names, *status, "-f")
    spacy("docre", "convert", data / "dev.json", files / "dev.spacy", "-l", names, "-f")
    spacy("docre", "convert", data / "train.json", files / "complete.spacy", "-l", names, "-f")
    spacy("docre", "facts", files / "train.spacy", files / "facts.json", "-f")
    spacy("docre", "embed-labels", find_encoder(args.encoder), names, files / "costs.json", "-f")
    spacy("docre", "priors", files / "complete.spacy", files / "train.spacy", files / "priors.json", "-f")
    return files


def train(
    args: argparse.Namespace, files: Path, block: dict[str, Any], seed: int, rates: tuple[float, float] = RATES
) -> dict[str, Any]:
    config = Config().from_disk(ROOT / "configs" / "docre_trf.cfg", interpolate=False)
    config["paths"].update(train=str(files / "train.spacy"), dev=str(files / "dev.spacy"))
    config["paths"]["facts"] = str(files / "facts.json")
    config["vars"].update(encoder=find_encoder(args.encoder), encoder_layers=N_LAYERS)
    config["system"]["seed"] = seed
    config["components"]["docre_relations"]["loss"] = block
    if args.setting == "incomplete":
        config["components"]["docre_relations"]["targets"] = {
            "@misc": "spacy-docre.MixedTargets.v1",
            "mode": "closed_world",
        }
    config["training"].update(max_steps=STEPS, eval_frequency=STEPS)
    config["training"]["before_update"] = {"@callbacks": "spacy-docre.count_steps.v1"}
    config["training"]["optimizer"].update(learn_rate=rates[0], head_learn_rate=rates[1])
    config.to_disk(files / "config.cfg")
    start = time.perf_counter()
    spacy("train", files / "config.cfg", "-o", files / "model", "-g", args.gpu_id)
    seconds = time.perf_counter() - start
    return {"training_seconds": round(seconds), **losses_report.score(files / "model" / "model-last", files)}


if __name__ == "__main__":
    main()
