"""How cost grows with entities and with words: seconds and memory of prediction and training, exponents, a plot.

    python benchmarks/scale.py

Each size runs in a process of its own, so that memory is its own; sizes take turns, round after round. Exponents are
fitted to medians, by least squares on logarithms: cost ~ n^exponent.
"""

import argparse
import random
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, case_parser, find_encoder, in_process, machine, parse_or_measure, write_result
from speed import clock, load_pipeline, make_example, peak_mb, predict_as_if_trained, predictor, trainer

ENTITIES = {"predict": (5, 20, 50, 100, 200, 500), "train": (5, 20, 50, 100, 200)}  # in 1,000 words
WORDS = {"predict": (100, 500, 2000, 10000, 20000), "train": (100, 500, 2000, 10000)}  # with 20 entities
LEAST = {"seconds": 0.0, "growth_mb": 1}  # that the plot, which is logarithmic, shows
FIT = {"entities": (20, 200), "words": (500, 10000)}  # the range that the exponents are for


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    args = parse_or_measure(parser, measure)
    result: dict[str, Any] = {
        "what": "seconds for one document, and growth of memory over the loaded pipeline in MB; medians",
        "settings": {"labels": 96, "precision": args.precision, "rounds": args.rounds, "fit": FIT},
        "machine": machine(),
        "cases": [],
        "exponents": {},
    }
    for axis, sizes in (("entities", ENTITIES), ("words", WORDS)):
        for mode in ("predict", "train"):
            cases = [
                {"axis": axis, "mode": mode, "words": 1000, "entities": n}
                if axis == "entities"
                else {"axis": axis, "mode": mode, "words": n, "entities": 20}
                for n in sizes[mode]
            ]
            for case, figures in zip(cases, take_turns(args, cases)):
                row = {**case, **figures}
                result["cases"].append(row)
                print(f"{mode:8} {row['words']:6} words {row['entities']:4} entities: ", end="")
                print(f"{row['seconds']:8.2f} s  +{row['growth_mb']} MB", flush=True)
            name = f"{mode}, {axis}"
            result["exponents"][name] = exponent(result["cases"], axis, mode)
            print(f"{name}: n^{result['exponents'][name]:.2f} from {FIT[axis][0]} to {FIT[axis][1]}", flush=True)
            write_result(RESULTS / "scale.json", result)
    draw(result["cases"], RESULTS / "scale.png")


def take_turns(args: argparse.Namespace, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over rounds; in each round every size runs once, in a fresh process."""
    options = {"precision": args.precision, "gpu_id": args.gpu_id, "encoder": args.encoder}
    rounds = [[in_process(__file__, case, **options) for case in cases] for _ in range(args.rounds)]
    return [{key: statistics.median(r[i][key] for r in rounds) for key in rounds[0][i]} for i in range(len(cases))]


def measure(args: argparse.Namespace, *, axis: str, mode: str, words: int, entities: int) -> dict[str, Any]:
    """The second of two passes over one document: in the first, memory is taken from the system."""
    nlp, optimizer = load_pipeline(find_encoder(args.encoder), args.precision, args.gpu_id)
    rng = random.Random(0)
    run = trainer(nlp, optimizer) if mode == "train" else predictor(nlp)
    usual = make_example(nlp, rng, 200, 20)
    predict_as_if_trained(nlp, [usual.predicted])
    run([usual])
    before = peak_mb()
    example = make_example(nlp, rng, words, entities)
    run([example])
    seconds = clock(lambda: run([example]), lambda: None)
    return {"seconds": round(seconds, 4), "growth_mb": peak_mb() - before}


def exponent(cases: list[dict[str, Any]], axis: str, mode: str) -> float:
    low, high = FIT[axis]
    rows = [c for c in cases if c["axis"] == axis and c["mode"] == mode and low <= c[axis] <= high]
    slope, _ = np.polyfit(np.log([c[axis] for c in rows]), np.log([c["seconds"] for c in rows]), 1)
    return round(float(slope), 3)


def draw(cases: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 7), sharex="col")
    for column, axis in enumerate(("entities", "words")):
        for mode, marker in (("predict", "o"), ("train", "s")):
            rows = [c for c in cases if c["axis"] == axis and c["mode"] == mode]
            for row, key in enumerate(("seconds", "growth_mb")):
                values = [max(c[key], LEAST[key]) for c in rows]
                panels[row][column].loglog([c[axis] for c in rows], values, marker=marker, label=mode)
        panels[1][column].set_xlabel(axis + (" in 1,000 words" if axis == "entities" else ", 20 entities"))
    panels[0][0].set_ylabel("seconds a document")
    panels[1][0].set_ylabel("memory above the loaded pipeline, MB")
    for panel in panels.flat:
        panel.grid(alpha=0.3)
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
