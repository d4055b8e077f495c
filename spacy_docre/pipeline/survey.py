"""What the training data holds, seen once before training, and what it did not hold, met in prediction."""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..annotations import Entity, get_entities, get_label_status, get_soft_labels, get_triples, has_mentions
from ..components import made_by
from ..errors import Warnings
from ..features.schema import SchemaCounts

N_SAMPLE = 10


@dataclass
class Survey:
    """sample: the first documents; statuses: documents by label status; n_taught: documents with soft labels
    relation_labels: of the documents' own relations; teacher_labels: that all teachers know; types: of entities
    teachers: names
    schema: which types relations are between, and what their inverses are
    """

    sample: list[Doc] = field(default_factory=list)
    relation_labels: set[str] = field(default_factory=set)
    teacher_labels: set[str] = field(default_factory=set)
    teachers: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    schema: SchemaCounts = field(default_factory=SchemaCounts)
    n_taught: int = 0

    @property
    def labels(self) -> list[str]:
        """Where there are teachers, what they know: of other labels nobody says where they do not hold."""
        return sorted(self.teacher_labels or self.relation_labels)

    def __str__(self) -> str:
        return ", ".join(f"{n} {status}" for status, n in sorted(self.statuses.items()))


def survey(examples: Iterable[Example], *, with_schema: bool = False) -> Survey:
    """with_schema: whether rules are counted too."""
    found = Survey()
    for i, example in enumerate(examples):
        if i < N_SAMPLE:
            found.sample.append(example.predicted)
        soft_labels = get_soft_labels(example.reference)
        found.relation_labels.update(label for _, label, _ in get_triples(example.reference))
        for soft in soft_labels:
            known = set(soft.labels)
            found.teachers.add(soft.teacher)
            found.teacher_labels = found.teacher_labels & known if found.teacher_labels else known
        if with_schema:
            found.schema.add(example.reference)
        found.types.update(e.label for e in get_entities(example.reference))
        found.statuses[get_label_status(example.reference)] += 1
        found.n_taught += bool(soft_labels)
    return found


def warn_of_no_entities(
    name: str, docs: Sequence[Doc], entities: Sequence[Sequence[Entity]], counts: Counter[str]
) -> None:
    """Documents with text in which nobody has looked for entities, "no entities" in counts: warned about once."""
    empty = (doc for doc, found in zip(docs, entities) if len(doc) and not found)
    n_docs = sum(not has_mentions(doc) and not doc.has_annotation("ENT_IOB") for doc in empty)
    if n_docs and not counts["no entities"]:
        warnings.warn(Warnings.W016.format(name=name), stacklevel=4)
    counts["no entities"] += n_docs


def warn_of_strange_types(entities: Iterable[Sequence[Entity]], known: Sequence[str], counts: Counter[str]) -> None:
    """Entity types that the training data did not have, "type X" in counts: each is warned about once.

    Nothing is said if nothing is known of the training data's types.
    """
    if not known:
        return
    strange = Counter(e.label for doc in entities for e in doc if e.label not in known)
    new = sorted(x for x in strange if not counts[f"type {x}"])
    counts.update({f"type {x}": n for x, n in strange.items()})
    if new:
        found = ", ".join(x or "none" for x in new)
        warnings.warn(Warnings.W013.format(found=found, known=", ".join(x or "none" for x in known)), stacklevel=4)


def warn_of_strange_weights(name: str, weights: Iterable[str], found: Survey) -> None:
    """Names of teachers that nobody has: a weight of theirs has no effect."""
    unknown = sorted(set(weights) - found.teachers)
    if unknown:
        there = ", ".join(sorted(found.teachers)) or "none"
        warnings.warn(Warnings.W022.format(name=name, unknown=", ".join(unknown), found=there), stacklevel=3)


def warn_of_another(nlp: Language, name: str) -> None:
    """A document has one set of relations: those of the last component."""
    if others := [other for other in made_by(nlp, "docre_relations") if other != name]:
        warnings.warn(Warnings.W024.format(name=name, other=others[-1]), stacklevel=3)
