"""Groupers by knowledge-base id and by name."""

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from spacy.tokens import Doc, Span

from .base import NOT_FOUND, EntityGrouper
from .words import KIND_OF_TYPE, NameWords, words_of


def build_knowledge_base_grouper_v1() -> EntityGrouper:
    """Mentions with the same `kb_id_`, whatever their type."""

    def group(doc: Doc, mentions: Sequence[Span]) -> Iterator[tuple[int, int]]:
        return same_key(mentions, lambda m: m.kb_id_ if m.kb_id_ not in NOT_FOUND else None)

    return group


def build_name_grouper_v1(normalise: bool = True) -> EntityGrouper:
    """Mentions with the same name and kind of type.

    normalise: whether case, articles, possessives, dots of abbreviations and company forms make no difference.
    """

    def group(doc: Doc, mentions: Sequence[Span]) -> Iterator[tuple[int, int]]:
        words = words_of(doc.lang_)

        def name_of(mention: Span) -> Hashable:
            name = normalised(mention.text, words) if normalise else mention.text
            return (kind_of(mention), name) if name else None

        return same_key(mentions, name_of)

    return group


def same_key(mentions: Iterable[Span], key: Callable[[Span], Hashable]) -> Iterator[tuple[int, int]]:
    """Each mention with the first that has the same key; None is no key."""
    first: dict[Hashable, int] = {}
    for i, mention in enumerate(mentions):
        if (found := key(mention)) is not None and first.setdefault(found, i) != i:
            yield first[found], i


def kind_of(mention: Span) -> str:
    """Types whose mentions may be one entity have one kind: LOC, GPE and FAC are places."""
    return KIND_OF_TYPE.get(mention.label_.upper(), mention.label_)


def normalised(name: str, words: NameWords) -> str:
    """A name as it is compared: "The U.S.'s" and "US" are "us"."""
    name = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()
    ending = next((x for x in words.possessives if name.endswith(x)), "")
    tokens = name[: len(name) - len(ending)].strip().split(" ")
    if len(tokens) > 1 and tokens[0] in words.articles:
        tokens = tokens[1:]
    if len(tokens) > 1 and tokens[-1] in words.company_forms:
        tokens = tokens[:-1]
    name = re.sub(r"(?<=\b\w)\.", "", " ".join(tokens).strip(" ,"))
    return words.same.get(name, name)
