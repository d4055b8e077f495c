"""What is known of the documents of one prediction, so that nothing is read twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..annotations import Entity
from ..types import PairLogits


@dataclass
class Reading:
    """entities: of each document. vectors: of the tokens of each, (n_tokens, width), once the model has read them."""

    docs: list[Doc]
    entities: Sequence[Sequence[Entity]]
    vectors: list[Floats2d] | None = None


def predict_pairs(model: Model[list[Doc], PairLogits], reading: Reading) -> PairLogits:
    """The logits of all pairs; `reading` gets the vectors, if no other thread's came between."""
    model.attrs["reading"] = reading
    try:
        return model.predict(reading.docs)
    finally:
        model.attrs["reading"] = None


def reading_of(model: Model, docs: Sequence[Doc]) -> Reading | None:
    """That of these documents, if it was given: another thread's is of others."""
    reading: Reading | None = model.attrs["reading"]
    return reading if reading is not None and reading.docs is docs else None
