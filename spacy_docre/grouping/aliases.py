"""Grouper by alias: surnames and first names, titles, initials, acronyms, shortened names of organisations."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from spacy.tokens import Doc, Span

from .base import EntityGrouper
from .names import bare, kind_of, normalised, same_key
from .words import ORGANISATION, OTHER, PERSON, QUANTITY, NameWords, words_of

MOST = 32  # names that are compared with one name
LONGEST = 20  # words of a short form
Link = tuple[int, int]
Name = tuple[str, ...]


@dataclass(frozen=True)
class AliasGrouper:
    """Short forms of a name, with the long form that they most likely stand for.

    One word or an acronym that fits several names is the one mentioned last before it. Names are looked up by their
    parts, so work grows with the mentions, not with their pairs.
    """

    def __call__(self, doc: Doc, mentions: Sequence[Span]) -> Iterator[Link]:
        words = words_of(doc.lang_)
        kinds = [kind_of(m) for m in mentions]
        names = [tuple(normalised(m.text, words, kind).split()) for m, kind in zip(mentions, kinds)]
        order = sorted(range(len(mentions)), key=lambda i: mentions[i].start)
        people = [i for i in order if kinds[i] == PERSON]
        untitled = {i: without_titles(names[i], words) for i in people}
        yield from named_links(people, untitled)
        yield from word_links(people, untitled, {i: gender_of(names[i], words) for i in people})
        organisations = [i for i in order if kinds[i] == ORGANISATION]
        yield from part_links(organisations, dict(enumerate(names)))
        others = [i for i in order if kinds[i] not in (PERSON, QUANTITY)]
        yield from acronym_links(others, {i: mentions[i].text for i in others}, words)


def build_alias_grouper_v1() -> EntityGrouper:
    """Short forms of names. Titles and company forms are those of the document's language."""
    return AliasGrouper()


def without_titles(name: Name, words: NameWords) -> Name:
    """ "president barack obama" is "barack obama", but "queen" stays."""
    while len(name) > 1 and name[0] in words.titles:
        name = name[1:]
    return name


def gender_of(name: Name, words: NameWords) -> str:
    """By titles in front; "" where there is none that says it."""
    titles = name[: len(name) - len(without_titles(name, words))]
    female, male = words.female_titles.intersection(titles), words.male_titles.intersection(titles)
    return "" if bool(female) == bool(male) else "female" if female else "male"


def named_links(rows: Sequence[int], names: dict[int, Name]) -> Iterator[Link]:
    """People of several names: the same; the one whose name goes on before or after; and, if there is one only, who has
    initials spelt out ("J. K. Rowling" is "Joanne Rowling") or names in between ("John Kennedy", "John F. Kennedy").

    Initials that contradict each other ("John A. Smith", "John B. Smith") are of nobody ("John Smith").
    """
    rows = [i for i in rows if len(names[i]) > 1]
    yield from ((rows[a], rows[b]) for a, b in same_key(names[i] for i in rows))
    yield from part_links(rows, names)
    first: dict[Name, int] = {}
    for i in rows:
        first.setdefault(names[i], i)
    spelt_out: dict[tuple[str, str], list[Name]] = defaultdict(list)  # last name and first letter
    longer: dict[tuple[str, str], list[Name]] = defaultdict(list)  # first and last name
    for name in first:
        if not has_initials(name):
            spelt_out[name[-1], name[0][0]].append(name)
        if len(name) > 2:
            longer[name[0], name[-1]].append(name)
    initialled: dict[Name, list[Name]] = defaultdict(list)  # by the one name that they may stand for
    for name, i in first.items():
        if has_initials(name):
            others = spelt_out[name[-1], name[0][0]]
            fitting = [x for x in others if spells_out(x, name)] if len(others) <= MOST else []
            if len(fitting) == 1:
                initialled[fitting[0]].append(name)
        elif len(name) == 2 and len(longer[name]) == 1:
            yield first[longer[name][0]], i
    for name, short in initialled.items():
        if len(short) <= MOST and all(spells_out(a, b) for a, b in combinations(short, 2)):
            yield from ((first[name], first[x]) for x in short)


