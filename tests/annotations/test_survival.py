"""What a Doc keeps on its way through spaCy, and what spaCy itself loses (so that the docs stay true)."""

import pickle
import warnings

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_label_status, get_relations, set_entities, set_relations
from spacy_docre.annotations import MENTIONS_KEY, RELATIONS_KEY, get_title, has_mentions


def rich_doc(vocab: Vocab) -> Doc:
    """Overlapping mentions, one span in two entities, knowledge-base ids, scores, evidence, a title."""
    text = "The Bank of England is in London . It was founded in 1694 ."
    doc = Doc(vocab, words=text.split())
    bank = [Span(doc, 0, 4, label="ORG", kb_id="Q183231"), Span(doc, 8, 9, label="ORG", kb_id="Q183231")]
    england = [Span(doc, 3, 4, label="LOC")]
    london, year = [Span(doc, 6, 7, label="LOC", kb_id="Q84")], [Span(doc, 12, 13, label="TIME")]
    set_entities(doc, [bank, england, london, year, england], ids=["bank", "eng", "ldn", "é", "eng2"])
    place = ("bank", "headquarters", "ldn", 0.1 + 0.2, [(0, 8)])
    set_relations(doc, [place, ("bank", "inception", "é", 0.5, [(8, 14)])], status="incomplete")
    doc.user_data["docre_title"] = "Bank of England"
    return doc


def through_disk(doc: Doc, folder) -> Doc:
    doc.to_disk(folder / "doc")
    return Doc(Vocab()).from_disk(folder / "doc")


def through_workers(doc: Doc, folder) -> Doc:
    nlp = spacy.blank("en")
    docs = list(nlp.pipe([rich_doc(nlp.vocab) for _ in range(3)], n_process=2, batch_size=1))
    assert len(docs) == 3
    return docs[-1]


WAYS = {
    "to_bytes": lambda doc, folder: Doc(Vocab()).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc, folder: next(DocBin(store_user_data=True, docs=[doc]).get_docs(Vocab())),
    "pickle": lambda doc, folder: pickle.loads(pickle.dumps(doc)),
    "copy": lambda doc, folder: doc.copy(),
    "to_disk": through_disk,
    "workers": through_workers,
}
WAYS_BACK = {name: way for name, way in WAYS.items() if name != "workers"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_views_are_equal_afterwards(way, tmp_path):
    doc = rich_doc(Vocab())
    other = way(doc, tmp_path)
    assert other is not doc
    assert get_entities(other) == get_entities(doc)
    assert [e.name for e in get_entities(other)] == [e.name for e in get_entities(doc)]
    assert get_relations(other) == get_relations(doc)
    assert (get_label_status(other), get_title(other)) == ("incomplete", "Bank of England")


@pytest.mark.parametrize("way", WAYS_BACK.values(), ids=WAYS_BACK)
def test_what_comes_back_is_independent(way, tmp_path):
    doc = rich_doc(Vocab())
    before = get_relations(doc), get_entities(doc)
    other = way(doc, tmp_path)
    set_relations(other, [])
    set_entities(other, [])
    assert (get_relations(doc), get_entities(doc)) == before


@pytest.mark.parametrize("way", WAYS_BACK.values(), ids=WAYS_BACK)
def test_an_empty_set_of_mentions_survives_too(way, tmp_path):
    doc = Doc(Vocab(), words=["Nothing", "here"])
    set_entities(doc, [])
    assert has_mentions(way(doc, tmp_path))


@pytest.mark.parametrize("way", WAYS_BACK.values(), ids=WAYS_BACK)
def test_relations_can_be_written_again_after_each_way(way, tmp_path):
    other = way(rich_doc(Vocab()), tmp_path)
    before = get_relations(other)
    set_relations(other, before)
    assert get_relations(way(other, tmp_path)) == before


def test_docbin_brings_lists_back_as_tuples():
    other = WAYS["DocBin"](rich_doc(Vocab()), None)
    assert isinstance(other.user_data[RELATIONS_KEY], tuple)


# Lost by spaCy itself: never relied on.


def ids_of(doc: Doc) -> set[str]:
    return {m.id_ for m in doc.spans[MENTIONS_KEY]}


def kb_ids_of(doc: Doc) -> set[str]:
    return {m.kb_id_ for m in doc.spans[MENTIONS_KEY]}


@pytest.mark.parametrize("direction", ["get_aligned_spans_y2x", "get_aligned_spans_x2y"])
def test_example_alignment_loses_both_ids(direction):
    doc = rich_doc(Vocab())
    example = Example(Doc(doc.vocab, words=[t.text for t in doc]), doc)
    spans = getattr(example, direction)(doc.spans[MENTIONS_KEY], True)
    assert {(s.id_, s.kb_id_) for s in spans} == {("", "")}


def test_example_dicts_lose_entity_ids_and_relations():
    doc = rich_doc(Vocab())
    plain = Doc(doc.vocab, words=[t.text for t in doc])
    other = Example.from_dict(plain, Example(plain, doc).to_dict()).reference
    assert ids_of(other) == {""}
    assert kb_ids_of(other) == kb_ids_of(doc)
    assert RELATIONS_KEY not in other.user_data


def test_doc_json_loses_entity_ids_and_relations():
    doc = rich_doc(Vocab())
    other = Doc(doc.vocab).from_json(doc.to_json())
    assert ids_of(other) == {""}
    assert kb_ids_of(other) == kb_ids_of(doc)
    assert RELATIONS_KEY not in other.user_data


def test_joined_docs_lose_relations_and_merge_equal_entity_ids():
    """Two copies of 5 entities: 5 are left, with the mentions of both."""
    vocab = Vocab()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joined = Doc.from_docs([rich_doc(vocab), rich_doc(vocab)])
    assert RELATIONS_KEY not in joined.user_data
    assert [(e.id, len(e.mentions)) for e in get_entities(joined)] == [
        ("bank", 4), ("eng", 2), ("ldn", 2), ("é", 2), ("eng2", 2)
    ]  # fmt: skip


def test_without_user_data_relations_are_lost_and_entities_stay():
    doc = rich_doc(Vocab())
    in_bin = next(DocBin(store_user_data=False, docs=[doc]).get_docs(Vocab()))
    in_bytes = Doc(Vocab()).from_bytes(doc.to_bytes(exclude=["user_data"]))
    for other in (in_bin, in_bytes):
        assert get_entities(other) == get_entities(doc)
        assert (get_relations(other), get_label_status(other)) == ((), "none")


def test_a_span_as_doc_loses_mentions_and_relations():
    other = rich_doc(Vocab())[0:8].as_doc()
    assert not has_mentions(other)
    assert RELATIONS_KEY not in other.user_data


def test_retokenising_leaves_mentions_at_their_old_token_numbers(ada):
    """Two tokens become one, so all later ones move by 1: London was token 5, which is now the full stop."""
    with ada.retokenize() as retokenizer:
        retokenizer.merge(ada[0:2])
    assert [m.text for m in ada.spans[MENTIONS_KEY]][2] == "."
