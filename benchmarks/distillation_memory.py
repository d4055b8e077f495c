"""Does memory grow with the corpus, while annotating and while pretraining on soft labels?

    python benchmarks/distillation_memory.py        # after: distillation.py full

Takes the teacher and the documents of benchmarks/distillation.py; about 40 minutes on one core.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, find_encoder, machine, write_result

SIZES = (500, 4000)
STEPS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="where distillation.py put its files")
    work = parser.parse_args().work.resolve()
    files, corpus = work / "distillation", work / "corpus"
    teachers = sorted(work.glob("redocred/seed*/model-last"))
    if not teachers:
        raise SystemExit(f"No teacher in {work / 'redocred'}: run benchmarks/redocred.py first")
    teacher = teachers[0]
    rows: list[dict[str, Any]] = []
    for n_docs in SIZES:
        soft, model = files / "memory" / f"soft-{n_docs}", files / "memory" / "model"
        shutil.rmtree(soft, ignore_errors=True)
        inputs = (files / "incomplete", files / "unlabelled")
        rows.append(
            {"what": "annotate", "docs": n_docs, **measure("docre", "annotate", teacher, *inputs, soft, "-n", n_docs)}
        )
        options = {
            "paths.train": soft,
            "paths.dev": corpus / "dev.spacy",
            "vars.encoder": find_encoder(),
            "training.max_steps": STEPS,
            "training.eval_frequency": STEPS,
        }
        settings = [x for name, value in options.items() for x in (f"--{name}", value)]
        config = ROOT / "configs" / "docre_pretrain.cfg"
        rows.append({"what": "pretrain", "docs": n_docs, **measure("train", config, "-o", model, *settings)})
        result = {"what": "peak resident memory", "pretraining_steps": STEPS, "rows": rows, "machine": machine()}
        write_result(RESULTS / "distillation_memory.json", result)
    for row in rows:
        print(f"{row['what']:10} {row['docs']:5} documents: {row['peak_mb']:6} MB, {row['seconds']} s")


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
