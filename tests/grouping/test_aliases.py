"""Short forms of names, with the long forms that they stand for."""

import time

import pytest
from spacy import registry
from thinc.api import Config

from spacy_docre.grouping.aliases import acronyms, around, build_alias_grouper_v1, spells_out
from spacy_docre.grouping.names import build_name_grouper_v1
from spacy_docre.grouping.words import ENGLISH

from .mentions import are_one, grouped, mentions_of

aliases = build_alias_grouper_v1()


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("Barack Obama", "Obama"),
        ("Barack Obama", "Barack"),
        ("Barack Hussein Obama", "Hussein"),
        ("Barack Hussein Obama", "Barack Hussein"),
        ("Barack Hussein Obama", "Hussein Obama"),
        ("Barack Obama", "President Obama"),
        ("Barack Obama", "OBAMA's"),
        ("Sir Winston Churchill", "Mr. Churchill"),
        ("President Barack Obama", "Barack Obama"),
        ("Joanne Rowling", "J. K. Rowling"),
        ("Joanne Kathleen Rowling", "J. K. Rowling"),
        ("John Ronald Tolkien", "John R. Tolkien"),
        ("Victoria Beckham", "Queen Victoria"),
    ],
)
@pytest.mark.parametrize("type_", ["PER", "PERSON"])
def test_short_forms_of_a_person(long, short, type_):
    assert are_one(long, short, aliases, type_)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Barack Obama", "Michelle Obama"),
        ("Barack Obama", "Barack Trump"),
        ("Joanne Rowling", "M. K. Rowling"),
        ("George W. Bush", "George H. Bush"),
        ("George W. Bush", "George H. W. Bush"),
        ("Barack Obama", "President"),
        ("Barack Obama", "Obam"),
        ("Barack Obama", "he"),
    ],
)
def test_other_people(first, second):
    assert not are_one(first, second, aliases)


def test_a_surname_of_two_people_is_the_one_mentioned_last_before():
    names = ["Barack Obama", "Obama", "Michelle Obama", "Obama's", "Barack Obama", "President Obama"]
    expected = [["Barack Obama", "Obama", "Barack Obama", "President Obama"], ["Michelle Obama", "Obama's"]]
    assert grouped(mentions_of(names), aliases) == expected


def test_a_surname_before_any_full_name_is_the_first_after_it():
    assert grouped(mentions_of(["Curie", "Marie Curie", "Pierre Curie"]), aliases) == [
        ["Curie", "Marie Curie"],
        ["Pierre Curie"],
    ]


def test_a_word_is_rather_a_last_name_than_a_first():
    """Henry James, Thierry Henry: Henry is the latter, wherever he stands."""
    henry, james = ["Thierry Henry", "Henry"], ["Henry James"]
    assert grouped(mentions_of(["Henry James", "Thierry Henry", "Henry"]), aliases) == [james, henry]
    assert grouped(mentions_of(["Thierry Henry", "Henry James", "Henry"]), aliases) == [henry, james]


def test_before_means_in_the_text_not_in_the_list():
    mentions = mentions_of(["Marie Curie", "Curie", "Pierre Curie"])
    entities = grouped([mentions[2], mentions[1], mentions[0]], aliases)
    assert entities == [["Pierre Curie"], ["Curie", "Marie Curie"]]


def test_initials_that_fit_two_people_are_nobodys():
    names = ["John Smith", "Jane Smith", "J. Smith"]
    assert grouped(mentions_of(names), aliases) == [["John Smith"], ["Jane Smith"], ["J. Smith"]]


def test_titles_are_those_of_the_language():
    assert are_one("Barack Obama", "President Obama", aliases, lang="en")
    assert not are_one("Barack Obama", "President Obama", aliases, lang="de")
    assert are_one("Barack Obama", "Obama", aliases, lang="de")


@pytest.mark.parametrize(
    ("long", "short"),
    [("Harvard University", "Harvard"), ("Chicago White Sox", "White Sox"), ("Bank of America Corp.", "Bank")],
)
def test_an_organisation_is_its_first_or_last_words(long, short):
    assert are_one(long, short, aliases, "ORG")
    for type_ in ("LOC", "GPE", "MISC", "FAC"):
        assert not are_one(long, short, aliases, type_)


