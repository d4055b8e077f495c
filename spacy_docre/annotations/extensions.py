"""`doc._.relations`, `doc._.docre_entities`, `doc._.docre_labels`: installed on demand, never on import."""

from spacy.tokens import Doc

from ..errors import Warnings, warn_once
from .entities import get_entities, set_entities
from .relations import get_label_status, get_relations, set_label_status, set_relations

DEFAULT_ATTR = "relations"


def install_extensions(relations_attr: str | None = DEFAULT_ATTR) -> bool:
    """Make relations visible as `doc._.<relations_attr>`, entities and label status beside it.

    Never replaces the attribute of another package: that is said once, in a warning.
    With None, only entities and label status are made visible. Returns whether `doc._.<relations_attr>` is ours.
    """
    _install("docre_entities", get_entities, set_entities)
    _install("docre_labels", get_label_status, set_label_status)
    return relations_attr is not None and _install(relations_attr, get_relations, set_relations)


def _install(attr, getter, setter) -> bool:
    if not Doc.has_extension(attr):
        Doc.set_extension(attr, getter=getter, setter=setter)
    ours = Doc.get_extension(attr)[2] is getter
    if not ours:
        warn_once(Warnings.W001.format(attr=attr), stacklevel=3)
    return ours
