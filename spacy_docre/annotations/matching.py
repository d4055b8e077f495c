"""Which entity of one annotation of a document is which of another."""

from collections import Counter
from collections.abc import Sequence

from spacy.tokens import Doc

from .align import char_offsets, same_tokens
from .views import Entity

Spans = frozenset[tuple[int, int]]


def match_entities(
    doc: Doc,
    entities: Sequence[Entity],
    other_doc: Doc,
    others: Sequence[Entity],
    *,
    strict: bool,
) -> dict[str, str]:
    """Ids of `entities` -> ids of `others`, one to one; those without a partner are left out.

    First entities of the same type with the same mentions (and the same id, if there are several such);
    then, unless `strict`, those that share most mentions, whatever their type.
    """
    spans, other_spans = mention_spans(doc, entities, other_doc, others)
    types, other_types = {e.id: e.label for e in entities}, {e.id: e.label for e in others}
    same_id = {id_: id_ for id_ in spans if spans[id_] == other_spans.get(id_) and types[id_] == other_types[id_]}
    if len(same_id) == len(entities):
        return same_id
    matches = dict(same_id)
    taken = set(matches.values())
    by_spans: dict[tuple[Spans, str], list[str]] = {}
    for e in others:
        if e.id not in taken:
            by_spans.setdefault((other_spans[e.id], e.label), []).append(e.id)
    for e in entities:
        free = by_spans.get((spans[e.id], e.label))
        if e.id not in matches and free:
            matches[e.id] = free.pop(0)
    return matches if strict else match_by_overlap(spans, other_spans, matches)


def match_by_overlap(spans: dict[str, Spans], others: dict[str, Spans], matches: dict[str, str]) -> dict[str, str]:
    """Add greedy one-to-one matches of the entities left, those with most mentions in common first."""
    taken = set(matches.values())
    owner: dict[tuple[int, int], list[str]] = {}
    for id_, mentions in others.items():
        for mention in mentions if id_ not in taken else ():
            owner.setdefault(mention, []).append(id_)
    shared = Counter(
        (id_, other)
        for id_, mentions in spans.items()
        if id_ not in matches
        for mention in sorted(mentions)
        for other in owner.get(mention, ())
    )
    matches = dict(matches)
    for (id_, other), _ in shared.most_common():
        if id_ not in matches and other not in taken:
            matches[id_] = other
            taken.add(other)
    return matches


def mention_spans(
    doc: Doc, entities: Sequence[Entity], other_doc: Doc, others: Sequence[Entity]
) -> tuple[dict[str, Spans], dict[str, Spans]]:
    """The mentions of each entity as comparable offsets: tokens if these are the same, else characters."""
    if same_tokens(doc, other_doc):
        return token_spans(entities), token_spans(others)
    return char_spans(doc, entities), char_spans(other_doc, others)


def token_spans(entities: Sequence[Entity]) -> dict[str, Spans]:
    return {e.id: frozenset((m.start, m.end) for m in e.mentions) for e in entities}


def char_spans(doc: Doc, entities: Sequence[Entity]) -> dict[str, Spans]:
    at = char_offsets(doc)
    return {e.id: frozenset((at[m.start][0], at[m.end - 1][1]) for m in e.mentions) for e in entities}
