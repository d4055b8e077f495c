"""Mentions with the same knowledge-base id, or the same name."""

import pytest
import spacy
from spacy import registry
from spacy.tokens import Span
from thinc.api import Config

from spacy_docre.grouping.names import build_knowledge_base_grouper_v1, build_name_grouper_v1, normalised
from spacy_docre.grouping.words import ANY_LANGUAGE, ENGLISH

from .mentions import are_one, grouped, mentions_of

by_id = build_knowledge_base_grouper_v1()
normalising = build_name_grouper_v1()
exact = build_name_grouper_v1(normalise=False)


def test_the_same_id_is_one_entity_whatever_name_and_type():
    mentions = mentions_of(["Turin", "she", "Torino"], ["LOC", "PER", "ORG"], ["Q495", "Q7259", "Q495"])
    assert grouped(mentions, by_id) == [["Turin", "Torino"], ["she"]]


@pytest.mark.parametrize("not_found", ["NIL", ""])
def test_ids_that_say_not_found_are_no_ids(not_found):
    mentions = mentions_of(["Ada", "Ada"], kb_ids=[not_found, not_found])
    assert grouped(mentions, by_id) == [["Ada"], ["Ada"]]


def test_one_name_and_two_ids_are_two_entities():
    """Both groupers, surest first: the Paris without an id goes to the first of its name."""
    mentions = mentions_of(["Paris", "Paris", "Paris"], "LOC", ["Q90", "Q830149", ""])
    entities = grouped(mentions, by_id, normalising)
    assert [len(entity) for entity in entities] == [2, 1]


SAME_IN_ENGLISH = [
    ("US", "U.S."),
    ("US", "The U.S.'s"),
    ("the United States", "USA"),
    ("Great Britain", "the UK"),
    ("Acme Inc.", "Acme"),
    ("Acme, Inc.", "ACME Corporation"),
    ("Acme Inc.'s", "acme"),
    ("Navy", "the Navy"),
    ("the Netherlands'", "Holland"),
    ("Ada", "Ada's"),
    ("Ada", "Ada’s"),
    ("J. K. Rowling", "J K Rowling"),
]
SAME_EVERYWHERE = [
    ("LONDON", "London"),
    ("Straße", "STRASSE"),
    ("New York", " New \n York "),
    ("ＩＢＭ", "IBM"),  # full-width letters
    ("Curie\u0301", "Curi\u00e9"),  # an accent of its own
    ("Siemens AG", "Siemens"),
    ("Müller GmbH", "Müller"),
]
DIFFERENT = [
    ("London", "Londonderry"),
    ("Acme", "Acme Press"),
    ("The", "A"),
    ("Inc.", "Corp."),
    ("New York", "NewYork"),
    ("Mary Shelley", "Percy Shelley"),
]


@pytest.mark.parametrize(("first", "second"), SAME_IN_ENGLISH + SAME_EVERYWHERE)
def test_names_that_are_the_same_once_normalised(first, second):
    assert are_one(first, second, normalising, "ORG")
    assert not are_one(first, second, exact, "ORG")


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_names_that_stay_different(first, second):
    assert not are_one(first, second, normalising, "ORG")


@pytest.mark.parametrize("grouper", [exact, normalising], ids=["exact", "normalising"])
def test_the_very_same_name_is_one_entity(grouper):
    assert grouped(mentions_of(["Ada", "Bob", "Ada"]), grouper) == [["Ada", "Ada"], ["Bob"]]


@pytest.mark.parametrize("lang", ["de", "zh"])
def test_other_languages_have_no_english_rules(lang):
    for first, second in SAME_EVERYWHERE:
        assert are_one(first, second, normalising, "ORG", lang=lang)
    for first, second in [("the Navy", "Navy"), ("US", "United States"), ("Ada's", "Ada"), ("Acme Limited", "Acme")]:
        assert not are_one(first, second, normalising, "ORG", lang=lang)


@pytest.mark.parametrize("grouper", [exact, normalising], ids=["exact", "normalising"])
@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (("GPE", "LOC"), True),
        (("FAC", "GPE"), True),
        (("PERSON", "PER"), True),
        (("per", "PER"), True),
        (("ORG", "NORP"), True),
        (("DATE", "TIME"), True),
        (("CARDINAL", "NUM"), True),
        (("MISC", "MISC"), True),
        (("PER", "LOC"), False),
        (("ORG", "GPE"), False),
        (("LOC", "DATE"), False),
        (("MISC", "EVENT"), False),
        (("", "PER"), False),
    ],
)
def test_types_of_one_kind_share_names(grouper, types, expected):
    assert are_one("Washington", "Washington", grouper, types) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("The U.S.'s", "united states"),
        ("the", "the"),
        ("A", "a"),
        ("Inc.", "inc."),
        ("'s", ""),
        ("  ", ""),
        ("St. Louis", "st. louis"),
        ("An Apple Co.", "apple"),
    ],
)
def test_normalised_in_english(name, expected):
    assert normalised(name, ENGLISH) == expected


@pytest.mark.parametrize(("name", "expected"), [("The U.S.'s", "the us's"), ("Siemens AG", "siemens"), ("", "")])
def test_normalised_in_any_language(name, expected):
    assert normalised(name, ANY_LANGUAGE) == expected


def test_a_name_of_which_nothing_is_left_is_no_name():
    assert grouped(mentions_of(["'s", "’s"]), normalising) == [["'s"], ["’s"]]


def test_mentions_in_a_sentence():
    """As a tokenizer splits them: the possessive is a token of the mention, or is not."""
    doc = spacy.blank("en")("The U.S.'s navy left the US. U.S. ships remained.")
    spans = [doc.char_span(a, b, label="GPE") for a, b in ((0, 10), (21, 27), (29, 33))]
    assert all(isinstance(span, Span) for span in spans)
    assert grouped(spans, normalising) == [["The U.S.'s", "the US", "U.S."]]


def test_from_a_config():
    config = Config().from_str(
        '[names]\n@misc = "spacy-docre.NameGrouper.v1"\nnormalise = false\n'
        '[knowledge_base]\n@misc = "spacy-docre.KnowledgeBaseGrouper.v1"'
    )
    resolved = registry.resolve(config)
    assert not are_one("US", "U.S.", resolved["names"], "LOC")
    assert are_one("US", "UK", resolved["knowledge_base"], "LOC", kb_ids=["Q30", "Q30"])


@pytest.mark.parametrize(("first", "second"), [("O’Brien", "O'Brien"), ("People’s Republic of China", "China")])
def test_apostrophes_of_any_kind_are_the_same(first, second):
    assert are_one(first, second, normalising, "LOC")


@pytest.mark.parametrize(("first", "second"), [("An Wang", "Wang"), ("Kenneth Co", "Kenneth")])
def test_people_have_no_articles_and_company_forms(first, second):
    assert not are_one(first, second, normalising, "PER")
