"""Entities of a Doc: mentions in `doc.spans["docre_mentions"]`, grouped by `id_`."""

from collections import Counter
from collections.abc import Iterable, Sequence

from spacy.tokens import Doc, Span

from ..errors import Errors
from .views import Entity

MENTIONS_KEY = "docre_mentions"
NOT_LINKED = ("", "NIL")  # "NIL" is what spaCy's entity linker writes for "not found"


def has_mentions(doc: Doc) -> bool:
    """Whether someone has said what the document's mentions are (perhaps: none)."""
    return MENTIONS_KEY in doc.spans


def get_entities(doc: Doc) -> tuple[Entity, ...]:
    """The document's entities, in the order of their first mention in the span group.

    A mention without `id_` is an entity of its own, with the id "@" and its index in the group.
    """
    if MENTIONS_KEY not in doc.spans:
        return ()
    groups: dict[str, list[Span]] = {}
    for i, mention in enumerate(doc.spans[MENTIONS_KEY]):
        groups.setdefault(mention.id_ or f"@{i}", []).append(mention)
    return tuple(make_entity(id_, mentions) for id_, mentions in groups.items())


def get_entity_ids(doc: Doc) -> tuple[str, ...]:
    """The ids of the document's entities, without building views."""
    mentions = doc.spans.get(MENTIONS_KEY, ())
    return tuple(dict.fromkeys(m.id_ or f"@{i}" for i, m in enumerate(mentions)))


def make_entity(id_: str, mentions: Sequence[Span]) -> Entity:
    label, name = mentions[0].label_, mentions[0].text
    if len(mentions) > 1:  # most have one
        label = Counter(m.label_ for m in mentions).most_common(1)[0][0]
        name = max((m.text for m in mentions), key=len)
    kb_id = next((m.kb_id_ for m in mentions if m.kb_id_ not in NOT_LINKED), "")
    return Entity(id=id_, label=label, mentions=tuple(mentions), name=name, kb_id=kb_id)


def set_entities(doc: Doc, entities: Iterable[Sequence[Span] | Entity], *, ids: Sequence[str] | None = None) -> None:
    """Set the document's entities by hand: one sequence of Spans for each.

    The Spans' `label_` is the entity type and `kb_id_` the knowledge-base id. Ids are "0", "1", …
    in the given order, unless `ids` names them. Mentions may overlap.

    Raises ValueError, with nothing changed, for an entity without mention, a mention without tokens, and
    ids that are empty, given twice, or not one for each entity.
    """
    entities = list(entities)
    if ids is None:
        ids = [e.id if isinstance(e, Entity) else str(i) for i, e in enumerate(entities)]
    names = [str(id_) for id_ in ids]
    if len(names) != len(entities) or not all(names):
        raise ValueError(Errors.E009.format(n_ids=sum(map(bool, names)), n_entities=len(entities)))
    spans: list[Span] = []
    seen: set[str] = set()
    for id_, entity in zip(names, entities):
        mentions = entity.mentions if isinstance(entity, Entity) else entity
        if not mentions:
            raise ValueError(Errors.E005.format(id=id_))
        for m in mentions:
            if not isinstance(m, Span) or not is_of(doc, m):
                raise ValueError(Errors.E011.format(id=id_, found=repr(m)))
            if m.start >= m.end:
                raise ValueError(Errors.E010.format(id=id_, start=m.start, end=m.end))
        if id_ in seen:
            raise ValueError(Errors.E006.format(id=id_))
        seen.add(id_)
        spans.extend(copy_span(doc, m, id_) for m in mentions)
    doc.spans[MENTIONS_KEY] = spans


def is_of(doc: Doc, span: Span) -> bool:
    """Whether the Span is of this Doc, or of one that has the same text in its place (a copy)."""
    return span.doc is doc or (span.end <= len(doc) and doc[span.start : span.end].text == span.text)


def copy_span(doc: Doc, span: Span, id_: str) -> Span:
    """The same tokens of `doc`, with the type and knowledge-base id of `span`."""
    return Span(doc, span.start, span.end, label=span.label_, kb_id=span.kb_id_, span_id=id_)


def group_by_name(spans: Iterable[Span]) -> list[list[Span]]:
    """Group mentions with the same knowledge-base id, or else the same text and type."""
    groups: dict[tuple[str, ...], list[Span]] = {}
    for span in spans:
        linked = span.kb_id_ not in NOT_LINKED
        key = ("kb_id", span.kb_id_) if linked else ("name", span.text, span.label_)
        groups.setdefault(key, []).append(span)
    return list(groups.values())


def entities_or_ents(doc: Doc) -> tuple[Entity, ...]:
    """The document's entities; where nobody has set mentions, `doc.ents` grouped by name and type."""
    if has_mentions(doc):
        return get_entities(doc)
    groups = group_by_name(doc.ents)
    return tuple(
        make_entity(str(i), [copy_span(doc, m, str(i)) for m in mentions]) for i, mentions in enumerate(groups)
    )
