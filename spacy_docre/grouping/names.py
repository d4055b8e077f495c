"""Groupers by knowledge-base id and by name."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc, Span

from ..annotations import NOT_LINKED
from .base import EntityGrouper
from .words import KIND_OF_TYPE, OTHER, PERSON, QUANTITY, NameWords, words_of


@dataclass(frozen=True)
class KnowledgeBaseGrouper:
    """Mentions with the same `kb_id_`, whatever their type."""

    def __call__(self, doc: Doc, mentions: Sequence[Span]) -> Iterator[tuple[int, int]]:
        return same_key(None if m.kb_id_ in NOT_LINKED else m.kb_id_ for m in mentions)


@dataclass(frozen=True)
class NameGrouper:
    """Mentions with the same name and kind of type.

    One word that is part of several people's names is left to rules that look at the order of mentions.
    """

    normalise: bool

    def __call__(self, doc: Doc, mentions: Sequence[Span]) -> Iterator[tuple[int, int]]:
        words = words_of(doc.lang_)
        kinds = [kind_of(m) for m in mentions]
        names = [normalised(m.text, words, kind) if self.normalise else m.text for m, kind in zip(mentions, kinds)]
        people: dict[str, set[str]] = defaultdict(set)  # word -> names of people that it is part of
        for kind, name in zip(kinds, names):
            if kind == PERSON and " " in name:
                for word in name.split():
                    people[word].add(name)
        return same_key(
            None if not name or (kind == PERSON and len(people.get(name, ())) > 1) else (kind, name)
            for kind, name in zip(kinds, names)
        )


def build_knowledge_base_grouper_v1() -> EntityGrouper:
    """Mentions with the same knowledge-base id."""
    return KnowledgeBaseGrouper()


def build_name_grouper_v1(normalise: bool = True) -> EntityGrouper:
    """Mentions with the same name. normalise: whether case, articles, possessives, dots of abbreviations and company
    forms make no difference."""
    return NameGrouper(normalise)


def same_key(keys: Iterable[Hashable]) -> Iterator[tuple[int, int]]:
    """Each place with the first that has the same key; None is no key."""
    first: dict[Hashable, int] = {}
    for i, key in enumerate(keys):
        if key is not None and first.setdefault(key, i) != i:
            yield first[key], i


def types_by_name(mentions: Sequence[Span], language: str) -> list[str]:
    """The type of each mention: the one that most mentions of its name have, or of those the first. A `ner` looks at
    each mention alone; in one document a name rarely stands for two things (Gale et al. 1992, "One sense per
    discourse"), unless they have several knowledge-base ids. Times and numbers keep their own.
    """
    words = words_of(language)
    names = [None if kind_of(m) == QUANTITY else normalised(m.text, words) for m in mentions]
    keys = [(name, m.kb_id_) if name else None for name, m in zip(names, mentions)]
    types: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for key, mention in zip(keys, mentions):
        if key:
            types[key][mention.label_] += 1
    return [types[key].most_common(1)[0][0] if key else m.label_ for key, m in zip(keys, mentions)]


def kind_of(mention: Span) -> str:
    """Types whose mentions may be one entity have one kind: LOC, GPE and FAC are places."""
    return KIND_OF_TYPE.get(mention.label_.upper(), mention.label_)


def normalised(name: str, words: NameWords, kind: str = OTHER) -> str:
    """A name as it is compared: "The U.S.'s" and "US" are "united states", "J.K. Rowling" is "j k rowling"."""
    name = bare(name, words, kind).casefold()
    if kind == PERSON:
        return re.sub(r"(?<=\b\w)\.\s*", " ", name).strip()
    name = re.sub(r"(?<=\b\w)\.", "", name)
    return words.same.get(name, name)


def bare(name: str, words: NameWords, kind: str) -> str:
    """A name without possessive, article and company form; people have neither of the last two."""
    name = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", name)).replace("’", "'").replace(" '", "'").strip()
    ending = next((x for x in words.possessives if name.endswith(x)), "")
    tokens = name[: len(name) - len(ending)].strip().split(" ")
    if kind != PERSON and len(tokens) > 1 and tokens[0].casefold() in words.articles:
        tokens = tokens[1:]
    if kind != PERSON and len(tokens) > 1 and tokens[-1].casefold() in words.company_forms:
        tokens = tokens[:-1]
    return " ".join(tokens).strip(" ,")
