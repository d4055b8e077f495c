"""What else could make the encoder faster on CPU in prediction, and what does it cost in F1?

    python benchmarks/encoder_options.py MODEL corpus/redocred/dev.spacy

The encoder in float32, in bfloat16, with linear layers in int8 (torch's dynamic quantisation), and compiled by
torch.compile; the head stays as it is. Variants take turns on the same documents; F1 on gold entities.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
import torch
from common import RESULTS, machine, write_result

from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.scoring.relation_scorer import score_relations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="trained pipeline")
    parser.add_argument("data", type=Path, help=".spacy file with complete labels")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    nlp = spacy.load(args.model)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    plain, seconds, scores, failed = shim._model, {}, {}, {}
    for name, (precision, change) in VARIANTS.items():
        try:
            changed = change(copy.deepcopy(plain))
            use(shim, changed, precision)
            scores[name], _ = run(nlp, args.data)  # compiles, too
            seconds[name] = (changed, precision, [])
        except Exception as err:  # a variant that this machine can't do is a result
            failed[name] = f"{type(err).__name__}: {str(err).splitlines()[0][:200]}"
            print(f"{name}: {failed[name]}")
    for _ in range(args.rounds):
        for changed, precision, times in seconds.values():
            use(shim, changed, precision)
            times.append(run(nlp, args.data)[1])
    figures = {name: {"f": scores[name], "seconds": statistics.median(x[2])} for name, x in seconds.items()}
    for name, row in figures.items():
        ratio = row["seconds"] / figures["bfloat16"]["seconds"]
        print(f"{name:22} F1 {100 * row['f']:.2f}  {row['seconds']:.2f} s  {ratio:.2f} × bfloat16")
    what = "F1 and seconds for all documents; median over rounds; the head in the model's own precision"
    result = {"what": what, "machine": machine(), "figures": figures, "failed": failed}
    write_result(RESULTS / "encoder_options.json", result)


def use(shim: Any, encoder: torch.nn.Module, precision: str) -> None:
    shim._model, shim.precision = encoder, precision


def run(nlp: Any, data: Path) -> tuple[float, float]:
    """F1, and the seconds that predicting took."""
    examples = list(create_corpus_v1(data)(nlp))
    start = time.perf_counter()
    for _ in nlp.pipe(eg.predicted for eg in examples):
        pass
    return score_relations(examples)["rel_micro_f"], time.perf_counter() - start


def int8(encoder: torch.nn.Module) -> torch.nn.Module:
    return torch.ao.quantization.quantize_dynamic(encoder, {torch.nn.Linear}, dtype=torch.qint8)


def compiled(encoder: torch.nn.Module) -> torch.nn.Module:
    return torch.compile(encoder, dynamic=True)


VARIANTS: dict[str, tuple[str, Callable[[torch.nn.Module], torch.nn.Module]]] = {
    "float32": ("float32", lambda encoder: encoder),
    "bfloat16": ("bfloat16", lambda encoder: encoder),
    "int8": ("float32", int8),
    "float32, compiled": ("float32", compiled),
    "bfloat16, compiled": ("bfloat16", compiled),
}

if __name__ == "__main__":
    main()
