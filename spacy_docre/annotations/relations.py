"""Relations of a Doc: plain data in `doc.user_data`, read and written only here."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from spacy.tokens import Doc, Span

from ..errors import Errors
from .entities import get_entities, get_entity_ids
from .views import Entity, Relation, span_to_dict

RELATIONS_KEY = "docre_relations"
STATUS_KEY = "docre_labels"
TITLE_KEY = "docre_title"
COMPLETE, INCOMPLETE, DISTANT, NONE = "complete", "incomplete", "distant", "none"
STATUSES = (COMPLETE, INCOMPLETE, DISTANT, NONE)


def get_relations(doc: Doc) -> tuple[Relation, ...]:
    """The document's relations, as views. Raises ValueError if one names an unknown entity."""
    stored = doc.user_data.get(RELATIONS_KEY, ())
    if not stored:
        return ()
    entities = {e.id: e for e in get_entities(doc)}
    check_ids(stored, entities)
    return tuple(
        Relation(
            head=entities[rel["head"]],
            label_=rel["label"],
            tail=entities[rel["tail"]],
            score=rel["score"],
            evidence=tuple(Span(doc, start, end) for start, end in rel["evidence"]),
        )
        for rel in stored
    )


def set_relations(doc: Doc, relations: Iterable[Any], *, status: str | None = None) -> None:
    """Set the document's relations, in place of earlier ones.

    relations: `Relation` views, dicts ("head", "label", "tail", and if wanted "score", "evidence"), or
        tuples (head id, label, tail id[, score[, evidence]]); evidence is a list of token ranges or Spans.
    status: how far the labels can be trusted ("complete", "incomplete", "distant", "none"); None
        leaves it as it is.

    Raises ValueError, with nothing changed, for unknown entity ids, head = tail, bad evidence, or an
    unknown status.
    """
    plain = [to_plain(rel) for rel in relations]
    check_ids(plain, get_entity_ids(doc))
    stored = [checked(rel, len(doc)) for rel in plain]
    if status is not None:
        set_label_status(doc, status)
    doc.user_data[RELATIONS_KEY] = stored


def store_relations(
    doc: Doc, relations: Iterable[tuple[str, str, str, float, Iterable[tuple[int, int]]]], *, status: str
) -> None:
    """`set_relations` without checks, for what a component has found among the document's own entities."""
    set_label_status(doc, status)
    doc.user_data[RELATIONS_KEY] = [
        {"head": head, "label": label, "tail": tail, "score": score, "evidence": [list(place) for place in evidence]}
        for head, label, tail, score, evidence in relations
    ]


def get_label_status(doc: Doc) -> str:
    """How far the document's labels can be trusted: "none" where nobody has said so."""
    return doc.user_data.get(STATUS_KEY, NONE)


def set_label_status(doc: Doc, status: str) -> None:
    if status not in STATUSES:
        raise ValueError(Errors.E003.format(status=status, expected=", ".join(STATUSES)))
    doc.user_data[STATUS_KEY] = status


def get_title(doc: Doc) -> str:
    """The document's title, or its first words, to name it in messages."""
    return doc.user_data.get(TITLE_KEY) or doc[:8].text


def get_triples(doc: Doc) -> list[tuple[str, str, str]]:
    """(head id, label, tail id) of every relation, without building views."""
    return [(r["head"], r["label"], r["tail"]) for r in doc.user_data.get(RELATIONS_KEY, ())]


def relations_to_json(doc: Doc) -> dict[str, Any]:
    """The graph of the document as plain data: entities and relations with token and character offsets."""
    relations = get_relations(doc)
    spans: dict[tuple[int, int], dict[str, Any]] = {}  # many relations share their evidence
    for r in relations:
        for s in r.evidence:
            if (s.start, s.end) not in spans:
                spans[s.start, s.end] = span_to_dict(s)
    return {
        "text": doc.text,
        "entities": [e.to_dict() for e in get_entities(doc)],
        "relations": [
            {
                "head": r.head.id,
                "label": r.label_,
                "tail": r.tail.id,
                "score": r.score,
                "evidence": [dict(spans[s.start, s.end]) for s in r.evidence],
            }
            for r in relations
        ],
    }


def to_plain(relation: Any) -> dict[str, Any]:
    """One relation in its stored form: str, float and lists of ints, nothing else."""
    if isinstance(relation, Relation):
        values = (relation.head, relation.label_, relation.tail, relation.score, relation.evidence)
    elif isinstance(relation, Mapping) and {"head", "label", "tail"} <= relation.keys():
        keys = ("head", "label", "tail", "score", "evidence")
        values = tuple(relation.get(k, d) for k, d in zip(keys, (None, None, None, 1.0, ())))
    elif isinstance(relation, (tuple, list)) and 3 <= len(relation) <= 5:
        values = (*relation, *(1.0, ())[len(relation) - 3 :])
    else:
        raise ValueError(Errors.E004.format(value=relation))
    head, label, tail, score, evidence = values
    if not isinstance(label, str) or not label:
        raise ValueError(Errors.E004.format(value=relation))
    return {
        "head": head.id if isinstance(head, Entity) else str(head),
        "label": label,
        "tail": tail.id if isinstance(tail, Entity) else str(tail),
        "score": score,
        "evidence": [[e.start, e.end] if isinstance(e, Span) else e for e in evidence or ()],
    }


def check_ids(stored: Iterable[Mapping[str, Any]], known: Iterable[str]) -> None:
    known = set(known)
    unknown = {rel[side] for rel in stored for side in ("head", "tail")} - known
    if unknown:
        names = ", ".join(map(repr, sorted(known))) or "no entities"
        raise ValueError(Errors.E001.format(unknown=", ".join(map(repr, sorted(unknown))), known=names))


def checked(rel: Mapping[str, Any], n_tokens: int) -> dict[str, Any]:
    """The relation with a float score and lists of ints as evidence. Raises ValueError for anything else."""
    if rel["head"] == rel["tail"]:
        raise ValueError(Errors.E002.format(id=rel["head"]))
    score: Any = rel["score"]  # not made a float yet: an int may be too large for that
    if not isinstance(score, (float, Real)) or not 0 <= rel["score"] <= 1:
        raise ValueError(Errors.E008.format(**rel))
    if not all(is_range(e, n_tokens) for e in rel["evidence"]):
        raise ValueError(Errors.E007.format(**{**rel, "n_tokens": n_tokens}))
    return {**rel, "score": float(score), "evidence": [[int(i) for i in e] for e in rel["evidence"]]}


def is_range(value: Any, n_tokens: int) -> bool:
    """Whether `value` is (start, end) of at least one of the document's tokens."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    return all(isinstance(i, (int, Integral)) for i in value) and 0 <= int(value[0]) < int(value[1]) <= n_tokens
