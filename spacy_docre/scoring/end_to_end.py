"""From raw text to relations: how much is right, and what each missed relation was missed for."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from spacy.training import Example

from ..annotations import Entity, Relation, get_entities, get_relations, match_entities, mention_spans
from .clusters import ClusterCounts, require_scipy
from .counts import Counts
from .entity_scorer import add_document
from .relation_scorer import Key, predicted_relations, relation_key

Place = tuple[int, int]  # start and end of a mention
FOUND = "found"
MENTION, EXTRA, CLUSTER, TYPE, RELATION = (
    "mention missed",
    "mention too many",
    "wrong cluster",
    "wrong type",
    "relation missed",
)
CAUSES = (MENTION, EXTRA, CLUSTER, TYPE, RELATION)  # what is named, where there are several: the first


@dataclass
class EndToEnd:
    """strict: type and set of mentions of both entities are right, and the label; loose: entities share most mentions
    mentions: place and type; places: place alone; causes: of relations that were not found, strictly
    lost: those that are found with gold entities; n_gold_found: how many are found with gold entities
    """

    strict: Counts = field(default_factory=Counts)
    loose: Counts = field(default_factory=Counts)
    mentions: Counts = field(default_factory=Counts)
    places: Counts = field(default_factory=Counts)
    clusters: ClusterCounts = field(default_factory=ClusterCounts)
    causes: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def scores(self) -> dict[str, Any]:
        """e2e_strict_p, _r, _f, e2e_loose_…, mention_…, mention_place_…, those of clusters, and e2e_causes, e2e_lost"""
        named = (
            ("e2e_strict", self.strict),
            ("e2e_loose", self.loose),
            ("mention", self.mentions),
            ("mention_place", self.places),
        )
        result: dict[str, Any] = {}
        for name, counts in named:
            result |= {f"{name}_p": counts.precision, f"{name}_r": counts.recall, f"{name}_f": counts.f1}
        causes = {cause: self.causes[cause] for cause in CAUSES}
        lost = {cause: self.lost[cause] for cause in CAUSES}
        return result | self.clusters.scores() | {"e2e_causes": causes, "e2e_lost": lost}


def score_end_to_end(own: Iterable[Example], gold: Iterable[Example]) -> EndToEnd:
    """own: with the pipeline's entities; gold: the same documents in the same order, with those of the references.

    Raises ImportError without scipy.
    """
    require_scipy()
    result = EndToEnd()
    for example, with_gold in zip(own, gold, strict=True):
        entities, true_entities = get_entities(example.predicted), get_entities(example.reference)
        spans, true_spans = mention_spans(example.predicted, entities, example.reference, true_entities)
        add_mentions(result, typed(entities, spans), typed(true_entities, true_spans))
        add_document(result.clusters, example)
        relations = {relation_key(r): r for r in get_relations(example.reference)}
        found = set(predicted_relations(example))
        add_relations(result.strict, found, set(relations))
        add_relations(result.loose, loosely(example, entities, true_entities), set(relations))
        causes = entity_causes(entities, spans, true_entities, true_spans)
        at_best = set(predicted_relations(with_gold))
        for key, relation in relations.items():
            if key not in found:
                cause = worst(relation, causes)
                result.causes[cause] += 1
                result.lost[cause] += key in at_best
    return result


def loosely(example: Example, entities: Sequence[Entity], true_entities: Sequence[Entity]) -> set[Key]:
    """Predicted relations by the ids of the reference's entities, matched one to one by the mentions they share."""
    ids = match_entities(example.predicted, entities, example.reference, true_entities, strict=False)
    name = {e.id: ids.get(e.id, f"predicted:{e.id}") for e in entities}
    return {(name[r.head.id], r.label_, name[r.tail.id]) for r in get_relations(example.predicted)}


def add_relations(counts: Counts, found: Set[Key], true: Set[Key]) -> None:
    for key in found | true:
        counts.add(gold=key in true, predicted=key in found)


def typed(entities: Sequence[Entity], spans: Mapping[str, Set[Place]]) -> set[tuple[Place, str]]:
    """Every mention's place with its entity's type."""
    return {(place, e.label) for e in entities for place in spans[e.id]}


def add_mentions(result: EndToEnd, found: set[tuple[Place, str]], true: set[tuple[Place, str]]) -> None:
    for mention in found | true:
        result.mentions.add(gold=mention in true, predicted=mention in found)
    places, true_places = {p for p, _ in found}, {p for p, _ in true}
    for place in places | true_places:
        result.places.add(gold=place in true_places, predicted=place in places)


def entity_causes(
    entities: Sequence[Entity],
    spans: Mapping[str, Set[Place]],
    true_entities: Sequence[Entity],
    true_spans: Mapping[str, Set[Place]],
) -> dict[str, str]:
    """Of each true entity, why it was not found, or "found"."""
    found = {place for cluster in spans.values() for place in cluster}
    true = {place for cluster in true_spans.values() for place in cluster}
    types: dict[frozenset[Place], set[str]] = {}
    for e in entities:
        types.setdefault(frozenset(spans[e.id]), set()).add(e.label)
    without_extra = {frozenset(cluster & true) for cluster in spans.values()}
    causes = {}
    for e in true_entities:
        cluster = frozenset(true_spans[e.id])
        if e.label in types.get(cluster, ()):
            causes[e.id] = FOUND
        elif cluster - found:
            causes[e.id] = MENTION
        elif cluster in types:
            causes[e.id] = TYPE
        else:
            causes[e.id] = EXTRA if cluster in without_extra else CLUSTER
    return causes


def worst(relation: Relation, causes: Mapping[str, str]) -> str:
    """What comes first among the causes of its head and tail; "relation missed" where both were found."""
    of_entities = {causes[relation.head.id], causes[relation.tail.id]}
    return next((cause for cause in CAUSES if cause in of_entities), RELATION)
