"""What a grouper is, and how the links of several make entities."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from spacy.tokens import Doc, Span

from ..annotations import NOT_LINKED


class EntityGrouper(Protocol):
    def __call__(self, doc: Doc, mentions: Sequence[Span]) -> Iterable[tuple[int, int]]:
        """Pairs of mentions, as indices, that are the same entity. The surest first."""


def group_mentions(doc: Doc, mentions: Sequence[Span], groupers: Iterable[EntityGrouper]) -> list[list[Span]]:
    """Entities, in the order of their first mention: the mentions that links lead to from each other.

    The links of the first grouper come first. A link that would put two knowledge-base ids into one entity is left out.
    """
    clusters = Clusters(knowledge_base_ids(mentions))
    for grouper in groupers:
        for first, second in grouper(doc, mentions):
            clusters.join(first, second)
    return [[mentions[i] for i in group] for group in clusters.groups()]


def knowledge_base_ids(mentions: Iterable[Span]) -> list[str]:
    """ "" for mentions that have none."""
    return ["" if m.kb_id_ in NOT_LINKED else m.kb_id_ for m in mentions]


class Clusters:
    """Disjoint sets of mentions that never hold two knowledge-base ids (union-find with path halving)."""

    def __init__(self, kb_ids: Sequence[str]) -> None:
        self.parent = list(range(len(kb_ids)))
        self.kb_id = list(kb_ids)

    def root(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def groups(self) -> list[list[int]]:
        """The mentions of each set, in the order of its first one."""
        groups: dict[int, list[int]] = {}
        for i in range(len(self.parent)):
            groups.setdefault(self.root(i), []).append(i)
        return list(groups.values())

    def join(self, i: int, j: int) -> bool:
        """Returns whether the two are in one set afterwards."""
        i, j = sorted((self.root(i), self.root(j)))
        if self.kb_id[i] and self.kb_id[j] and self.kb_id[i] != self.kb_id[j]:
            return False
        self.parent[j] = i
        self.kb_id[i] = self.kb_id[i] or self.kb_id[j]
        return True
