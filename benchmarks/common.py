"""What every benchmark shares: the encoder, the machine, results written as they come."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srsly

from spacy_docre.models import encoders

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("spacy", "spacy-transformers", "thinc", "torch", "transformers", "numpy")


def find_encoder(name: str | None = None) -> str:
    """`name` (a folder or a name on the hub), or all-MiniLM-L6-v2 with its checksum verified."""
    return name or str(encoders.find_encoder())


def machine() -> dict[str, Any]:
    """What the figures were measured on; no names or paths."""
    import torch

    info = {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
    }
    return {**info, "versions": {name: version(name) for name in PACKAGES}}


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    temporary.replace(path)


def case_parser(doc: str | None) -> argparse.ArgumentParser:
    """For a benchmark that measures each case in a process of its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", help="folder or name on the hub; default: all-MiniLM-L6-v2")
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser


def parse_or_measure(parser: argparse.ArgumentParser, measure: Callable[..., Any]) -> argparse.Namespace:
    """The arguments of the benchmark; in the process of a case, that is measured and printed, and the process ends."""
    args = parser.parse_args()
    if args.case:
        print(json.dumps(measure(args, **json.loads(args.case))))
        sys.exit()
    return args


def in_process(script: str, case: dict[str, Any], **options: Any) -> dict[str, Any]:
    """One case of a benchmark in a fresh process, so that memory is its own: the JSON of the last line that
    `python script --case CASE --option VALUE …` prints. Options that are None are left out."""
    command = [sys.executable, script, "--case", json.dumps(case)]
    given = {name: value for name, value in options.items() if value is not None}
    command += [x for name, value in given.items() for x in (f"--{name.replace('_', '-')}", str(value))]
    done = subprocess.run(command, check=True, cwd=ROOT / "benchmarks", stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_workflow(name: str, options: dict[str, Any]) -> float | None:
    """Run a workflow of project.yml in this clone; the minutes that it took, None where a part had been done before.

    options: of its variables.
    """
    project = srsly.read_yaml(ROOT / "project.yml")
    outputs = [path for c in project["commands"] if c["name"] in project["workflows"][name] for path in c["outputs"]]
    is_fresh = not any((ROOT / path).exists() for path in outputs)
    flags = [x for variable, value in options.items() for x in (f"--vars.{variable}", value)]
    start = time.perf_counter()
    spacy("project", "run", name, ROOT, *flags)
    return round((time.perf_counter() - start) / 60, 1) if is_fresh else None


def spacy(*args: Any) -> None:
    """Run `python -m spacy …`; a failure stops the benchmark."""
    command = [sys.executable, "-m", "spacy", *map(str, args)]
    subprocess.run(command, check=True, cwd=ROOT)
