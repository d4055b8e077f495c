"""The reader `spacy-docre.Corpus.v1`: shards to examples."""

import warnings

import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_relations, set_entities, set_relations
from spacy_docre.annotations import has_mentions
from spacy_docre.readers import corpus as corpus_module
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.shards import write_shard, write_shards
from tests.conftest import make_doc


@pytest.fixture
def shards(tmp_path):
    """Twenty documents in four files; the words of each are its number and "end"."""
    write_shards((Doc(Vocab(), words=[str(i), "end"]) for i in range(20)), tmp_path, 5)
    return tmp_path


@pytest.fixture
def york(tmp_path):
    """Three entities, two of which are not on the token boundaries of the English tokenizer."""
    doc = Doc(Vocab(), words=["New", "Yo", "rk-based", "firm"], spaces=[True, False, True, False])
    mentions = [Span(doc, i, i + 1, label="X", kb_id=f"Q{i}") for i in (1, 2, 3)]
    set_entities(doc, [[m] for m in mentions], ids=["a", "b", "c"])
    set_relations(doc, [("a", "r", "c")], status="complete")
    write_shard([doc], tmp_path / "york.spacy")
    return tmp_path / "york.spacy"


def numbers(examples: list[Example]) -> list[int]:
    return [int(example.reference[0].text) for example in examples]


def read(path, nlp, **settings) -> list[Example]:
    return list(create_corpus_v1(path, **settings)(nlp))


def test_the_registered_name_reads_a_file(tmp_path, blank, ada):
    write_shard([ada], tmp_path / "ada.spacy")
    (example,) = registry.readers.get("spacy-docre.Corpus.v1")(str(tmp_path / "ada.spacy"))(blank)
    assert get_relations(example.reference) == get_relations(ada)
    assert get_entities(example.predicted) == get_entities(ada)
    assert get_relations(example.predicted) == ()
    assert example.predicted.text == ada.text


def test_every_pass_has_all_documents_in_order(shards, blank):
    corpus = create_corpus_v1(shards)
    assert numbers(corpus(blank)) == numbers(corpus(blank)) == list(range(20))


def test_documents_are_streamed(shards, blank):
    """The first example is there before the broken last file is read."""
    (shards / "00003.spacy").write_bytes(b"broken")
    examples = create_corpus_v1(shards)(blank)
    assert numbers([next(examples) for _ in range(15)]) == list(range(15))
    with pytest.raises(ValueError, match=r"E022.*00003\.spacy"):
        next(examples)


@pytest.mark.parametrize("buffer_size", [1000, 3])
def test_each_epoch_has_another_order_and_a_seed_repeats_them(shards, blank, monkeypatch, buffer_size):
    monkeypatch.setattr(corpus_module, "BUFFER_SIZE", buffer_size)

    def three_epochs(seed: int) -> list[list[int]]:
        corpus = create_corpus_v1(shards, shuffle=True, seed=seed)
        return [numbers(corpus(blank)) for _ in range(3)]

    epochs = three_epochs(seed=1)
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, list(range(20))]}) == 4
    assert three_epochs(seed=1) == epochs
    assert three_epochs(seed=2) != epochs


def test_an_order_does_not_depend_on_other_random_numbers(shards, blank):
    import random

    random.seed(0)
    first = numbers(read(shards, blank, shuffle=True))
    random.seed(1)
    assert numbers(read(shards, blank, shuffle=True)) == first


@pytest.mark.parametrize(("limit", "expected"), [(0, 20), (1, 1), (7, 7), (99, 20)])
def test_limit_is_a_number_of_documents(shards, blank, limit, expected):
    assert numbers(read(shards, blank, limit=limit)) == list(range(expected))


@pytest.mark.parametrize("content", ["no file", "empty file", "documents without tokens"])
def test_an_empty_corpus_is_an_error(tmp_path, blank, content):
    if content != "no file":
        write_shard([] if content == "empty file" else [Doc(Vocab())], tmp_path / "a.spacy")
    with pytest.raises(ValueError, match=r"E021.*No document in .*docre convert"):
        read(tmp_path, blank)


def test_documents_without_tokens_are_left_out(tmp_path, blank):
    write_shard([Doc(Vocab()), make_doc(), Doc(Vocab())], tmp_path / "a.spacy")
    assert len(read(tmp_path, blank)) == 1


def test_a_broken_file_is_said_with_its_path(tmp_path, blank):
    (tmp_path / "a.spacy").write_bytes(b"not a corpus")
    with pytest.raises(ValueError, match=r"E022.*a\.spacy"):
        read(tmp_path, blank)


def test_a_wrong_path_is_an_error(tmp_path, blank):
    with pytest.raises(ValueError, match=r"E024\] No such file: .*nowhere"):
        read(tmp_path / "nowhere", blank)


def test_gold_tokens_are_the_annotated_ones(york, blank):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (example,) = read(york, blank)
    assert [t.text for t in example.predicted] == ["New", "Yo", "rk-based", "firm"]
    assert example.predicted.text == "New York-based firm"
    assert get_entities(example.predicted) == get_entities(example.reference)


def test_without_gold_tokens_lost_mentions_are_counted(york, blank):
    """The tokenizer says New, York, -, based, firm: "Yo" and "rk-based" have no token boundaries."""
    with pytest.warns(UserWarning, match=r"W006.* 2 mention\(s\) in 1 document\(s\)"):
        (example,) = read(york, blank, gold_tokens=False)
    assert [t.text for t in example.predicted] == ["New", "York", "-", "based", "firm"]
    assert [(e.id, e.kb_id, e.name) for e in get_entities(example.predicted)] == [("c", "Q3", "firm")]
    assert [e.id for e in get_entities(example.reference)] == ["a", "b", "c"]


@pytest.mark.parametrize("gold_tokens", [True, False])
def test_without_gold_entities_they_are_left_to_the_pipeline(york, blank, gold_tokens):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (example,) = read(york, blank, gold_tokens=gold_tokens, gold_entities=False)
    assert not has_mentions(example.predicted)
    assert [e.id for e in get_entities(example.reference)] == ["a", "b", "c"]


def test_annotated_with_no_mention_is_not_the_same_as_not_annotated(tmp_path, blank):
    silent, empty = (Doc(Vocab(), words=["a"]) for _ in range(2))
    set_entities(empty, [])
    write_shard([silent, empty], tmp_path / "a.spacy")
    assert [has_mentions(example.predicted) for example in read(tmp_path, blank)] == [False, True]
