"""What users see: `Entity` and `Relation`, read-only views of a Doc's plain data."""

from dataclasses import dataclass
from typing import Any

from spacy.tokens import Span


@dataclass(frozen=True, eq=False)
class Entity:
    """All mentions of one thing in a document.

    id: the `id_` of its mentions; label: their most frequent type; name: the longest mention,
    first wins; kb_id: the first knowledge-base id among them, or "".
    """

    id: str
    label: str
    mentions: tuple[Span, ...]
    name: str
    kb_id: str

    def _key(self) -> tuple[Any, ...]:
        spans = tuple((m.start, m.end, m.label_, m.kb_id_) for m in self.mentions)
        return (self.id, self.label, self.kb_id, spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entity) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Entity(id={self.id!r}, label={self.label!r}, name={self.name!r}, mentions={len(self.mentions)})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data with token and character offsets of every mention."""
        return {
            "id": self.id,
            "label": self.label,
            "name": self.name,
            "kb_id": self.kb_id,
            "mentions": [span_to_dict(m) for m in self.mentions],
        }


@dataclass(frozen=True, eq=False)
class Relation:
    """A labelled, directed relation between two entities.

    score: the probability the model gives it, in [0, 1] (1.0 for human annotations);
    evidence: the spans (usually sentences) that speak for it.
    """

    head: Entity
    label_: str
    tail: Entity
    score: float
    evidence: tuple[Span, ...]

    def _key(self) -> tuple[Any, ...]:
        evidence = tuple((s.start, s.end) for s in self.evidence)
        return (self.head, self.label_, self.tail, self.score, evidence)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Relation) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Relation({self.head.name!r} -{self.label_}-> {self.tail.name!r}, score={self.score:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data with token and character offsets of every mention and of the evidence."""
        return {
            "head": self.head.to_dict(),
            "label": self.label_,
            "tail": self.tail.to_dict(),
            "score": self.score,
            "evidence": [span_to_dict(s) for s in self.evidence],
        }


def span_to_dict(span: Span) -> dict[str, Any]:
    return {
        "text": span.text,
        "label": span.label_,
        "start": span.start,
        "end": span.end,
        "start_char": span.start_char,
        "end_char": span.end_char,
    }
