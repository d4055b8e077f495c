"""What does prediction without padding gain on real documents, in batches of several sizes?

    python benchmarks/padding.py MODEL corpus/redocred/dev.spacy

Two ways take turns, each pass over all documents in a process of its own, which has seen no shape before: windows
of similar length padded in groups, and windows in one row. Precision is the model's.
"""

import argparse
import statistics
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

from common import RESULTS, case_parser, in_process, machine, parse_or_measure, write_result

BATCHES = (1, 4, 32)  # documents
WAYS = ("padded", "one row")
N_WARM = 2  # documents before the clock starts


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("model", nargs="?", help="trained pipeline")
    parser.add_argument("data", nargs="?", type=Path, help=".spacy file")
    parser.add_argument("--rounds", type=int, default=3)
    args = parse_or_measure(parser, measure)
    if args.model is None or args.data is None:
        sys.exit(parser.format_usage() + "MODEL and DATA are needed.")
    files = {"model": str(Path(args.model).resolve()), "data": str(args.data.resolve())}
    seconds: dict[tuple[int, str], list[float]] = {(b, w): [] for b in BATCHES for w in WAYS}
    for _, batch, way in product(range(args.rounds), BATCHES, WAYS):
        seconds[batch, way].append(in_process(__file__, {**files, "batch": batch, "way": way})["seconds"])
    rows = []
    for batch in BATCHES:
        padded, one_row = (seconds[batch, way] for way in WAYS)
        ratio = statistics.median(b / a for a, b in zip(padded, one_row))
        rows.append({"docs_per_batch": batch, "padded_s": padded, "one_row_s": one_row, "ratio": round(ratio, 3)})
        print(f"{batch:3} documents: {statistics.median(padded):.2f} s padded, {ratio:.3f} of that in one row")
    what = "seconds of a first pass over all documents; ratio: median over rounds"
    write_result(RESULTS / "padding.json", {"what": what, "rows": rows, "machine": machine()})


def measure(args: argparse.Namespace, *, model: str, data: str, batch: int, way: str) -> dict[str, Any]:
    import spacy
    from spacy.tokens import DocBin

    nlp = spacy.load(model)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    if way == "padded":
        shim.ragged.fits = lambda encoder: False
    docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    for _ in nlp.pipe([doc.copy() for doc in docs[:N_WARM]], batch_size=batch):
        pass
    start = time.perf_counter()
    for _ in nlp.pipe(docs, batch_size=batch):
        pass
    return {"seconds": round(time.perf_counter() - start, 3)}


if __name__ == "__main__":
    main()