def has_initials(name: Name) -> bool:
    return any(len(word) == 1 for word in name[:-1])


def spells_out(long: Name, short: Name) -> bool:
    """Whether first names are the same or initials, word by word from the left: "joanne" and "j k"."""
    pairs = zip(long[:-1], short[:-1])
    return all(a == b or (1 in (len(a), len(b)) and a[0] == b[0]) for a, b in pairs)


def word_links(rows: Sequence[int], names: dict[int, Name], genders: dict[int, str]) -> Iterator[Link]:
    """One word is the person whose last name it is, or else first, or else one between; or the same word before. "Mrs.
    Smith" is not who "Mr. Smith" is. genders: "male", "female" or "", where a title says it; filled in by links.
    """
    places: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(4)]  # word -> places in rows
    by_last, by_first, by_other, alone = places
    for place, i in enumerate(rows):
        *before, last = names[i] or ("",)
        if before:
            by_last[last].append(place)
            by_first[before[0]].append(place)
            for word in before[1:]:
                by_other[word].append(place)
    for place, i in enumerate(rows):
        if len(names[i]) == 1:
            word = names[i][0]
            fitting = by_last.get(word) or by_first.get(word) or by_other.get(word) or alone[word]
            for other in around(place, fitting):
                if not genders[i] or genders[rows[other]] in ("", genders[i]):
                    yield rows[other], i
                    genders[i] = genders[rows[other]] = genders[i] or genders[rows[other]]
                    break
            alone[word].append(place)


def around(place: int, places: Sequence[int]) -> Iterator[int]:
    """A few of the places: those before this one, the last of them first, then those after it."""
    here = bisect_left(places, place)
    yield from reversed(places[max(0, here - MOST) : here])
    yield from places[here : here + MOST]


def part_links(rows: Sequence[int], names: dict[int, Name]) -> Iterator[Link]:
    """A name with which exactly one longer name begins, or else ends: "Harvard" is "Harvard University", "White Sox" is
    "Chicago White Sox"."""
    beginning: dict[Name, dict[Name, int]] = defaultdict(dict)
    ending: dict[Name, dict[Name, int]] = defaultdict(dict)
    for i in rows:
        for n in range(1, min(len(names[i]), LONGEST)):
            beginning[names[i][:n]].setdefault(names[i], i)
            ending[names[i][-n:]].setdefault(names[i], i)
    for i in rows:
        longer = beginning.get(names[i]) or ending.get(names[i]) or {}
        if len(longer) == 1:
            yield next(iter(longer.values())), i


def acronym_links(rows: Sequence[int], names: dict[int, str], words: NameWords) -> Iterator[Link]:
    """Two to seven capitals that are the initials of a longer name: "BBC" is "British Broadcasting Corporation"."""
    long_forms: dict[str, list[int]] = defaultdict(list)  # acronym -> places in rows
    for place, i in enumerate(rows):
        for acronym in acronyms(bare(names[i], words, PERSON), words):
            long_forms[acronym].append(place)
    for place, i in enumerate(rows):
        short = bare(names[i], words, OTHER).replace(".", "")
        if 2 <= len(short) <= 7 and short.isupper() and short.isalpha() and short in long_forms:
            yield rows[next(around(place, long_forms[short]))], i


def acronyms(name: str, words: NameWords) -> set[str]:
    """Initials of a name of several words: of all, without small ones, and without the company's form too."""
    tokens = [t for t in name.replace("-", " ").split() if t[0].isalpha()]
    large = [t for t in tokens if t.casefold() not in words.small and not t[0].islower()]
    without_form = [t for t in large if t.casefold() not in words.company_forms]
    choices = ("".join(t[0] for t in chosen).upper() for chosen in (tokens, large, without_form))
    return {x for x in choices if len(x) > 1}
