"""Words that come with names and are not part of them, by language, and groups of types that share names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PERSON, ORGANISATION, PLACE, OTHER, QUANTITY = "person", "organisation", "place", "other", "quantity"
KIND_OF_TYPE = {
    **dict.fromkeys(("PER", "PERSON"), PERSON),
    **dict.fromkeys(("ORG", "ORGANIZATION", "NORP"), ORGANISATION),
    **dict.fromkeys(("LOC", "GPE", "FAC", "LOCATION", "PLACE"), PLACE),
    **dict.fromkeys(("TIME", "DATE", "NUM", "CARDINAL", "ORDINAL", "QUANTITY", "PERCENT", "MONEY"), QUANTITY),
}
"""Names of other types follow the general rules only. Types of both DocRED and OntoNotes are known."""


@dataclass(frozen=True)
class NameWords:
    """All in lower case, abbreviations without dots. possessives: endings of a name; same: other names of a place, with
    the one that stands for all of them."""

    articles: frozenset[str] = frozenset()
    titles: frozenset[str] = frozenset()
    female_titles: frozenset[str] = frozenset()
    male_titles: frozenset[str] = frozenset()
    company_forms: frozenset[str] = frozenset()
    small: frozenset[str] = frozenset()  # prepositions, articles, conjunctions: left out of acronyms
    possessives: tuple[str, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)


ANY_LANGUAGE = NameWords(
    company_forms=frozenset(
        "inc inc. corp corp. co co. ltd ltd. llc plc ag gmbh sa s.a. srl spa s.p.a. nv bv ab oy kg".split()
    ),
)
SYNONYMS = """
us united+states, usa united+states, united+states+of+america united+states, america united+states,
uk united+kingdom, great+britain united+kingdom, britain united+kingdom, ussr soviet+union, eu european+union,
un united+nations, prc china, people's+republic+of+china china, uae united+arab+emirates, holland netherlands
"""


def table(text: str) -> dict[str, str]:
    """Lines of "name its+first+name, …" """
    pairs = (entry.split() for entry in text.replace("\n", " ").split(","))
    return {name.replace("+", " "): first.replace("+", " ") for name, first in pairs}


ENGLISH = NameWords(
    articles=frozenset({"the", "a", "an"}),
    titles=frozenset(
        "mr mr. mrs mrs. ms ms. miss dr dr. prof prof. professor sir dame lord lady king queen prince princess "
        "president senator governor general colonel captain major admiral lieutenant sergeant judge justice pope "
        "saint st st. bishop archbishop cardinal reverend rev rev. emperor empress duke duchess count countess baron "
        "chancellor minister mayor".split()
    ),
    female_titles=frozenset("mrs mrs. ms ms. miss dame lady queen princess empress duchess countess".split()),
    male_titles=frozenset("mr mr. sir lord king prince emperor duke count baron".split()),
    company_forms=ANY_LANGUAGE.company_forms | frozenset("corporation company incorporated limited".split()),
    small=frozenset("of the and for in on at to a an &".split()),
    possessives=("'s", "'"),
    same=table(SYNONYMS),
)
WORDS = {"en": ENGLISH}


def words_of(language: str) -> NameWords:
    return WORDS.get(language, ANY_LANGUAGE)
