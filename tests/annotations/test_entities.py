"""Entities: grouping by id, labels and names by hand, and what is refused."""

import json

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities
from spacy_docre.annotations import MENTIONS_KEY, entities_or_ents, group_by_name, has_mentions


def doc_of(text: str) -> Doc:
    return Doc(Vocab(), words=text.split())


def test_mentions_with_one_id_are_one_entity(ada):
    found = [(e.id, e.label, [m.text for m in e.mentions]) for e in get_entities(ada)]
    assert found == [
        ("0", "PER", ["Ada Lovelace", "She"]),
        ("1", "LOC", ["London"]),
        ("2", "PER", ["Charles Babbage"]),
    ]


def test_a_mention_without_id_is_an_entity_of_its_own():
    """Mentions 0 and 2 share the id "a"; "@1" and "@3" name the places of the other two."""
    doc = doc_of("Ada met Babbage twice")
    doc.spans[MENTIONS_KEY] = [Span(doc, i, i + 1, span_id=id_) for i, id_ in enumerate(["a", "", "a", ""])]
    assert [(e.id, len(e.mentions)) for e in get_entities(doc)] == [("a", 2), ("@1", 1), ("@3", 1)]


def test_label_is_the_most_frequent_type_and_name_the_longest_mention():
    """Types ORG, LOC, LOC: LOC. Lengths 2, 6, 6: the first of length 6. The first kb_id that is set."""
    doc = doc_of("UK Albion Arcady")
    spans = [Span(doc, 0, 1, label="ORG"), Span(doc, 1, 2, label="LOC", kb_id="Q145")]
    spans.append(Span(doc, 2, 3, label="LOC", kb_id="Q9"))
    set_entities(doc, [spans])
    (entity,) = get_entities(doc)
    assert (entity.label, entity.name, entity.kb_id) == ("LOC", "Albion", "Q145")


@pytest.mark.parametrize("types", [["A", "B"], ["B", "A"]])
def test_a_tie_between_types_goes_to_the_first(types):
    doc = doc_of("x y")
    set_entities(doc, [[Span(doc, i, i + 1, label=t) for i, t in enumerate(types)]])
    assert get_entities(doc)[0].label == types[0]


def test_mentions_may_overlap_and_belong_to_two_entities():
    doc = doc_of("Bank of England")
    set_entities(doc, [[Span(doc, 0, 3)], [Span(doc, 2, 3)], [Span(doc, 2, 3, label="LOC")]])
    assert [e.name for e in get_entities(doc)] == ["Bank of England", "England", "England"]


def test_set_entities_accepts_its_own_views(ada):
    before = get_entities(ada)
    set_entities(ada, before)
    assert get_entities(ada) == before
    set_entities(ada, reversed(before))
    assert [e.id for e in get_entities(ada)] == ["2", "1", "0"]


def test_set_entities_does_not_change_the_spans_it_is_given(ada):
    span = Span(ada, 0, 1, label="PER", span_id="mine")
    set_entities(ada, [[span]], ids=["other"])
    assert span.id_ == "mine"
    assert get_entities(ada)[0].id == "other"


@pytest.mark.parametrize(
    ("entities", "ids", "message"),
    [
        ([[]], None, r"E005.*'0'"),
        ([[(0, 1)], []], ["a", "b"], r"E005.*'b'"),
        ([[(0, 1)], [(1, 2)]], ["a", "a"], r"E006.*'a'"),
    ],
)
def test_bad_entities_are_refused_and_nothing_changes(ada, entities, ids, message):
    before = get_entities(ada)
    with pytest.raises(ValueError, match=message):
        set_entities(ada, [[Span(ada, *m) for m in e] for e in entities], ids=ids)
    assert get_entities(ada) == before


def test_nobody_has_spoken_is_not_the_same_as_no_mentions():
    doc = doc_of("Ada")
    assert not has_mentions(doc)
    assert get_entities(doc) == ()
    set_entities(doc, [])
    assert has_mentions(doc)
    assert get_entities(doc) == ()


def test_views_are_read_only(ada):
    with pytest.raises(AttributeError):
        get_entities(ada).append("x")
    with pytest.raises(AttributeError):
        get_entities(ada)[0].label = "X"


@pytest.mark.parametrize("change", [{"label": "LOC"}, {"kb_id": "Q7259"}, {"start": 0, "end": 1}])
def test_entities_are_equal_by_value(ada, change):
    where = {"start": 0, "end": 2, "label": "PER", "kb_id": "", **change}
    other = Doc(ada.vocab, words=[t.text for t in ada])
    set_entities(other, [[Span(other, 0, 2, label="PER")]])
    set_entities(ada, [[Span(ada, 0, 2, label="PER")]])
    assert get_entities(ada) == get_entities(other)
    assert hash(get_entities(ada)[0]) == hash(get_entities(other)[0])
    set_entities(other, [[Span(other, **where)]])
    assert get_entities(ada) != get_entities(other)


def test_to_dict_has_token_and_character_offsets(ada):
    """ "She" follows "Ada Lovelace was born in London . " of 34 characters."""
    data = json.loads(json.dumps(get_entities(ada)[0].to_dict()))
    assert data["name"] == "Ada Lovelace"
    assert data["mentions"][1] == {
        "text": "She", "label": "PER", "start": 7, "end": 8, "start_char": 34, "end_char": 37,
    }  # fmt: skip


def test_group_by_name_joins_by_kb_id_or_else_by_text_and_type():
    doc = doc_of("Paris Paris Paris Lutetia Paris")
    spans = [Span(doc, 0, 1, label="LOC"), Span(doc, 1, 2, label="PER"), Span(doc, 2, 3, label="LOC")]
    spans += [Span(doc, 3, 4, label="LOC", kb_id="Q90"), Span(doc, 4, 5, label="LOC", kb_id="Q90")]
    assert [[s.start for s in group] for group in group_by_name(spans)] == [[0, 2], [1], [3, 4]]


def test_doc_ents_stand_in_only_where_nobody_has_set_mentions():
    doc = doc_of("Ada met Ada")
    doc.ents = [Span(doc, 0, 1, label="PER"), Span(doc, 2, 3, label="PER")]
    assert [(e.id, len(e.mentions)) for e in entities_or_ents(doc)] == [("0", 2)]
    assert not has_mentions(doc)
    set_entities(doc, [])
    assert entities_or_ents(doc) == ()


def test_spans_of_another_text_are_refused(ada, blank):
    """A Span of a copy is fine; one of another text would silently be other words."""
    set_entities(ada.copy(), [[ada[0:2]]])
    with pytest.raises(ValueError, match=r"docre-E011.*Entity '0'"):
        set_entities(ada, [[blank("some thing else")[0:2]]])
    with pytest.raises(ValueError, match=r"docre-E011"):
        set_entities(ada, [ada[0:2]])