@pytest.mark.parametrize(
    "names",
    [
        ["Harvard University", "Harvard Press", "Harvard"],
        ["Chicago White Sox", "Boston White Sox", "White Sox"],
        ["University of Oxford", "of"],
    ],
)
def test_organisations_with_ambiguous_or_inner_words_are_not_linked(names):
    assert grouped(mentions_of(names, "ORG"), aliases) == [[name] for name in names]


def test_places_are_not_linked_by_their_first_words():
    assert not are_one("Kansai International Airport", "Kansai", aliases, "LOC")
    assert not are_one("Kansai International Airport", "Kansai", aliases, ("FAC", "GPE"))


def test_people_and_organisations_do_not_share_parts():
    assert not are_one("Harvard University", "Harvard", aliases, ("ORG", "PER"))
    assert not are_one("John Harvard", "Harvard", aliases, ("PER", "ORG"))


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("British Broadcasting Corporation", "BBC"),
        ("British Broadcasting Corporation", "B.B.C."),
        ("Federal Bureau of Investigation", "FBI"),
        ("Department of Defense", "DOD"),
        ("the Federal Bureau of Investigation", "FBI"),
        ("International Business Machines Corp.", "IBM"),
        ("Hewlett-Packard", "HP"),
    ],
)
def test_acronyms(long, short):
    for type_ in ("ORG", "LOC", "MISC"):
        assert are_one(long, short, aliases, type_)
    assert are_one(long, short, aliases, ("ORG", "GPE"))


@pytest.mark.parametrize(
    ("long", "short"),
    [("Boston", "B"), ("Federal Bureau", "Fb"), ("Federal Bureau", "fb"), ("Federal Bureau 9", "FB9"), ("A b", "BA")],
)
def test_no_acronyms(long, short):
    assert not are_one(long, short, aliases, "ORG")


def test_acronyms_have_seven_letters_at_most():
    assert are_one("A B C D E F G", "ABCDEFG", aliases, "MISC")
    assert not are_one("A B C D E F G H", "ABCDEFGH", aliases, "MISC")


def test_acronyms_with_and_without_small_words():
    assert acronyms("the Bank of America Inc.", ENGLISH) == {"TBOAI", "BAI", "BA"}
    assert acronyms("America", ENGLISH) == acronyms("", ENGLISH) == set()


@pytest.mark.parametrize("type_", ["DATE", "TIME", "NUM", "CARDINAL", "MONEY"])
@pytest.mark.parametrize(("long", "short"), [("June 1843", "1843"), ("Anno Domini", "AD"), ("two books", "two")])
def test_quantities_are_never_linked(long, short, type_):
    assert not are_one(long, short, aliases, type_)
    assert not are_one(long, short, aliases, (type_, "MISC"))


@pytest.mark.parametrize(
    ("long", "short", "expected"),
    [
        ("joanne rowling", "j rowling", True),
        ("joanne k x", "j k x", True),
        ("ada x", "c x", False),
        ("ada x", "ann x", False),
    ],
)
def test_spells_out(long, short, expected):
    assert spells_out(tuple(long.split()), tuple(short.split())) == expected


def test_the_closest_come_first_by_hand():
    """Of 2, 5 and 9: before 6 is 5, before 100 is 9, and before 1 is none, so the first after it."""
    assert [list(around(place, [2, 5, 9])) for place in (6, 100, 1)] == [[5, 2, 9], [9, 5, 2], [2, 5, 9]]


def test_no_mentions():
    assert grouped([], aliases) == []


@pytest.mark.parametrize("type_", ["PER", "ORG", "LOC"])
def test_names_without_words_are_nothing(type_):
    assert grouped(mentions_of(["'s", "Barack Obama", "."], type_), aliases) == [["'s"], ["Barack Obama"], ["."]]


def people(n: int) -> list[str]:
    return [f"Ann{i} Lee{i}" if i % 2 else f"Lee{i - 1}" for i in range(n)]


def one_family(n: int) -> list[str]:
    return [f"{chr(65 + i % 26)}nn Lee" if i % 2 else "Lee" for i in range(n)]


def organisations(n: int) -> list[str]:
    return [f"Bank {i // 3} of America" if i % 3 else "BA" for i in range(n)]


def namesakes(n: int) -> list[str]:
    return [f"J{i} Lee" for i in range(n)]


