"""Mentions carried from one tokenisation to another."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities
from spacy_docre.annotations import MENTIONS_KEY, char_offsets, copy_mentions, has_mentions


def doc_of(words: list[str], spaces: list[bool] | None = None) -> Doc:
    return Doc(Vocab(), words=words, spaces=spaces)


def copied(source: Doc, target: Doc) -> list[str]:
    copy_mentions(source, target)
    return [m.text for m in target.spans[MENTIONS_KEY]]


def test_same_tokens_keep_everything(ada):
    target = Doc(Vocab(), words=[t.text for t in ada])
    assert copy_mentions(ada, target) == 0
    assert get_entities(target) == get_entities(ada)


def test_ids_types_and_knowledge_base_ids_are_kept_across_tokens():
    source, target = doc_of(["New", "York-based"]), doc_of(["New", "York", "-", "based"])
    set_entities(source, [[Span(source, 0, 2, label="LOC", kb_id="Q60")]], ids=["ny"])
    assert copy_mentions(source, target) == 0
    (mention,) = target.spans[MENTIONS_KEY]
    assert (mention.start, mention.end) == (0, 4)
    assert (mention.id_, mention.label_, mention.kb_id_) == ("ny", "LOC", "Q60")


def test_mentions_within_a_token_are_counted_and_left_out():
    """ "York" ends inside the target's "York-based"; "firm" fits."""
    source, target = doc_of(["New", "York", "-", "based", "firm"]), doc_of(["New", "York-based", "firm"])
    set_entities(source, [[Span(source, 0, 2)], [Span(source, 4, 5), Span(source, 1, 2)]])
    assert copy_mentions(source, target) == 2
    assert [(e.id, e.name) for e in get_entities(target)] == [("1", "firm")]


@pytest.mark.parametrize(
    "target",
    [["a", " ", "bc", "d"], ["a", "\n\n", "bc", "d", " "], [" ", "a", "b", "c", "d"], ["a", "bc", "\t", "d"]],
)
def test_white_space_tokens_do_not_matter(target):
    """The mention "bc" is found whatever white space stands around it, and does not include it."""
    source = doc_of(["a", "bc", "d"])
    set_entities(source, [[Span(source, 1, 2)]])
    assert "".join(copied(source, doc_of(target))[0].split()) == "bc"


def test_a_mention_of_white_space_alone_is_lost_where_the_tokens_differ():
    source, target = doc_of(["a", " ", "b"]), doc_of(["a", "b"])
    set_entities(source, [[Span(source, 1, 2)]])
    assert copy_mentions(source, target) == 1
    assert get_entities(target) == ()


def test_no_mentions_and_nobody_said_so_are_both_carried():
    source, target = doc_of(["a"]), doc_of(["a"])
    assert copy_mentions(source, target) == 0
    assert not has_mentions(target)
    set_entities(source, [])
    assert copy_mentions(source, target) == 0
    assert has_mentions(target)


def test_offsets_count_visible_characters():
    """ "Ada" 0-3, a space token 3-3, "was" 3-6."""
    assert char_offsets(doc_of(["Ada", "  ", "was"])) == [(0, 3), (3, 3), (3, 6)]


@st.composite
def two_tokenisations(draw) -> tuple[Doc, Doc]:
    """One visible text, cut twice at random, with white space tokens thrown in; and mentions in the first."""
    text = draw(st.text("abé", min_size=1, max_size=8))
    docs = []
    for _ in range(2):
        cuts = sorted(draw(st.sets(st.integers(1, len(text)))) | {0, len(text)})
        words = [text[a:b] for a, b in pairwise(cuts)]
        for place in draw(st.lists(st.integers(0, len(words)), max_size=2)):
            words.insert(place, draw(st.sampled_from([" ", "\n", "\u00a0"])))
        docs.append(doc_of(words))
    spans = [Span(docs[0], a, b) for a in range(len(docs[0])) for b in range(a + 1, len(docs[0]) + 1)]
    set_entities(docs[0], [[s] for s in spans])
    return docs[0], docs[1]


def place(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """How many visible characters stand before a span and before its end."""
    before, inside = "".join(t.text for t in doc[:start]), "".join(t.text for t in doc[start:end])
    return len("".join(before.split())), len("".join((before + inside).split()))


@settings(deadline=None)
@given(two_tokenisations())
def test_equals_the_slow_twin(docs):
    """Every span of the source against every span of the target that begins and ends visibly."""
    source, target = docs
    n = len(target)
    visible = [not t.text.isspace() for t in target]
    spans = [(a, b) for a in range(n) for b in range(a + 1, n + 1) if visible[a] and visible[b - 1]]
    places = {place(target, *span): span for span in spans}
    mentions = [(m.start, m.end) for m in source.spans[MENTIONS_KEY]]
    same = [t.text for t in source] == [t.text for t in target]
    expected = mentions if same else [places[p] for m in mentions if (p := place(source, *m)) in places]
    n_lost = copy_mentions(source, target)
    assert [(m.start, m.end) for m in target.spans[MENTIONS_KEY]] == expected
    assert n_lost == len(mentions) - len(expected)
