"""Sentence templates: `{p1} was born in {l1}. => p1 birth l1`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .entities import Entity, Fact

SLOT = re.compile(r"\{([a-z])(\d)(?::(\w+))?\}")
LABELS = {  # label: readable name, kinds of slot that may be head, and tail
    "birth": ("place of birth", "p", "l"),
    "residence": ("residence", "p", "l"),
    "employer": ("employer", "p", "osb"),
    "educated": ("educated at", "p", "s"),
    "founder": ("founded by", "osb", "p"),
    "leader": ("led by", "osb", "p"),
    "headquarters": ("headquarters location", "osb", "l"),
    "located": ("located in", "lr", "r"),
    "owner": ("owned by", "ob", "o"),
    "author": ("author", "w", "p"),
    "publisher": ("publisher", "w", "b"),
    "setting": ("setting", "w", "l"),
    "spouse": ("spouse", "p", "p"),
    "parent": ("parent", "p", "p"),
    "sibling": ("sibling", "p", "p"),
    "participant": ("participant", "e", "p"),
    "winner": ("winner", "e", "p"),
    "venue": ("venue", "e", "l"),
    "sponsor": ("sponsor", "e", "ob"),
    "teacher": ("taught by", "p", "p"),
}
KINDS = {"p": "she he", "o": "firm college publisher", "s": "college", "b": "publisher", "l": "town", "r": "region"}
KINDS |= {"w": "work", "e": "event"}


@dataclass(frozen=True)
class Template:
    """text: with slots; slots: those that stand for names; facts: (slot, label, slot)"""

    text: str
    slots: tuple[str, ...]
    facts: tuple[tuple[str, str, str], ...]


def fits(slot: str, entity: Entity) -> bool:
    return entity.kind in KINDS[slot[0]].split()


def read_templates(path: Path) -> list[Template]:
    """Raises ValueError, with the line, for a template that is not well-formed."""
    templates = []
    for i, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                templates.append(parse(line))
            except ValueError as err:
                raise ValueError(f"{path}, line {i}: {err}: {line}") from None
    return templates


def parse(line: str) -> Template:
    text, arrow, facts_text = line.partition("=>")
    if not arrow:
        raise ValueError("expected TEXT => FACTS")
    text = text.strip()
    slots = tuple(m[1] + m[2] for m in SLOT.finditer(text) if m[3] is None)
    if len(set(slots)) < len(slots):
        raise ValueError("a slot stands twice")
    if unknown := {m[1] + m[2] for m in SLOT.finditer(text)} - set(slots):
        raise ValueError(f"no name for {sorted(unknown)}")
    if "{" in SLOT.sub("", text) or any(s[0] not in KINDS for s in slots):
        raise ValueError("an unknown slot")
    facts = tuple(_parse_fact(part, slots) for part in facts_text.split(";") if part.strip())
    if any((h, "participant", t) not in facts for h, label, t in facts if label == "winner"):
        raise ValueError("a winner takes part")
    return Template(text, slots, facts)


def _parse_fact(text: str, slots: Sequence[str]) -> tuple[str, str, str]:
    head, label, tail = text.split()
    if label not in LABELS or head not in slots or tail not in slots:
        raise ValueError(f"the fact {text.strip()!r} does not fit")
    _, heads, tails = LABELS[label]
    if head[0] not in heads or tail[0] not in tails:
        raise ValueError(f"{label} is not between {head} and {tail}")
    return head, label, tail


def match(template: Template, facts: Sequence[Fact]) -> Iterator[tuple[dict[str, Entity], list[Fact]]]:
    """Ways to let a template say facts of a list, the first of them included: its slots, and what it says."""
    if not template.facts:
        return

    def extend(i: int, filled: dict[str, Entity], said: list[Fact]) -> Iterator[tuple[dict[str, Entity], list[Fact]]]:
        if i == len(template.facts):
            if facts[0] in said:
                yield filled, said
            return
        head, label, tail = template.facts[i]
        for fact in facts:
            ends = ((fact.head, fact.tail),)
            if label in ("spouse", "sibling"):
                ends += ((fact.tail, fact.head),)
            if fact.label != label or fact in said:
                continue
            for h, t in ends:
                if _free(filled, head, h) and _free(filled, tail, t):
                    yield from extend(i + 1, filled | {head: h, tail: t}, [*said, fact])

    yield from extend(0, {}, [])


def _free(filled: dict[str, Entity], slot: str, entity: Entity) -> bool:
    """May the slot stand for this entity: it fits, and neither stands for something else."""
    if slot in filled:
        return filled[slot] == entity
    return fits(slot, entity) and entity not in filled.values()
