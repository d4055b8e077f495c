"""A world: people, organisations, places, works and events of one split, and the facts between them."""

import random
from collections import defaultdict
from dataclasses import dataclass, field

from .entities import Entity, Fact
from .names import Names


@dataclass
class World:
    """facts: in no contradiction; `about` lists those of each entity, as head or tail."""

    entities: list[Entity] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    about: dict[Entity, list[Fact]] = field(default_factory=lambda: defaultdict(list))

    def add(self, head: Entity, label: str, tail: Entity) -> None:
        fact = Fact(head, label, tail)
        if head != tail and fact not in self.about[head]:
            self.facts.append(fact)
            self.about[head].append(fact)
            self.about[tail].append(fact)


def make_world(split: str, n_docs: int) -> World:
    """A world with enough entities for `n_docs` documents. The same arguments give the same world."""
    rng = random.Random(f"world of {split}")
    names, world = Names(split), World()
    regions = [names.region() for _ in range(max(4, n_docs // 8))]
    towns = [names.town() for _ in range(max(8, n_docs // 3))]
    schools = [names.school() for _ in range(max(3, n_docs // 10))]
    presses = [names.press() for _ in range(max(2, n_docs // 12))]
    firms = [names.firm() for _ in range(n_docs)]
    for i, region in enumerate(regions[1:], 1):
        if rng.random() < 0.4:
            world.add(region, "located", rng.choice(regions[:i]))
    for town in towns:
        world.add(town, "located", rng.choice(regions))
    people: list[Entity] = []
    for _ in range(n_docs * 2):
        parent = rng.choice(people) if people and rng.random() < 0.3 else None
        people.append(names.person(parent.surname if parent else None))
        if parent:
            world.add(people[-1], "parent", parent)
            if rng.random() < 0.5:  # a brother or sister
                people.append(names.person(parent.surname))
                world.add(people[-1], "parent", parent)
    for person in people:
        _live(person, world, rng, people, towns, firms, schools, presses)
    for org in (*firms, *schools, *presses):
        _run(org, world, rng, people, towns, firms)
    for _ in range(n_docs):
        _create(names.work(), world, rng, people, towns, presses)
    for _ in range(n_docs // 2):
        _hold(names.event(), world, rng, people, towns, firms, presses)
    world.entities = sorted(world.about)
    return world


def _live(person: Entity, world: World, rng: random.Random, people, towns, firms, schools, presses) -> None:
    birthplace = rng.choice(towns)
    world.add(person, "birth", birthplace)
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        world.add(person, "residence", birthplace if rng.random() < 0.25 else rng.choice(towns))
    if rng.random() < 0.5:
        school = rng.choice(schools)
        world.add(person, "educated", school)
        if rng.random() < 0.2:
            world.add(person, "employer", school)
    for _ in range(rng.choice((0, 1, 1, 2))):
        world.add(person, "employer", rng.choice(firms if rng.random() < 0.85 else presses))
    if rng.random() < 0.2:
        other = rng.choice(people)
        if not any(f.label in ("parent", "spouse") for f in world.about[person] if other in (f.head, f.tail)):
            world.add(person, "spouse", other)
    if rng.random() < 0.15:
        world.add(person, "teacher", rng.choice(people))


def _run(org: Entity, world: World, rng: random.Random, people, towns, firms) -> None:
    world.add(org, "headquarters", rng.choice(towns))
    founders = rng.sample(people, rng.choice((0, 1, 1, 2)))
    for person in founders:
        world.add(org, "founder", person)
    for _ in range(rng.choice((0, 1, 1, 2))):
        world.add(org, "leader", rng.choice(founders) if founders and rng.random() < 0.35 else rng.choice(people))
    if org.kind != "college" and rng.random() < 0.4:
        # owners stand later in the list, so that nobody owns themselves by a chain
        later = firms[firms.index(org) + 1 :] if org in firms else firms
        if later:
            world.add(org, "owner", rng.choice(later))


def _create(work: Entity, world: World, rng: random.Random, people, towns, presses) -> None:
    for person in rng.sample(people, rng.choice((1, 1, 1, 2))):
        world.add(work, "author", person)
    if rng.random() < 0.7:
        world.add(work, "publisher", rng.choice(presses))
    if rng.random() < 0.5:
        world.add(work, "setting", rng.choice(towns))


def _hold(event: Entity, world: World, rng: random.Random, people, towns, firms, presses) -> None:
    world.add(event, "venue", rng.choice(towns))
    if rng.random() < 0.6:
        world.add(event, "sponsor", rng.choice(firms + presses))
    guests = rng.sample(people, rng.choice((1, 2, 3)))
    for person in guests:
        world.add(event, "participant", person)
    if rng.random() < 0.6:
        world.add(event, "winner", guests[0])
