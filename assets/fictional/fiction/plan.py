"""What a document is about: a connected set of facts around one entity."""

import random
from collections import Counter

from .entities import Entity, Fact
from .world import World

MAX_ENTITIES = 13  # distractors may bring two more
# common facts are left out more often, so that rare labels are not crowded out; the tail stays long
WEIGHT = {"birth": 0.5, "employer": 0.7, "residence": 0.5, "located": 1.2, "parent": 1.5, "winner": 1.5, "owner": 1.5}


def choose_facts(world: World, rng: random.Random) -> list[Fact]:
    """4 to 12 facts that hang together, in an order that can be told."""
    while True:
        focus = rng.choice(world.entities)
        facts = _grow(focus, world, rng, rng.choice((4, 5, 6, 7, 8, 8, 9, 10, 11, 12)))
        if len(facts) >= 4 and len(_entities(facts)) >= 4:
            return facts


def _grow(focus: Entity, world: World, rng: random.Random, n_facts: int) -> list[Fact]:
    """Depth first: mostly the last entities' facts, so that neighbours in the list share an entity."""
    chosen: list[Fact] = []
    entities = [focus]
    while len(chosen) < n_facts:
        near = entities[-3:] if rng.random() < 0.5 else entities
        open_ = [f for e in near for f in world.about[e] if f not in chosen]
        full = len(entities) >= MAX_ENTITIES
        open_ = [f for f in open_ if not full or (f.head in entities and f.tail in entities)]
        if not open_:
            if near is entities or len(near) == len(entities):
                break
            continue
        degree = Counter(e for f in chosen for e in (f.head, f.tail))
        weights = [_weight(f, entities, degree) for f in open_]
        fact = rng.choices(open_, weights)[0]
        chosen.append(fact)
        entities += [e for e in (fact.head, fact.tail) if e not in entities]
        won = Fact(fact.head, "winner", fact.tail)
        known = fact.label == "participant" and won in world.about[fact.head] and won not in chosen
        if known and rng.random() < 0.8:
            chosen.append(won)
        if fact.label == "winner" and (took := Fact(fact.head, "participant", fact.tail)) not in chosen:
            chosen.append(took)
    return chosen


def _weight(fact: Fact, entities: list[Entity], degree: Counter[Entity]) -> float:
    both = fact.head in entities and fact.tail in entities
    crowded = max(degree[fact.head], degree[fact.tail])
    seat = fact.label == "located" and degree[fact.head]  # so that something follows from it
    return WEIGHT.get(fact.label, 1.0) * (3.0 if seat else 1.0) * (4.0 if both else 1.0) / (1 + 0.3 * crowded)


def _entities(facts: list[Fact]) -> set[Entity]:
    return {e for f in facts for e in (f.head, f.tail)}
