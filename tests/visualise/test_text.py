"""A document's relations as text, to the letter."""

import textwrap

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import set_entities, set_relations
from spacy_docre.annotations import TITLE_KEY
from spacy_docre.visualise.text import WIDTH, render_text

ADA = """\
Ada
===
Ada Lovelace was born in London. She worked with Charles Babbage.

3 entities, 3 relations
  Charles Babbage —colleague→ Ada Lovelace   0.90
      “Ada Lovelace was born in London. … She worked with Charles Babbage.”
  Ada Lovelace —place of birth→ London   0.75
      “Ada Lovelace was born in London.”
  Ada Lovelace —colleague→ Charles Babbage   0.51"""


def titled(doc: Doc, title: str) -> Doc:
    doc.user_data[TITLE_KEY] = title
    return doc


def lines(doc: Doc) -> list[str]:
    return render_text(doc).split("\n")


def test_a_document_by_hand(ada):
    """The surest relation first; one with one sentence, one with two, one with none."""
    set_relations(
        ada,
        [
            ("0", "place of birth", "1", 0.75, [(0, 7)]),
            ("0", "colleague", "2", 0.514),
            ("2", "colleague", "0", 0.9, [(0, 7), (7, 13)]),
        ],
    )
    assert render_text(titled(ada, "Ada")) == ADA


def test_relations_that_are_equally_sure_stay_in_order(ada):
    rows = [("0", "b", "1", 0.5), ("0", "a", "2", 0.5), ("2", "c", "0", 0.7), ("1", "a", "0", 0.5)]
    set_relations(ada, rows)
    labels = [line.split("—")[1].split("→")[0] for line in lines(ada) if "—" in line]
    assert labels == ["c", "b", "a", "a"]


def test_a_document_without_relations(ada):
    set_relations(ada, [])
    assert lines(titled(ada, "Ada"))[-2:] == ["", "3 entities, 0 relations"]


def test_a_document_without_entities():
    doc = titled(Doc(Vocab(), words=["Nothing", "here"]), "Title")
    assert render_text(doc) == "Title\n=====\nNothing here\n\n0 entities, 0 relations"


def test_a_document_without_words():
    assert render_text(Doc(Vocab())) == "\n0 entities, 0 relations"


def test_white_space_is_one_space():
    words = ["Ada", "\n\n", "met", " \t ", "Bob", "\n"]
    doc = titled(Doc(Vocab(), words=words), "T")
    set_entities(doc, [[Span(doc, 0, 1)], [Span(doc, 4, 5)]])
    set_relations(doc, [("0", "met", "1", 1.0, [(0, 6)])])
    expected = "T\n=\nAda met Bob\n\n2 entities, 1 relation\n  Ada —met→ Bob   1.00\n      “Ada met Bob”"
    assert render_text(doc) == expected


def test_an_entity_is_called_by_its_longest_mention():
    doc = titled(Doc(Vocab(), words="She , Ada Lovelace , met Bob".split()), "T")
    set_entities(doc, [[Span(doc, 0, 1), Span(doc, 2, 4)], [Span(doc, 6, 7)]])
    set_relations(doc, [("0", "met", "1")])
    assert lines(doc)[-1] == "  Ada Lovelace —met→ Bob   1.00"


@pytest.mark.parametrize("n_words", [1, 20, 200])
def test_long_lines_are_broken_and_nothing_is_lost(n_words):
    words = [f"word{i}" for i in range(n_words)]
    doc = titled(Doc(Vocab(), words=[*words, "Ada", "Bob"]), "T")
    set_entities(doc, [[Span(doc, n_words, n_words + 1)], [Span(doc, n_words + 1, n_words + 2)]])
    set_relations(doc, [("0", "met", "1", 1.0, [(0, n_words), (n_words, n_words + 2)])])
    found = lines(doc)
    assert max(map(len, found)) <= WIDTH == 110
    end = found.index("")
    assert " ".join(found[2:end]).split() == [*words, "Ada", "Bob"]
    quoted = found[end + 3 :]
    assert all(line.startswith(" " * 6) for line in quoted)
    assert " ".join(map(str.strip, quoted)) == f"“{' '.join(words)} … Ada Bob”"
    assert textwrap.dedent("\n".join(quoted)).startswith("“word0")


def test_blanks_before_punctuation_are_not_shown():
    words = "The firm ( HLW ) left Ada 's town , and closed .".split()
    assert "The firm (HLW) left Ada's town, and closed." in lines(Doc(Vocab(), words=words))
