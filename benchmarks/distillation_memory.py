"""Does memory grow with the corpus, while annotating and while pretraining on soft labels?

    python benchmarks/distillation_memory.py        # after: distillation.py full
    python benchmarks/distillation_memory.py --what annotate

Takes the teacher and the documents of benchmarks/distillation.py; about 40 minutes on one core. Rows of what is not
measured anew stay in the result.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, find_encoder, machine, write_result

SIZES = {"annotate": (500, 1000, 2000, 4000), "pretrain": (500, 4000)}
STEPS = 500
RESULT = RESULTS / "distillation_memory.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="where distillation.py put its files")
    parser.add_argument("--what", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    args = parser.parse_args()
    work = args.work.resolve()
    teachers = sorted(work.glob("redocred/seed*/model-last"))
    if not teachers:
        raise SystemExit(f"No teacher in {work / 'redocred'}: run benchmarks/redocred.py first")
    earlier = json.loads(RESULT.read_text(encoding="utf8"))["rows"] if RESULT.exists() else []
    rows = [row for row in earlier if row["what"] not in args.what]
    for what in args.what:
        for n_docs in SIZES[what]:
            figures = annotate(work, teachers[0], n_docs) if what == "annotate" else pretrain(work, n_docs)
            rows.append({"what": what, "docs": n_docs, **figures, "machine": machine()})
            write_result(RESULT, {"what": "peak resident memory", "pretraining_steps": STEPS, "rows": rows})
    for row in rows:
        print(f"{row['what']:10} {row['docs']:5} documents: {row['peak_mb']:6} MB, {row['seconds']} s")


def annotate(work: Path, teacher: Path, n_docs: int) -> dict[str, int]:
    """Soft labels for so many documents, in a process of its own."""
    inputs = (work / "distillation" / "incomplete", work / "distillation" / "unlabelled")
    soft = folder_of(work, n_docs)
    shutil.rmtree(soft, ignore_errors=True)
    return measure("docre", "annotate", teacher, *inputs, soft, "-n", n_docs)


def pretrain(work: Path, n_docs: int) -> dict[str, int]:
    """A student of those."""
    options = {
        "paths.train": folder_of(work, n_docs),
        "paths.dev": work / "corpus" / "dev.spacy",
        "vars.encoder": find_encoder(),
        "training.max_steps": STEPS,
        "training.eval_frequency": STEPS,
    }
    settings = [x for name, value in options.items() for x in (f"--{name}", value)]
    model = work / "distillation" / "memory" / "model"
    return measure("train", ROOT / "configs" / "docre_pretrain.cfg", "-o", model, *settings)


def folder_of(work: Path, n_docs: int) -> Path:
    return work / "distillation" / "memory" / f"soft-{n_docs}"


def measure(*args: Any) -> dict[str, int]:
    """Peak memory of `python -m spacy …` in MB, and how long it took."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "spacy", *map(str, args)], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"spacy {args[0]} failed")
    return {"peak_mb": round(usage.ru_maxrss / 1024), "seconds": round(time.perf_counter() - start)}


if __name__ == "__main__":
    main()
