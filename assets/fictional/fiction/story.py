"""A document: sentences that say chosen facts, sentences that say none, and the mentions in them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from .entities import Entity, Fact
from .plan import choose_facts
from .templates import SLOT, Template, fits, match
from .voice import Voice
from .world import World

MIN_SENTENCES, MAX_SENTENCES, MIN_ENTITIES = 6, 14, 5
JOINED = 0.6  # share of the sentences that are joined to the one before, where both are short


@dataclass
class Sentence:
    template: Template
    slots: dict[str, Entity]
    facts: list[Fact]

    @property
    def topic(self) -> Entity | None:
        """The entity that the sentence begins with."""
        first = SLOT.match(self.template.text)
        return self.slots.get(first[1] + first[2]) if first and not first[3] else None


@dataclass
class Story:
    """sentences: texts; mentions: (entity, sentence, start and end character); facts, with their sentences"""

    title: str = ""
    sentences: list[str] = field(default_factory=list)
    mentions: list[tuple[Entity, int, int, int]] = field(default_factory=list)
    facts: dict[Fact, frozenset[int]] = field(default_factory=dict)


class Teller:
    """Tells stories of one world with one set of templates.

    reckless: sentences without facts may name entities that have one in the world (for distant labels).
    """

    def __init__(self, world: World, templates: Sequence[Template], rng: random.Random, *, reckless: bool) -> None:
        self.world = world
        self.rng = rng
        self.reckless = reckless
        self.empty = [t for t in templates if not t.facts]
        self.by_label: dict[str, list[Template]] = {}
        for template in templates:
            for label in {label for _, label, _ in template.facts}:
                self.by_label.setdefault(label, []).append(template)

    def tell(self) -> Story:
        while True:
            facts = choose_facts(self.world, self.rng)
            sentences = self.say(facts)
            self.distract(sentences)
            story = self.write(sentences)
            if len({entity for entity, *_ in story.mentions}) >= MIN_ENTITIES:
                story.title = facts[0].head.name
                return story

    def say(self, facts: Sequence[Fact]) -> list[Sentence]:
        """Sentences for all facts, in their order, two or three at a time where a template can."""
        left, told, sentences = list(facts), [], []
        cast = list(dict.fromkeys(e for f in facts for e in (f.head, f.tail)))
        used: set[Template] = set()
        while left:
            options = []
            for template in self.by_label[left[0].label]:
                for slots, said in match(template, left[:6] + told):
                    if left[0] in said and (template not in used or self.rng.random() < 0.02):
                        options.append(Sentence(template, slots, said))
            sentence = self.pick(options, left, sentences[-1].topic if sentences else None, cast)
            if sentence is None and not used:
                raise ValueError(f"No template for {left[0]}")
            if sentence is None:
                used.clear()
                continue
            used.add(sentence.template)
            told += sentence.facts
            left = [f for f in left if f not in sentence.facts]
            sentences.append(sentence)
        return sentences[:MAX_SENTENCES]

    def pick(
        self, options: list[Sentence], left: Sequence[Fact], topic: Entity | None, cast: Sequence[Entity]
    ) -> Sentence | None:
        """One of the sentences: rather one that says several things, or goes on with the topic."""
        while options:
            weights = [(1.0, 1.0, 3.0)[min(2, sum(f in left for f in s.facts))] for s in options]
            weights = [w * (6.0 if s.topic == topic else 1.0) for w, s in zip(weights, options)]
            sentence = self.rng.choices(options, weights)[0]
            if self.fill(sentence, cast):
                return sentence
            options.remove(sentence)
        return None

    def distract(self, sentences: list[Sentence]) -> None:
        """Put in sentences that say nothing: the document has 6 to 14 then."""
        n_wanted = max(MIN_SENTENCES + 2, round(len(sentences) * self.rng.uniform(1.3, 1.8)), len(sentences) + 1)
        cast = list(dict.fromkeys(e for s in sentences for e in s.slots.values()))
        room = max(5 - len(cast), self.rng.choice((0, 1, 1, 2)))
        used: set[Template] = set()
        for _ in range(200):
            if len(sentences) >= min(n_wanted, MAX_SENTENCES):
                return
            template = self.rng.choice(self.empty)
            wordy = len(template.slots) >= 2
            if template in used or (not wordy and self.rng.random() < 0.6):
                continue
            sentence = Sentence(template, {}, [])
            strangers = room if self.rng.random() < 0.4 or len(cast) < 5 else 0
            if self.fill(sentence, cast, strangers):
                new = [e for e in sentence.slots.values() if e not in cast]
                room -= len(new)
                cast += new
                used.add(template)
                sentences.insert(self.place(sentences), sentence)

    def place(self, sentences: Sequence[Sentence]) -> int:
        """Where to put a sentence in: rather not between two on the same topic."""
        places = range(1, len(sentences) + 1)
        chain = [i < len(sentences) and sentences[i].topic == sentences[i - 1].topic for i in places]
        return self.rng.choices(places, [0.15 if c else 1.0 for c in chain])[0]

    def fill(self, sentence: Sentence, cast: Sequence[Entity], strangers: int = 0) -> bool:
        """Give every slot an entity, of the cast or so many strangers, that has no fact with the others."""
        for slot in sentence.template.slots:
            if slot in sentence.slots:
                continue
            taken = list(sentence.slots.values())
            choice = [e for e in cast if fits(slot, e) and self._strange(e, taken)]
            if not choice and strangers > 0:
                choice = [e for e in self.rng.sample(self.world.entities, 60) if fits(slot, e)]
                choice = [e for e in choice if e not in cast and self._strange(e, taken)]
                strangers -= 1
            if not choice:
                return False
            sentence.slots[slot] = self.rng.choice(choice)
        return True

    def _strange(self, entity: Entity, others: Sequence[Entity]) -> bool:
        if entity in others:
            return False
        if self.reckless and self.rng.random() < 0.5:
            return True
        return not any(other in (f.head, f.tail) for f in self.world.about[entity] for other in others)

    def write(self, sentences: Sequence[Sentence]) -> Story:
        cast = list(dict.fromkeys(e for s in sentences for e in s.slots.values()))
        story, voice = Story(), Voice(cast, self.rng)
        spare = len(sentences) - MIN_SENTENCES
        for sentence in sentences:
            text, spans = voice.speak(sentence.template.text, sentence.slots)
            shift = 0
            if spare > 0 and self.joins(story, text):  # one longer sentence out of two
                spare -= 1
                start = story.sentences.pop()[:-1] + self.rng.choice((", while ", "; ", "; "))
                opening = text if any(s[1] == 0 for s in spans) else text[0].lower() + text[1:]
                text, shift = start + opening, len(start)
            i = len(story.sentences)
            story.sentences.append(text)
            story.mentions += [(entity, i, start + shift, end + shift) for entity, start, end in spans]
            for fact in sentence.facts:
                story.facts.setdefault(fact, frozenset({i}))
        return story

    def joins(self, story: Story, text: str) -> bool:
        """Is this sentence joined to the last one? Some are, if short."""
        if len(story.sentences) < 2 or not (text.endswith(".") and story.sentences[-1].endswith(".")):
            return False
        simple = (
            not any(x in story.sentences[-1] + text for x in (";", ", while"))
            and len(story.sentences[-1]) + len(text) < 210
        )
        return simple and self.rng.random() < JOINED
