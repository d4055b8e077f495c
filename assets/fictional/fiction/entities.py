"""Entities and facts of the fictional world, and what follows from what."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Entity:
    """name; type (PER, ORG, LOC, WORK, EVENT); kind: "she" and "he" for persons, "college", "town", …; acronym"""

    name: str
    type: str
    kind: str
    acronym: str | None = field(default=None, compare=False)

    @property
    def surname(self) -> str:
        return self.name.split()[-1]


@dataclass(frozen=True, order=True)
class Fact:
    head: Entity
    label: str
    tail: Entity


SYMMETRIC = frozenset({"spouse", "sibling"})
# (h, first, m) and (m, second, t) give (h, label, t)
CHAINS = (
    ("located", "located", "located"),
    ("headquarters", "located", "located"),
    ("venue", "located", "located"),
    ("owner", "owner", "owner"),
)


def complete(facts: dict[Fact, frozenset[int]]) -> dict[Fact, frozenset[int]]:
    """All that follows from facts, each with its evidence: the sentences that are needed for it.

    A fact that is stated keeps the evidence of its statement.
    """
    known = dict(facts)
    while True:
        new = {fact: evidence for fact, evidence in _consequences(known) if fact not in known}
        if not new:
            return known
        known.update(new)


def _consequences(known: dict[Fact, frozenset[int]]) -> Iterable[tuple[Fact, frozenset[int]]]:
    for fact, evidence in known.items():
        if fact.label in SYMMETRIC:
            yield Fact(fact.tail, fact.label, fact.head), evidence
        for other, more in known.items():
            if fact.head == other.tail and fact.tail == other.head:
                continue
            for first, second, label in CHAINS:
                if (fact.label, other.label) == (first, second) and fact.tail == other.head and fact.head != other.tail:
                    yield Fact(fact.head, label, other.tail), evidence | more
            if fact.label == other.label == "parent" and fact.tail == other.tail and fact.head != other.head:
                yield Fact(fact.head, "sibling", other.head), evidence | more
