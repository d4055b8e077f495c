"""A trained pipeline as a teacher: the logits of all pairs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import UNCALIBRATED, entities_or_ents, has_mentions, set_entities
from ..components import made_by
from ..errors import Errors
from ..loading import load_pipeline
from ..pipeline.batching import MAX_CELLS, batch_by_cost
from ..pipeline.docre_relations import DocRERelations
from ..pipeline.survey import warn_of_strange_types
from ..readers.manifest import folder_sha256
from ..readers.shards import without_hidden_states


class Teacher:
    """name: of the package, or the last two folders of where it was loaded from; checksum: of all its files.
    calibration: scale and offset, σ(scale · margin + offset) is a label's probability
    """

    def __init__(self, model: str, *, name: str | None = None) -> None:
        """Raises ValueError if the pipeline finds no relations."""
        self.nlp = load_pipeline(model)
        found = [name for name, pipe in self.nlp.pipeline if isinstance(pipe, DocRERelations)]
        if not found:
            raise ValueError(Errors.E102.format(model=model, pipeline=", ".join(self.nlp.pipe_names) or "empty"))
        self.component: DocRERelations = self.nlp.get_pipe(found[0])  # type: ignore[assignment]
        names = self.nlp.pipe_names
        self.unused = [*made_by(self.nlp, "docre_entities"), *names[names.index(found[0]) :]]
        self.labels = self.component.labels
        self.calibration = UNCALIBRATED
        self.name = name or names_of([model])[0]
        self.checksum = folder_sha256(self.nlp.path)

    def logits(self, docs: Sequence[Doc]) -> list[NDArray[np.float32]]:
        """The logits of each document's pairs (n_pairs, 1 + n_labels), in the order of the documents.

        The entities are those that the documents have, so docre_entities does not run; the pipeline's other components
        before the relations run on them, and their hidden states are cleared.
        """
        # Static vectors are those of the documents' vocabulary.
        docs = [doc if doc.vocab is self.nlp.vocab else Doc(self.nlp.vocab).from_bytes(doc.to_bytes()) for doc in docs]
        entities = [entities_or_ents(doc) for doc in docs]
        for doc, found in zip(docs, entities):
            if not has_mentions(doc):
                set_entities(doc, found)  # nothing that a ner of this pipeline, or of another teacher's, finds
        warn_of_strange_types(entities, self.component.cfg.get("types", ()), self.component.counts)
        ready = list(self.nlp.pipe(docs, disable=self.unused, batch_size=len(docs)))
        nothing = np.zeros((0, 1 + len(self.labels)), dtype=np.float32)
        rows = {id(doc): nothing for doc in ready}
        for batch in batch_by_cost([doc for doc, found in zip(ready, entities) if found], MAX_CELLS):
            rows.update(zip(map(id, batch), self.component.predict_logits(batch)))
        for doc in ready:
            without_hidden_states(doc)
        return [rows[id(doc)] for doc in ready]


def load_teachers(models: Sequence[str]) -> list[Teacher]:
    """Each under a name of its own. Raises ValueError if one finds no relations, or is given twice."""
    names = names_of(models)
    if len(set(names)) < len(names):
        raise ValueError(Errors.E125.format(names=", ".join(names)))
    return [Teacher(model, name=name) for model, name in zip(models, names)]


def names_of(models: Sequence[str]) -> list[str]:
    """Of packages their names; of folders the last two parts, or as many more as tell different ones apart."""
    parts = [Path(m).resolve().parts if Path(m).exists() else (m,) for m in models]
    n_parts = 2
    while len({p[-n_parts:] for p in parts}) < len(set(parts)):
        n_parts += 1
    return ["/".join(p[-n_parts:]) for p in parts]
