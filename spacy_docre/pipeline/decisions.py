"""What a component knows, beside its weights, of when a label is predicted: thresholds, calibration, rules.

In the component's `cfg`, plain data: "label_offsets", {label: margin}, added to the component's threshold;
"calibration", {"scale": float, "offsets": {label: float}}: σ(scale · margin + offset) is a label's probability; and
"schema", the rules. "knows_evidence" says whether attention has learned from evidence.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language

from ..errors import Errors
from ..features.schema import Rules, Schema, SchemaCounts
from ..losses import MarginLoss
from .decoding import Decoder
from .labelled import Labelled


class Deciding(Labelled):
    """Keeps what was decided with the component, and takes the rules of a file, where one is named, before others."""

    cfg: dict[str, Any]
    loss: MarginLoss
    threshold_offset: float
    max_labels_per_pair: int
    schema: Schema | None

    def take_labels(self, labels: Sequence[str]) -> None:
        """Replace the labels, before weights with these labels are loaded: the old weights are of no use then."""
        self.cfg["labels"] = list(labels)
        forget_decisions(self.cfg, rules=False)
        for label in labels:
            self.vocab.strings.add(label)
        for layer in (self.model, self.model.get_ref("head")):
            layer.set_dim("nO", 1 + len(labels), force=True)

    @property
    def decoder(self) -> Decoder:
        """What makes relations of margins, by the present settings. Raises ValueError if a file of rules is needed, and
        not there."""
        if self.schema is not None and "schema" not in self.cfg:
            self.cfg["schema"] = self.schema.read()
        return make_decoder(self.loss, self.cfg, self.threshold_offset, self.max_labels_per_pair, self.schema)

    def learn_rules(self, counts: SchemaCounts, nlp: Language | None) -> dict[str, Any]:
        """Rules of the schema's file, or else of what was counted in the training data, as a part of `cfg`.

        Raises ValueError if these are streamed: then spaCy gives only their first documents to initialize.
        """
        if self.schema is None:
            return {}
        rules = self.schema.read()
        if rules is None and nlp is not None and nlp.config.get("training", {}).get("max_epochs") == -1:
            raise ValueError(Errors.E149.format(name=self.name))
        return {"schema": rules or counts.rules()}

    def take_file_rules(self) -> None:
        """Rules of a file take the place of those that are known, if it is there: a pipeline goes without its file."""
        if self.schema is not None and self.schema.path is not None and self.schema.path.exists():
            self.cfg["schema"] = self.schema.read()

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "Deciding":
        forget_decisions(self.cfg)
        super().from_disk(path, exclude=exclude)  # updates cfg
        self.take_file_rules()
        return self

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "Deciding":
        forget_decisions(self.cfg)
        super().from_bytes(bytes_data, exclude=exclude)
        self.take_file_rules()
        return self


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


def forget_decisions(cfg: dict[str, Any], *, rules: bool = True) -> None:
    """What was measured does not hold for other weights; rules, which go by label, may."""
    for key in ("label_offsets", "calibration", "knows_evidence", *(["schema"] if rules else [])):
        cfg.pop(key, None)
