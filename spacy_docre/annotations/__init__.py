"""What a relation-annotated Doc is."""

from .align import char_offsets, copy_mentions
from .entities import (
    MENTIONS_KEY,
    NOT_LINKED,
    copy_span,
    entities_or_ents,
    get_entities,
    group_by_name,
    has_mentions,
    make_entity,
    set_entities,
)
from .extensions import DEFAULT_ATTR, install_extensions
from .matching import match_entities, mention_spans
from .relations import (
    COMPLETE,
    DISTANT,
    INCOMPLETE,
    NONE,
    RELATIONS_KEY,
    STATUSES,
    TITLE_KEY,
    get_label_status,
    get_relations,
    get_title,
    get_triples,
    relations_to_json,
    set_label_status,
    set_relations,
)
from .soft_labels import TEACHERS_KEY, UNCALIBRATED, SoftLabels, get_soft_labels, set_soft_labels
from .views import Entity, Relation

__all__ = [
    "COMPLETE",
    "DEFAULT_ATTR",
    "DISTANT",
    "INCOMPLETE",
    "MENTIONS_KEY",
    "NONE",
    "NOT_LINKED",
    "RELATIONS_KEY",
    "STATUSES",
    "TEACHERS_KEY",
    "TITLE_KEY",
    "UNCALIBRATED",
    "Entity",
    "Relation",
    "SoftLabels",
    "char_offsets",
    "copy_mentions",
    "copy_span",
    "entities_or_ents",
    "get_entities",
    "get_label_status",
    "get_relations",
    "get_soft_labels",
    "get_title",
    "get_triples",
    "group_by_name",
    "has_mentions",
    "install_extensions",
    "make_entity",
    "match_entities",
    "mention_spans",
    "relations_to_json",
    "set_entities",
    "set_label_status",
    "set_relations",
    "set_soft_labels",
]
