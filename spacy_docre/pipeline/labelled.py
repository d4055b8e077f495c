"""The labels of a component, and whether its model fits them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.pipeline import TrainablePipe
from thinc.api import Model

from ..errors import Errors
from ..models.listening import not_built

# Attrs of the model, see models.docre.forward
ATTRS = ("evidence", "learned_threshold", "n_passes", "reading", "vector_check")


class Labelled(TrainablePipe):
    """Keeps labels in `cfg`; the model has one output more than there are labels."""

    cfg: dict[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """For `spacy init labels`: a file of these can be given to `initialize`."""
        return list(self.labels)

    @property
    def learned_threshold(self) -> bool:
        """Whether the first logit is learned; or 0 (threshold_column = "zero")."""
        return bool(self.model.attrs["learned_threshold"])

    def add_label(self, label: str) -> int:
        """Add a relation label, before the model is initialised. Returns 1 if it is new, else 0."""
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.E063.format(label=label))
        if label in self.labels:
            return 0
        if self.model.has_dim("nO"):
            raise ValueError(Errors.E060.format(label=label, name=self.name))
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        return 1

    def _require_model(self) -> None:
        """Say what is missing before the first prediction or update."""
        if not self.model.has_dim("nO"):
            raise not_built(self.model, self.name)
        found, expected = self.model.get_dim("nO"), 1 + len(self.labels)
        if found != expected:
            raise ValueError(Errors.E040.format(found=found, n_labels=len(self.labels), expected=expected))


def require_pair_model(model: Model, name: str) -> None:
    """Raise ValueError for a model that a component for relations, `name`, can't work with."""
    if missing := [attr for attr in ATTRS if attr not in model.attrs]:
        raise ValueError(Errors.E147.format(name=name, model=model.name, missing=", ".join(missing)))


def require_numbers(logits: NDArray[np.float32], name: str) -> None:
    """Raise ValueError for logits that are nan: they are above no threshold, so that nothing would be found."""
    if np.isnan(logits).any():
        raise ValueError(Errors.E154.format(name=name))
