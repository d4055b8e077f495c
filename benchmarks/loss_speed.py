"""What a loss costs: its forward and backward pass as a share of a training step of the main config.

    python benchmarks/loss_speed.py

The batch: 4 documents of 200 words with 20 entities and 96 labels (1,520 pairs), random words, float32. Every round
times a whole step and each loss in turn, on the margins of that step; shares are medians over the rounds.
"""

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path

import torch
from common import RESULTS, find_encoder, machine, write_result
from losses import table_of_losses
from speed import N_LABELS, clock, load_pipeline, make_example, trainer
from thinc.api import registry

LABELS = [f"label {i}" for i in range(N_LABELS)]
EXTRA = {"EXACT": {}, "EXACT, single label": {"form": "single"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", help="folder or name on the hub; default: all-MiniLM-L6-v2")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    nlp, optimizer = load_pipeline(find_encoder(args.encoder), "float32", -1)
    rng = random.Random(0)
    examples = [make_example(nlp, rng, 200, 20) for _ in range(4)]
    step = trainer(nlp, optimizer)
    step(examples)
    n_pairs = 4 * 20 * 19
    margins = torch.randn((n_pairs, N_LABELS)) - 4
    targets = (torch.rand((n_pairs, N_LABELS)) < 0.001).float()
    with tempfile.TemporaryDirectory() as folder:
        write_label_files(Path(folder))
        blocks = table_of_losses(Path(folder))
        blocks.update({name: {"@losses": "spacy-docre.EXACT.v1", **settings} for name, settings in EXTRA.items()})
        losses = {name: registry.resolve({"loss": block})["loss"] for name, block in blocks.items()}
        for loss in losses.values():
            loss.bind(LABELS)
            loss.set_step(0)
    times: dict[str, list[float]] = {name: [] for name in ("step", *losses)}
    for _ in range(args.rounds):
        times["step"].append(clock(lambda: step(examples), lambda: None))
        for name, loss in losses.items():
            times[name].append(clock(lambda loss=loss: backward(loss, margins, targets), lambda: None))
    share = {name: round(statistics.median(t / s for t, s in zip(times[name], times["step"])), 5) for name in losses}
    for name, value in sorted(share.items(), key=lambda x: x[1]):
        print(f"{name:22} {100 * value:6.2f} %")
    write_result(
        RESULTS / "loss_speed.json",
        {
            "what": "forward and backward pass of a loss, as a share of a training step",
            "settings": {"pairs": n_pairs, "labels": N_LABELS, "words": 200, "rounds": args.rounds},
            "machine": machine(),
            "step_seconds": round(statistics.median(times["step"]), 3),
            "share": share,
        },
    )


def backward(loss, margins: torch.Tensor, targets: torch.Tensor) -> None:
    leaf = margins.clone().requires_grad_()
    torch.autograd.grad(loss(leaf, targets), leaf)


def write_label_files(folder: Path) -> None:
    costs = [[float(a != b) for a in LABELS] for b in LABELS]
    (folder / "costs.json").write_text(json.dumps({"labels": LABELS, "costs": costs}), encoding="utf8")
    priors = {label: {"true": 0.003, "labelled": 0.001} for label in LABELS}
    (folder / "priors.json").write_text(json.dumps(priors), encoding="utf8")


if __name__ == "__main__":
    main()