def initialled(n: int) -> list[str]:
    return [f"J. A{i} Smith" if i % 2 else f"John B{i} Smith" for i in range(n)]


def couples(n: int) -> list[str]:
    return [f"{'Mr.' if i < n / 2 else 'Mrs.'} Smith" for i in range(n)]


def long_names(n: int) -> list[str]:
    return [" ".join(f"w{i}x{j}" for j in range(2000)) for i in range(n // 2000)]


@pytest.mark.parametrize(
    ("names", "type_"),
    [
        (people, "PER"),
        (one_family, "PER"),
        (organisations, "ORG"),
        (organisations, "MISC"),
        (namesakes, "PER"),
        (initialled, "PER"),
        (couples, "PER"),
        (long_names, "ORG"),
    ],
)
def test_work_grows_with_the_mentions(names, type_):
    """4,000 mentions take tenths of a second, where comparing pairs takes several."""
    mentions = mentions_of(names(4000), type_)
    start = time.perf_counter()
    links = list(aliases(mentions[0].doc, mentions))
    assert time.perf_counter() - start < 2
    assert len(links) <= 3 * len(mentions)


def test_from_a_config():
    config = Config().from_str('[grouper]\n@misc = "spacy-docre.AliasGrouper.v1"')
    assert are_one("Barack Obama", "Obama", registry.resolve(config)["grouper"])


@pytest.mark.parametrize(
    "names", [["John Smith", "J. Smith", "Jane Smith"], ["J. Smith", "John Smith", "Jane Smith"]], ids="/".join
)
def test_initials_do_not_join_two_people(names):
    """Wherever the initials stand, they fit both."""
    entities = grouped(mentions_of(names), aliases)
    assert not any({"John Smith", "Jane Smith"} <= set(entity) for entity in entities)


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (["George H. W. Bush", "George W. Bush", "George Bush"], {"George H. W. Bush", "George W. Bush"}),
        (["John Smith", "John A. Smith", "John B. Smith"], {"John A. Smith", "John B. Smith"}),
        (["J. A. Smith", "John Smith", "J. Smith", "J. B. Smith"], {"J. A. Smith", "J. B. Smith"}),
    ],
)
def test_a_name_that_fits_both_does_not_join_initials_that_contradict_each_other(names, apart):
    entities = grouped(mentions_of(names), aliases)
    assert not any(apart <= set(entity) for entity in entities)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Mr. Smith", "Mrs. Smith"], [["Mr. Smith"], ["Mrs. Smith"]]),
        (["Mr. Smith", "Smith", "Mrs. Smith"], [["Mr. Smith", "Smith"], ["Mrs. Smith"]]),
        (["John Smith", "Mr. Smith", "Mrs. Smith"], [["John Smith", "Mr. Smith"], ["Mrs. Smith"]]),
        (["Dr. King", "Mrs. King", "King"], [["Dr. King", "Mrs. King", "King"]]),
        (["Queen Anne", "Anne", "King Anne"], [["Queen Anne", "Anne"], ["King Anne"]]),
    ],
)
def test_titles_of_a_man_and_a_woman_are_of_two_people(names, expected):
    assert grouped(mentions_of(names), aliases) == expected


def test_an_acronym_of_two_names_is_the_one_mentioned_last_before():
    names = ["Bank of America", "British Airways", "BA"]
    assert grouped(mentions_of(names, "ORG"), aliases) == [["Bank of America"], ["British Airways", "BA"]]


def test_a_surname_of_two_people_does_not_join_them():
    names = ["Barack Obama", "Obama", "Michelle Obama", "Obama"]
    entities = grouped(mentions_of(names), build_name_grouper_v1(), aliases)
    assert not any({"Barack Obama", "Michelle Obama"} <= set(entity) for entity in entities)


@pytest.mark.parametrize(
    ("first", "second", "type_"),
    [
        ("British Broadcasting Corporation", "the BBC", "ORG"),
        ("British Broadcasting Corporation", "BBC's", "ORG"),
        ("Joanne Rowling", "J.K. Rowling", "PER"),
        ("John F. Kennedy", "John Kennedy", "PER"),
        ("President Obama", "Obama", "PER"),
    ],
)
def test_more_short_forms(first, second, type_):
    assert are_one(first, second, aliases, type_)
