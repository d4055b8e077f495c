"""How many of oneDNN's kernels should a process keep? Words per second and memory, on documents of many lengths.

    python benchmarks/kernels.py

torch does its matrix products in bfloat16 on CPU with oneDNN, which makes a kernel for each shape and keeps the last
1,024 (ONEDNN_PRIMITIVE_CACHE_CAPACITY). Numbers take turns, round after round, each in a process of its own; the
first third of each is not timed.
"""

import argparse
import os
import random
import statistics
import time
from itertools import product
from typing import Any

from common import RESULTS, case_parser, find_encoder, in_process, machine, parse_or_measure, write_result
from memory import ENTITIES, WORDS, batches, resident_mb
from speed import load_pipeline, make_example, predict_as_if_trained, predictor, trainer

KEPT = (64, 128, 256, 1024)
STEPS = {"train": 90, "predict": 120}  # of 4 documents


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kept", type=int, nargs="+", default=list(KEPT))
    args = parse_or_measure(parser, measure)
    options = {"precision": args.precision, "gpu_id": args.gpu_id, "encoder": args.encoder}
    result: dict[str, Any] = {
        "what": "words per second, and MB that the process holds at the end; medians",
        "settings": {"rounds": args.rounds, "steps": STEPS, "words": WORDS, "entities": ENTITIES, **options},
        "machine": machine(),
        "cases": {},
    }
    for mode in STEPS:
        rounds: dict[int, list[dict[str, float]]] = {kept: [] for kept in args.kept}
        for number, kept in product(range(args.rounds), args.kept):
            found = in_process(__file__, {"mode": mode, "kept": kept}, **options)
            rounds[kept].append(found)
            print(f"{mode:8} round {number}, {kept:5} kernels  {found['words_per_second']:6.0f} words/s", end="")
            print(f"  {found['end_mb']:6.0f} MB", flush=True)
        for kept, rows in rounds.items():
            medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
            result["cases"][f"{mode}, {kept}"] = medians
        write_result(RESULTS / "kernels.json", result)


def measure(args: argparse.Namespace, *, mode: str, kept: int) -> dict[str, float]:
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = str(kept)  # before the first product
    nlp, optimizer = load_pipeline(find_encoder(args.encoder), args.precision, args.gpu_id)
    rng = random.Random(0)
    predict_as_if_trained(nlp, [make_example(nlp, rng, 200, 20).predicted])
    run = trainer(nlp, optimizer) if mode == "train" else predictor(nlp)
    stream = (make_example(nlp, rng, rng.randint(*WORDS), rng.randint(*ENTITIES)) for _ in iter(int, 1))
    n_words, seconds = 0, 0.0
    for step, batch in enumerate(batches(stream, STEPS[mode])):
        start = time.perf_counter()
        run(batch)
        if 3 * step >= STEPS[mode]:
            seconds += time.perf_counter() - start
            n_words += sum(len(example.predicted) for example in batch)
    return {"words_per_second": round(n_words / seconds, 1), "end_mb": resident_mb()}


if __name__ == "__main__":
    main()
