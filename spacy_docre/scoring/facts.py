"""Facts of the training set: what Ign F1 leaves out of the precision."""

import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path

from ..annotations import Entity, Relation
from ..errors import Errors, Warnings
from ..json_file import load_json

Fact = tuple[str, str, str]  # (head name, tail name, label)


class Facts:
    """A set of facts by name. Names are compared without white space: tokens and texts differ in it."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts = {(squeeze(head), squeeze(tail), label) for head, tail, label in facts}

    def __len__(self) -> int:
        return len(self.facts)

    def between(self, entities: Sequence[Entity]) -> list[tuple[str, str, str]]:
        """(head id, label, tail id) of every fact between two of these entities, by any of their names."""
        owners: dict[str, list[str]] = {}
        for entity in entities:
            for name in {squeeze(m.text) for m in entity.mentions}:
                owners.setdefault(name, []).append(entity.id)
        found = {
            (head, label, tail_id)
            for name, heads in owners.items()
            for tail, label in self.by_head.get(name, ())
            for head in heads
            for tail_id in owners.get(tail, ())
            if head != tail_id
        }
        return sorted(found)

    @property
    def labels(self) -> set[str]:
        return {label for _, _, label in self.facts}

    @cached_property
    def by_head(self) -> dict[str, list[tuple[str, str]]]:
        """Head name -> (tail name, label), all squeezed."""
        index: dict[str, list[tuple[str, str]]] = {}
        for head, tail, label in self.facts:
            index.setdefault(head, []).append((tail, label))
        return index

    def __contains__(self, relation: Relation) -> bool:
        """Whether any mention of the head and any of the tail name a known fact (DocRED's rule)."""
        heads = {squeeze(m.text) for m in relation.head.mentions}
        tails = {squeeze(m.text) for m in relation.tail.mentions}
        return any((h, t, relation.label_) in self.facts for h, t in product(heads, tails))


def read_facts(path: Path) -> Facts:
    """Read [[head name, tail name, label], …] from a JSON file. Raises ValueError for anything else."""
    if not path.exists():
        raise ValueError(Errors.E024.format(path=path))
    try:
        rows = load_json(path)
    except ValueError as err:
        raise ValueError(Errors.E101.format(path=path, found=f"no JSON ({err})")) from err
    if not isinstance(rows, list):
        raise ValueError(Errors.E101.format(path=path, found=type(rows).__name__))
    for i, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == 3 and all(isinstance(x, str) for x in row)):
            raise ValueError(Errors.E101.format(path=path, found=f"{str(row)[:80]} in row {i}"))
    return Facts((row[0], row[1], row[2]) for row in rows)


def facts_if_there(path: Path) -> Facts | None:
    """The facts of a file, read again only if it has changed; None with a warning where there is no such file."""
    if not path.exists():
        warnings.warn(Warnings.W010.format(path=path), stacklevel=2)
        return None
    return _read_version(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_version(path: Path, _mtime: int) -> Facts:
    return read_facts(path)


def facts_of(relations: Iterable[Relation]) -> set[Fact]:
    """The facts that these relations state: every name of the head with every name of the tail."""
    return {(h.text, t.text, r.label_) for r in relations for h in r.head.mentions for t in r.tail.mentions}


def squeeze(name: str) -> str:
    return "".join(name.split())
