"""What a component knows, beside its weights, of when a label is predicted: thresholds, calibration, rules.

In the component's `cfg`, plain data: "label_offsets", {label: margin}, added to the component's threshold;
"calibration", {"scale": float, "offsets": {label: float}}: σ(scale · margin + offset) is a label's probability; and
"schema", the rules.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from ..features.schema import Rules, Schema
from ..losses import MarginLoss
from .decoding import Decoder


def make_decoder(
    loss: MarginLoss, cfg: Mapping[str, Any], threshold_offset: float, max_labels: int, schema: Schema | None
) -> Decoder:
    labels: list[str] = cfg["labels"]
    by_label = cfg.get("label_offsets") or {}
    thresholds = [loss.decision_margin + threshold_offset + by_label.get(label, 0.0) for label in labels]
    calibration = cfg.get("calibration")
    if calibration is not None:
        offsets = np.array([calibration["offsets"][label] for label in labels], dtype=np.float32)
        calibration = (calibration["scale"], offsets)
    rules = None
    if schema is not None and cfg.get("schema"):
        rules = Rules(cfg["schema"], labels, types=schema.types, inverses=schema.inverses)
    return Decoder(
        thresholds=np.array(thresholds, dtype=np.float32),
        max_labels=max_labels,
        probability=loss.probability,
        calibration=calibration,
        rules=rules,
    )


def forget_decisions(cfg: MutableMapping[str, Any]) -> None:
    """For other labels or other weights: what was measured does not hold for them."""
    for key in ("label_offsets", "calibration", "schema"):
        cfg.pop(key, None)
