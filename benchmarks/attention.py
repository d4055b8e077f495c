"""Which attention is faster on CPU: torch's fused kernel, or product, softmax, product?

    python benchmarks/attention.py

The two take turns on the shapes of the encoder (eight windows of 330 word pieces) and of axial attention (grids of 20,
60 and 100 entities), forward, and forward with backward. Medians over rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from common import RESULTS, machine, write_result
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from spacy_docre.layers.attention import attend_plainly

SHAPES = {  # lines, heads, keys, width of a head
    "encoder, 8 windows": (8, 12, 330, 32),
    "axial, 20 entities": (20, 8, 20, 24),
    "axial, 60 entities": (60, 8, 60, 24),
    "axial, 100 entities": (100, 8, 100, 24),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, shape in SHAPES.items():
        for dtype in (torch.float32, torch.bfloat16):
            rows.append({"shape": name, "precision": str(dtype).split(".")[1], **measure(shape, dtype, args.rounds)})
            row = rows[-1]
            print(f"{name:20} {row['precision']:9}", end="")
            for what in ("forward", "with backward"):
                fused, plain = row[what]["fused_ms"], row[what]["plain_ms"]
                print(f"  {what}: fused {fused:7.1f} ms, plain {plain:7.1f} ms", end="")
            print()
    result = {
        "what": "milliseconds of attention, a fifth of the keys masked; medians",
        "rows": rows,
        "machine": machine(),
    }
    write_result(RESULTS / "attention.json", result)


def measure(shape: tuple[int, int, int, int], dtype: torch.dtype, n_rounds: int) -> dict[str, dict[str, float]]:
    torch.manual_seed(0)
    query, key, value, slope = (torch.randn(shape, dtype=dtype) for _ in range(4))
    mask = torch.arange(shape[2]).expand(shape[0], 1, 1, -1) < shape[2] * 4 // 5
    ways: dict[str, Callable[..., Tensor]] = {
        "fused_ms": lambda *x: scaled_dot_product_attention(*x, attn_mask=mask),
        "plain_ms": lambda *x: attend_plainly(*x, mask),
    }
    found: dict[str, dict[str, float]] = {}
    for what, with_backward in (("forward", False), ("with backward", True)):
        inputs = [x.clone().requires_grad_(with_backward) for x in (query, key, value)]
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(n_rounds + 1):
            for way, attention in ways.items():
                start = time.perf_counter()
                output = attention(*inputs)
                if with_backward:
                    output.backward(slope)
                times[way].append(1000 * (time.perf_counter() - start))
        found[what] = {way: round(statistics.median(t[1:]), 2) for way, t in times.items()}
    return found


if __name__ == "__main__":
    main()
