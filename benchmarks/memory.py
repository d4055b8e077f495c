"""Does memory grow with what goes through? A stream of documents predicted, and steps of training.

    python benchmarks/memory.py

Documents have 50 to 600 random words and 2 to 60 entities. Each length of a stream, and each number of steps, runs in a
process of its own: what the process holds above the loaded pipeline, at its peak and at the end.
"""

import argparse
import json
import os
import random
from collections.abc import Iterator
from typing import Any

from common import RESULTS, case_parser, find_encoder, in_process, machine, parse_or_measure, write_result
from speed import load_pipeline, make_example, peak_mb, predict_as_if_trained, trainer

LENGTHS = {"predict": (200, 800, 3200), "train": (40, 120, 360)}  # documents; steps of 4 documents
WORDS, ENTITIES = (50, 600), (2, 60)
DOCS_PER_STEP = 4


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--modes", nargs="+", default=list(LENGTHS), choices=list(LENGTHS))
    args = parse_or_measure(parser, measure)
    path = RESULTS / "memory.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf8")) if path.exists() else {"cases": {}}
    result.update(
        what="MB above the loaded pipeline, at the peak and at the end",
        settings={"labels": 96, "precision": args.precision, "words": WORDS, "entities": ENTITIES},
        machine=machine(),
    )
    options = {"precision": args.precision, "gpu_id": args.gpu_id, "encoder": args.encoder}
    for mode in args.modes:
        result["cases"][mode] = {}
        for n in LENGTHS[mode]:
            figures = in_process(__file__, {"mode": mode, "n": n}, **options)
            result["cases"][mode][str(n)] = figures
            unit = "documents" if mode == "predict" else "steps"
            print(f"{mode:8} {n:5} {unit:9}  peak +{figures['peak_mb']} MB, end +{figures['end_mb']} MB", flush=True)
            write_result(path, result)


def measure(args: argparse.Namespace, *, mode: str, n: int) -> dict[str, int]:
    nlp, optimizer = load_pipeline(find_encoder(args.encoder), args.precision, args.gpu_id)
    rng = random.Random(0)
    usual = make_example(nlp, rng, 200, 20)
    predict_as_if_trained(nlp, [usual.predicted])
    before_peak, before = peak_mb(), resident_mb()
    stream = (make_example(nlp, rng, rng.randint(*WORDS), rng.randint(*ENTITIES)) for _ in iter(int, 1))
    if mode == "predict":
        n_relations = sum(
            len(doc._.relations) for doc in nlp.pipe(example.predicted for example, _ in zip(stream, range(n)))
        )
        assert n_relations
    else:
        train = trainer(nlp, optimizer)
        for batch in batches(stream, n):
            train(batch)
    return {"peak_mb": peak_mb() - before_peak, "end_mb": resident_mb() - before}


def batches(stream: Iterator[Any], n: int) -> Iterator[list[Any]]:
    for _ in range(n):
        yield [next(stream) for _ in range(DOCS_PER_STEP)]


def resident_mb() -> int:
    """Linux only; 0 elsewhere."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file_:
            return round(int(file_.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    except OSError:
        return 0


if __name__ == "__main__":
    main()
