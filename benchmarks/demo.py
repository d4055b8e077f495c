"""The whole chain on the invented documents: how good is each stage, and how long does all of it take?

    python benchmarks/demo.py

Runs the workflow `all` of project.yml in this clone. What has been made there already is not made again, and then the
minutes are not written. The scores say that training works, nothing about real text.
"""

import argparse
import json
from typing import Any

from common import RESULTS, ROOT, machine, run_workflow, write_result

STAGES = {"teacher": "1-teacher", "student, pretrained": "2-student-pretrained", "student": "3-student-finetuned"}
SCORES = ("p", "r", "f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vars", nargs="*", default=[], help="others of project.yml, as distant_docs=200")
    args = parser.parse_args()
    options = dict(x.split("=", 1) for x in args.vars)
    minutes = run_workflow("all", options)
    result: dict[str, Any] = {
        "what": "micro precision, recall and F1 on the invented test documents",
        "settings": {"workflow": "all", "seed": int(options.get("seed", 0)), "vars": options},
        "minutes": minutes,
        "machine": machine(),
        "scores": {stage: scores_of(name) for stage, name in STAGES.items()},
    }
    write_result(RESULTS / "demo.json", result)
    for stage, scores in result["scores"].items():
        print(f"{stage:20}", *(f"{key.upper()} {value:.1%}" for key, value in scores.items()))


def scores_of(name: str) -> dict[str, float]:
    scores = json.loads((ROOT / "metrics" / "fictional" / f"{name}.json").read_text(encoding="utf8"))
    return {key: scores[f"rel_micro_{key}"] for key in SCORES}


if __name__ == "__main__":
    main()
