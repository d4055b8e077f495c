"""What a data set's labels allow: which types of entities a label is between, and which label its inverse is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import COMPLETE, get_entities, get_label_status, get_triples
from ..errors import Errors, Warnings, some, warn_once
from ..json_file import read_json

SEEN_ENOUGH = 10  # relations of a label, before the types that it was not seen with count as forbidden
SURE_INVERSE = 0.95  # share of a label's relations whose inverse is there too
INVERSE_SEEN = 5  # relations of a label, before its inverse is believed
Stored = dict[str, Any]  # {"types": {label: [[head type, tail type], …]}, "inverses": {label: label}}


@dataclass(frozen=True)
class Schema:
    """Which rules a component keeps to.

    path: JSON file with the rules; None learns them from the training data.
    types: only relations between types that the label was seen with; inverses: add the inverse of each relation.
    """

    path: Path | None
    types: bool
    inverses: bool

    def read(self) -> Stored | None:
        """The rules of the file. Raises ValueError, with its place, for a file that has no rules."""
        return read_schema(self.path) if self.path is not None else None


def create_schema_v1(path: Path | None = None, types: bool = True, inverses: bool = True) -> Schema:
    """Rules for relations: of a file that `spacy docre schema` wrote, or learned from the training data."""
    return Schema(Path(path) if path else None, types, inverses)


@dataclass
class SchemaCounts:
    """What the relations of documents have in common, counted document by document."""

    types: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    inverses: dict[str, Counter[str]] = field(default_factory=dict)
    n_relations: Counter[str] = field(default_factory=Counter)  # of completely labelled documents

    def add(self, doc: Doc) -> None:
        type_of = {e.id: e.label for e in get_entities(doc)}
        triples = {(h, r, t) for h, r, t in get_triples(doc) if h in type_of and t in type_of}
        for head, label, tail in triples:
            self.types.setdefault(label, Counter())[type_of[head], type_of[tail]] += 1
        if get_label_status(doc) != COMPLETE:
            return  # an inverse that nobody labelled says nothing
        labels: dict[tuple[str, str], list[str]] = {}
        for head, label, tail in triples:
            labels.setdefault((head, tail), []).append(label)
        for head, label, tail in triples:
            self.n_relations[label] += 1
            self.inverses.setdefault(label, Counter()).update(labels.get((tail, head), ()))

    def rules(self) -> Stored:
        """Types for labels with enough relations, inverses that are nearly always there."""
        types = {
            label: [list(pair) for pair in sorted(pairs)]
            for label, pairs in sorted(self.types.items())
            if pairs.total() >= SEEN_ENOUGH
        }
        inverses = {}
        for label, others in sorted(self.inverses.items()):
            total = self.n_relations[label]
            if others and total >= INVERSE_SEEN:
                other, n = min(others.items(), key=lambda item: (-item[1], item[0]))
                if n >= SURE_INVERSE * total:
                    inverses[label] = other
        return {"types": types, "inverses": inverses}


def read_schema(path: Path) -> Stored:
    """Raises ValueError, with the field, for anything but rules."""
    if not path.exists():
        raise ValueError(Errors.E024.format(path=path))
    stored = read_json(path)
    content = stored if isinstance(stored, dict) else {}
    types, inverses = content.get("types"), content.get("inverses")
    if not isinstance(types, dict):
        raise ValueError(Errors.E094.format(path=path, field="types", expected="{label: [[head type, tail type], …]}"))
    for label, pairs in types.items():
        if not (isinstance(pairs, list) and all(is_pair(p) for p in pairs)):
            expected = "a list of [head type, tail type]"
            raise ValueError(Errors.E094.format(path=path, field=f"types.{label}", expected=expected))
    if not (isinstance(inverses, dict) and all(isinstance(x, str) for x in inverses.values())):
        raise ValueError(Errors.E094.format(path=path, field="inverses", expected="{label: its inverse label}"))
    return {"types": types, "inverses": inverses}


def is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value)


class Rules:
    """A schema by the columns of a model.

    allowed (n_labels, n_types, n_types): the last type stands for all that the schema does not know, which it leaves
    alone; inverse (n_labels,): the column of each label's inverse, -1 for none.
    """

    def __init__(self, stored: Mapping[str, Any], labels: Sequence[str], *, types: bool, inverses: bool) -> None:
        column = {label: i for i, label in enumerate(labels)}
        given = {*stored["types"], *stored["inverses"]}
        if given and column and given.isdisjoint(column):
            warn_once(Warnings.W019.format(given=some(given), known=some(labels)), stacklevel=2)
        allowed_types = {x: pairs for x, pairs in stored["types"].items() if types and x in column}
        names = sorted({name for pairs in allowed_types.values() for pair in pairs for name in pair})
        self.code = {name: i for i, name in enumerate(names)}
        self.allowed = np.ones((len(labels), len(names) + 1, len(names) + 1), dtype=bool)
        for label, pairs in allowed_types.items():
            self.allowed[column[label], :-1, :-1] = False
            for head, tail in pairs:
                self.allowed[column[label], self.code[head], self.code[tail]] = True
        self.inverse = np.full(len(labels), -1)
        for label, other in stored["inverses"].items() if inverses else ():
            if label in column and other in column:
                self.inverse[column[label]] = column[other]

    def allowed_cells(
        self, types: Sequence[str], head: NDArray[np.int64], tail: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """types (n_entities,), head, tail (n_pairs,) -> (n_pairs, n_labels)"""
        codes = np.array([self.code.get(name, len(self.code)) for name in types], dtype=np.int64)
        return self.allowed[:, codes[head], codes[tail]].T
