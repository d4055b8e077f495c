"""Document-level relation extraction for spaCy."""

from .annotations import (
    Entity,
    Relation,
    get_entities,
    get_label_status,
    get_relations,
    install_extensions,
    relations_to_json,
    set_entities,
    set_label_status,
    set_relations,
)

__version__ = "0.1.0"

__all__ = [
    "Entity",
    "Relation",
    "get_entities",
    "get_label_status",
    "get_relations",
    "install_extensions",
    "relations_to_json",
    "set_entities",
    "set_label_status",
    "set_relations",
]
