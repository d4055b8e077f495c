"""Names, short names, acronyms and pronouns: how a sentence refers to its entities."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from .entities import Entity
from .templates import SLOT

PRONOUNS = {
    "she": {"he": "she", "him": "her", "his": "her", "himself": "herself"},
    "he": {"he": "he", "him": "him", "his": "his", "himself": "himself"},
}
NOUNS = {
    "firm": ("the firm", "the company", "the organisation"),
    "college": ("the college", "the school"),
    "publisher": ("the publisher", "the house"),
    "town": ("the town",),
    "region": ("the region",),
    "work": ("the work", "the piece"),
    "event": ("the event",),
}


class Voice:
    """Refers to the entities of one document: full names first, then shorter ones where they are clear."""

    def __init__(self, cast: Sequence[Entity], rng: random.Random) -> None:
        self.rng = rng
        self.surnames = Counter(e.surname for e in cast if e.type == "PER")
        self.acronyms = Counter(e.acronym for e in cast if e.acronym)
        self.heads = Counter(e.name.split()[0] for e in cast if e.type == "ORG")
        self.named: set[Entity] = set()
        self.abbreviated: set[Entity] = set()
        self.first_names = Counter(e.name.split()[0] for e in cast if e.type == "PER")
        self.kinds = Counter(e.kind for e in cast)
        self.topic: Entity | None = None  # what the last sentence began with
        self.recent: list[Entity] = []  # of the last sentence

    def speak(self, text: str, slots: Mapping[str, Entity]) -> tuple[str, list[tuple[Entity, int, int]]]:
        """The sentence, and its mentions with start and end characters."""
        out, spans, last = "", [], 0
        first = SLOT.match(text)
        for found in SLOT.finditer(text):
            out += text[last : found.start()]
            last = found.end()
            entity = slots[found[1] + found[2]]
            if found[3]:
                out += self.refer_back(entity, found[3], starts=not out)
            elif not out and self.is_clear(entity):
                possessive = text.startswith("'s", last)
                out += self.pronoun(entity, possessive)
                last += 2 if possessive and entity.type == "PER" else 0
            elif out and entity.type != "PER" and self.is_clear(entity) and self.rng.random() < 0.6:
                out += self.rng.choice(NOUNS[entity.kind])
            else:
                names = self.name(entity)
                spans.append((entity, len(out), len(out) + len(names[0])))
                out += names[0]
                if len(names) == 2:  # Halvern Tramway Company (HTC)
                    spans.append((entity, len(out) + 2, len(out) + 2 + len(names[1])))
                    out += f" ({names[1]})"
        out += text[last:]
        self.topic = slots[first[1] + first[2]] if first and not first[3] else None
        self.recent = list(slots.values())
        return out[0].upper() + out[1:], spans

    def is_clear(self, entity: Entity) -> bool:
        """May "she" or "the firm" stand for it.

        The last sentence began with the same entity, or spoke of no other that the words would fit; or it is
        the only one of its kind in the document.
        """
        if entity not in self.named:
            return False
        alone = entity in self.recent and [e.kind for e in self.recent].count(entity.kind) == 1
        if entity == self.topic or alone:
            return self.rng.random() < 0.85
        return entity.type != "PER" and self.kinds[entity.kind] == 1 and self.rng.random() < 0.5

    def pronoun(self, entity: Entity, possessive: bool) -> str:
        if entity.type == "PER":
            return PRONOUNS[entity.kind]["his" if possessive else "he"].capitalize()
        noun = self.rng.choice(NOUNS[entity.kind])
        return noun.capitalize()

    def refer_back(self, entity: Entity, form: str, *, starts: bool) -> str:
        if entity.type == "PER":
            word = PRONOUNS[entity.kind].get(form.lower(), form)
        else:
            word = NOUNS[entity.kind][0] if form.lower() == "the" else form.lower()
        return word.capitalize() if starts or form[0].isupper() else word

    def name(self, entity: Entity) -> tuple[str, ...]:
        if entity not in self.named:
            self.named.add(entity)
            if entity.acronym and self.acronyms[entity.acronym] == 1 and self.rng.random() < 0.4:
                self.abbreviated.add(entity)
                return entity.name, entity.acronym
            return (entity.name,)
        return (self.rng.choice(self.short_names(entity)),)

    def short_names(self, entity: Entity) -> list[str]:
        names = [entity.name]
        words = entity.name.split()
        if entity.type == "PER" and self.surnames[entity.surname] == 1:
            names += [entity.surname] * 2
        elif entity.type == "PER" and self.first_names[words[0]] == 1:
            names += [words[0]] * 2  # a family: first names tell its members apart
        if entity in self.abbreviated and entity.acronym:
            names += [entity.acronym] * 3
        elif entity.type == "ORG" and entity.kind == "firm" and len(words) == 3 and self.heads[words[0]] == 1:
            names.append(" ".join(words[:2]))
        return names
