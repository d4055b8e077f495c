"""Pairs of names that may be one entity, and what can be said of each pair without a model.

Mentions are first put into names: links that are sure. Only names whose types are of one kind are paired, each with
the few that were mentioned last before it and with those that it has a word in common with, so the pairs grow with the
names and not with their square.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Span

from .aliases import build_alias_grouper_v1
from .base import Clusters, EntityGrouper, knowledge_base_ids
from .names import kind_of, normalised
from .words import ORGANISATION, OTHER, PERSON, PLACE, QUANTITY, words_of

BEFORE = 8  # names of the same kind, mentioned last before
SHARING = 8  # names that have a word in common, the last before
KINDS = (PERSON, ORGANISATION, PLACE, OTHER, QUANTITY)
N_FEATURES = 12 + len(KINDS)


@dataclass(frozen=True)
class Candidates:
    """mentions: of the document, in order; names: the mentions of each, by index
    pairs (n_pairs, 2): of names, the earlier first; features (n_pairs, N_FEATURES): of their texts and places
    """

    doc: Doc
    mentions: list[Span]
    names: list[list[int]]
    pairs: NDArray[np.int64]
    features: NDArray[np.float32]


def find_candidates(doc: Doc, mentions: Sequence[Span], sure: Sequence[EntityGrouper]) -> Candidates:
    """mentions: in the order of the text; sure: groupers whose links are always followed."""
    clusters = Clusters(knowledge_base_ids(mentions))
    for grouper in sure:
        for i, j in grouper(doc, mentions):
            clusters.join(i, j)
    names = clusters.groups()
    owner = {i: n for n, group in enumerate(names) for i in group}
    aliases = {tuple(sorted((owner[i], owner[j]))) for i, j in build_alias_grouper_v1()(doc, mentions)}
    words = words_of(doc.lang_)
    kinds = [kind_of(mentions[group[0]]) for group in names]
    texts = [normalised(mentions[group[0]].text, words, kind) for group, kind in zip(names, kinds)]
    parts = [frozenset(text.split()) for text in texts]
    pairs = pair_names(kinds, parts) | {p for p in aliases if p[0] != p[1]}
    ordered = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    chars = [trigrams(text) for text in texts]
    described = Names([[mentions[i] for i in group] for group in names], texts, parts, chars, kinds)
    rows = [described.compare(i, j, alias=(i, j) in aliases) for i, j in ordered.tolist()]
    return Candidates(doc, list(mentions), names, ordered, np.array(rows, dtype=np.float32).reshape(-1, N_FEATURES))


def pair_names(kinds: Sequence[str], parts: Sequence[frozenset[str]]) -> set[tuple[int, int]]:
    before: dict[str, list[int]] = defaultdict(list)
    sharing: dict[tuple[str, str], list[int]] = defaultdict(list)
    pairs: set[tuple[int, int]] = set()
    for j, (kind, words) in enumerate(zip(kinds, parts)):
        pairs.update((i, j) for i in before[kind][-BEFORE:])
        before[kind].append(j)
        for word in words:
            pairs.update((i, j) for i in sharing[kind, word][-SHARING:])
            sharing[kind, word].append(j)
    return pairs


@dataclass(frozen=True)
class Names:
    """The names of a document: mentions, normalised text, its words, its trigrams, and the kind of type, of each."""

    mentions: Sequence[Sequence[Span]]
    texts: Sequence[str]
    words: Sequence[frozenset[str]]
    chars: Sequence[frozenset[str]]
    kinds: Sequence[str]

    def compare(self, i: int, j: int, *, alias: bool) -> list[float]:
        """The features of one pair, each between 0 and 1: (N_FEATURES,)"""
        first, second = self.texts[i], self.texts[j]
        words, others = self.words[i], self.words[j]
        common = len(words & others)
        near, far = self.mentions[i][-3:], self.mentions[j][:3]
        distance = min(abs(a.start - b.start) for a in near for b in far)
        return [
            float(alias),
            common / max(1, len(words | others)),
            common / max(1, min(len(words), len(others))),
            len(self.chars[i] & self.chars[j]) / max(1, len(self.chars[i] | self.chars[j])),
            float(first.startswith(second) or second.startswith(first)),
            float(first.endswith(second) or second.endswith(first)),
            float(first == second),
            float(near[0].label == far[0].label),
            min(1.0, distance / 100),
            float(len(words) == 1),
            float(len(others) == 1),
            min(1.0, len(self.mentions[i]) / 5),
            *(float(self.kinds[i] == kind) for kind in KINDS),
        ]


def trigrams(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[k : k + 3] for k in range(len(padded) - 2))
