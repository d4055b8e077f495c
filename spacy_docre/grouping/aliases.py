"""Grouper by alias: surnames and first names, titles, initials, acronyms, shortened names of organisations."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from spacy.tokens import Doc, Span

from .base import EntityGrouper
from .names import kind_of, normalised
from .words import ORGANISATION, PERSON, QUANTITY, NameWords, words_of

Link = tuple[int, int]


def build_alias_grouper_v1() -> EntityGrouper:
    """Short forms of a name, with the long form that they most likely stand for.

    A short form that fits several names is the one mentioned last before it. Names are looked up by their parts, so
    work grows with the mentions, not with their pairs. Titles and company forms are those of the document's language.
    """

    def group(doc: Doc, mentions: Sequence[Span]) -> Iterator[Link]:
        words = words_of(doc.lang_)
        names = [normalised(m.text, words) for m in mentions]
        of_kind: dict[str, list[int]] = defaultdict(list)
        for i in sorted(range(len(mentions)), key=lambda i: mentions[i].start):
            of_kind[kind_of(mentions[i])].append(i)
        yield from person_links(of_kind[PERSON], [tuple(untitled(n.split(), words)) for n in names])
        yield from part_links(of_kind[ORGANISATION], [tuple(n.split()) for n in names])
        others = sorted({i for kind, rows in of_kind.items() if kind not in (PERSON, QUANTITY) for i in rows})
        yield from acronym_links(others, mentions, words)

    return group


def untitled(tokens: Sequence[str], words: NameWords) -> Sequence[str]:
    """Without titles in front: "president barack obama" is "barack obama", but "queen" stays."""
    while len(tokens) > 1 and tokens[0] in words.titles:
        tokens = tokens[1:]
    return tokens


def person_links(rows: Sequence[int], names: Sequence[tuple[str, ...]]) -> Iterator[Link]:
    """One word is the person of whose name it is the last word, or else the first, or else one between.

    Several words are the person whose name goes on before or after them, or the one with the same last name whose first
    names they abbreviate ("J. K. Rowling" is "Joanne Rowling"), if there is one only. rows: mentions in the order of
    the text.
    """
    yield from part_links([i for i in rows if len(names[i]) > 1], names)
    whole: dict[tuple[str, ...], int] = {}
    same_last: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    by_last, by_first, by_other = (defaultdict(list) for _ in range(3))  # word -> places in rows of names with it
    for place, i in enumerate(rows):
        name = names[i]
        if len(name) < 2:
            continue
        if name not in whole:
            whole[name] = i
            block = name[-1], name[0][0]  # names that can abbreviate each other
            fitting = [x for x in same_last[block] if abbreviates(name, x)]
            if len(fitting) == 1:
                yield whole[fitting[0]], i
            same_last[block].append(name)
        else:
            yield whole[name], i
        by_last[name[-1]].append(place)
        by_first[name[0]].append(place)
        for word in name[1:-1]:
            by_other[word].append(place)
    for place, i in enumerate(rows):
        if len(names[i]) == 1:
            word = names[i][0]
            fitting_places = by_last.get(word) or by_first.get(word) or by_other.get(word)
            if fitting_places:
                yield rows[closest(place, fitting_places)], i


def abbreviates(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether first names are the same or initials, word by word from the left, and at least one is an initial."""
    pairs = [(a.strip("."), b.strip(".")) for a, b in zip(first[:-1], second[:-1])]
    initials = [a[:1] == b[:1] and 1 in (len(a), len(b)) for a, b in pairs]
    return any(initials) and all(a == b or initial for (a, b), initial in zip(pairs, initials))


def closest(place: int, places: Sequence[int]) -> int:
    """The last of the places before this one, or else the first after it."""
    return places[max(0, bisect_left(places, place) - 1)]


def part_links(rows: Sequence[int], names: Sequence[tuple[str, ...]]) -> Iterator[Link]:
    """A name with which exactly one longer name begins, or else ends: "Harvard" is "Harvard University", "White Sox" is
    "Chicago White Sox"."""
    beginning: dict[tuple[str, ...], dict[tuple[str, ...], int]] = defaultdict(dict)
    ending: dict[tuple[str, ...], dict[tuple[str, ...], int]] = defaultdict(dict)
    for i in rows:
        for n in range(1, len(names[i])):
            beginning[names[i][:n]].setdefault(names[i], i)
            ending[names[i][n:]].setdefault(names[i], i)
    for i in rows:
        longer = beginning.get(names[i]) or ending.get(names[i]) or {}
        if len(longer) == 1:
            yield next(iter(longer.values())), i


def acronym_links(rows: Sequence[int], mentions: Sequence[Span], words: NameWords) -> Iterator[Link]:
    """Two to seven capitals that are the initials of a longer name: "BBC" is "British Broadcasting Corporation"."""
    long_forms: dict[str, int] = {}
    for i in rows:
        for acronym in acronyms(mentions[i].text, words):
            long_forms.setdefault(acronym, i)
    for i in rows:
        short = mentions[i].text.replace(".", "")
        if 2 <= len(short) <= 7 and short.isupper() and short.isalpha() and short in long_forms:
            yield long_forms[short], i


def acronyms(name: str, words: NameWords) -> set[str]:
    """Initials of a name of several words, with and without small words and the company's form."""
    tokens = [t for t in name.replace("-", " ").split() if t[0].isalpha()]
    if len(tokens) < 2:
        return set()
    large = [t for t in tokens if t.casefold() not in words.small]
    without_form = [t for t in large if t.casefold() not in words.company_forms]
    choices = ("".join(t[0] for t in x).upper() for x in (tokens, large, without_form))
    return {x for x in choices if len(x) > 1}
