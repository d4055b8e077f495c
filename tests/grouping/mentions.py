"""Documents that are nothing but names, and what groupers make of them."""

from collections.abc import Sequence
from functools import lru_cache

import spacy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre.grouping import EntityGrouper, group_mentions

Groups = list[list[str]]


@lru_cache
def vocab_of(lang: str) -> Vocab:
    return spacy.blank(lang).vocab


def mentions_of(
    names: Sequence[str], types: str | Sequence[str] = "PER", kb_ids: Sequence[str] = (), *, lang: str = "en"
) -> list[Span]:
    """Each name as a mention of one token, whatever it holds. types: one for all, or one for each."""
    doc = Doc(vocab_of(lang), words=list(names))
    types = [types] * len(names) if isinstance(types, str) else types
    kb_ids = kb_ids or [""] * len(names)
    return [Span(doc, i, i + 1, label=t, kb_id=k) for i, (t, k) in enumerate(zip(types, kb_ids, strict=True))]


def grouped(mentions: Sequence[Span], *groupers: EntityGrouper) -> Groups:
    """The texts of the entities' mentions."""
    doc = mentions[0].doc if mentions else Doc(vocab_of("en"))
    return [[m.text for m in entity] for entity in group_mentions(doc, mentions, groupers)]


def are_one(first: str, second: str, grouper: EntityGrouper, types: str | Sequence[str] = "PER", **settings) -> bool:
    """Whether two names are one entity, in either order, which makes no difference."""
    swapped = types if isinstance(types, str) else types[::-1]
    there = grouped(mentions_of([first, second], types, **settings), grouper)
    back = grouped(mentions_of([second, first], swapped, **settings), grouper)
    assert len(there) == len(back)
    return len(there) == 1
