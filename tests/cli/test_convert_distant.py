"""`spacy docre convert --distant` and `--facts`: documents labelled by a machine."""

import json
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import get_entities, get_label_status, set_entities
from spacy_docre.annotations import get_title, get_triples
from spacy_docre.scoring.facts import Facts, squeeze

from ..readers.test_docred import changed, record, write
from .test_convert import docs_in, names_in, run, said

BORN, MET = ("Ada", "London", "P19"), ("Babbage", "She", "P737")


def write_jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    return path


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf8")
    return path


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "source.json", *(record(title=t) for t in "abc"))


@pytest.fixture
def labels(tmp_path):
    """For "c" and "a"; "z" is no document."""
    rows = [
        {"title": "c", "labels": [{"h": 1, "r": "P1", "t": 0}]},
        {"title": "z", "labels": []},
        {"title": "a", "labels": []},
    ]
    return write_jsonl(tmp_path / "labels.jsonl", *rows)


def test_distant_labels_are_joined_by_title(source, labels, tmp_path):
    result = run(source, tmp_path / "out.spacy", "--distant", labels)
    assert result.exit_code == 0
    assert said(result, "3 documents, 1 relations")
    assert said(result, f"1 row(s) of {labels} fit no document, the first: 'z'")
    assert said(result, f"label(s) of the documents themselves are left out: those of {labels} take their place")
    docs = docs_in(tmp_path / "out.spacy")
    found = [(get_title(doc), get_label_status(doc), get_triples(doc)) for doc in docs]
    assert found == [("a", "distant", []), ("b", "none", []), ("c", "distant", [("1", "P1", "0")])]


def test_without_unused_rows_nothing_is_warned_of(source, tmp_path):
    labels = write_jsonl(tmp_path / "labels.jsonl", {"title": "b", "labels": []})
    result = run(source, tmp_path / "out", "--distant", labels, "-n", 2)
    assert not said(result, "fit no document")
    assert len(docs_in(tmp_path / "out")) == 3


def test_distant_labels_get_readable_names(source, labels, tmp_path):
    names = write_json(tmp_path / "names.json", {"P1": "country"})
    run(source, tmp_path / "out.spacy", "--distant", labels, "--labels", names)
    assert get_triples(docs_in(tmp_path / "out.spacy")[2]) == [("1", "country", "0")]


def test_bad_rows_leave_nothing_written(source, tmp_path):
    bad = write_jsonl(tmp_path / "labels.jsonl", {"title": "a", "labels": []}, {"title": "a", "labels": []})
    result = run(source, tmp_path / "out.spacy", "--distant", bad)
    assert result.exit_code == 1
    assert said(result, f"{bad}, line 2: 'a' has labels in an earlier line")
    assert names_in(tmp_path) == {"source.json", "labels.jsonl"}


@pytest.mark.parametrize("skip", [True, False])
def test_a_bad_index_is_said_with_the_document(source, tmp_path, skip):
    rows = [{"title": "b", "labels": [{"h": 0, "r": "P1", "t": 7}]}]
    labels = write_jsonl(tmp_path / "labels.jsonl", *rows)
    result = run(source, tmp_path / "out.spacy", "--distant", labels, *["--skip-invalid"] * skip)
    assert result.exit_code == (0 if skip else 1)
    assert said(result, f"{source}, document 2 ('b'): labels[0].t: 7 is out of range")
    assert said(result, f"(labels of {labels}, line 1)")
    assert (tmp_path / "out.spacy").exists() == skip


def test_facts_label_documents_by_any_name_of_both_entities(source, tmp_path):
    """ "She" is one of Ada's names, so Babbage is linked to her; nobody is linked to who is not there."""
    facts = write_json(tmp_path / "facts.json", [BORN, MET, ("Ada", "Paris", "P20"), ("Ada", "She", "P5")])
    result = run(source, tmp_path / "out.spacy", "--facts", facts)
    assert said(result, "3 documents, 6 relations")
    for doc in docs_in(tmp_path / "out.spacy"):
        assert set(get_triples(doc)) == {("0", "P19", "1"), ("2", "P737", "0")}
        assert get_label_status(doc) == "distant"


def test_facts_are_found_whatever_the_white_space(tmp_path):
    source = write(tmp_path / "s.json", changed("sents.0.4", "Lon-don"))
    facts = write_json(tmp_path / "facts.json", [("A da", "Lon - don", "P19")])
    run(source, tmp_path / "out.spacy", "--facts", facts)
    assert get_triples(docs_in(tmp_path / "out.spacy")[0]) == [("0", "P19", "1")]


def test_ids_of_facts_get_readable_names(source, tmp_path):
    """Facts that have readable names already keep them."""
    names = write_json(tmp_path / "names.json", {"P19": "place of birth", "P737": "influenced by"})
    facts = write_json(tmp_path / "facts.json", [BORN, ("Babbage", "Ada", "influenced by")])
    run(source, tmp_path / "out.spacy", "--facts", facts, "--labels", names)
    expected = {("0", "place of birth", "1"), ("2", "influenced by", "0")}
    assert set(get_triples(docs_in(tmp_path / "out.spacy")[0])) == expected


def test_documents_without_a_fact_are_distant_without_relations(tmp_path):
    source = write(tmp_path / "source.json", record(title="a"), changed("sents.0.4", "Paris"))
    facts = write_json(tmp_path / "facts.json", [BORN])
    run(source, tmp_path / "out.spacy", "--facts", facts)
    found = [(get_label_status(d), get_triples(d)) for d in docs_in(tmp_path / "out.spacy")]
    assert found == [("distant", [("0", "P19", "1")]), ("distant", [])]


def test_facts_that_fit_nowhere_are_an_error(source, tmp_path):
    """Head, label and tail, for example, in place of head, tail and label."""
    facts = write_json(tmp_path / "facts.json", [("Ada", "P19", "London")])
    result = run(source, tmp_path / "out.spacy", "--facts", facts)
    assert result.exit_code == 1
    assert said(result, f"E156] No fact of {facts} is between two entities of one of the 3 documents")
    assert names_in(tmp_path) == {"source.json", "facts.json"}


def test_facts_with_unknown_labels_are_an_error(source, tmp_path):
    """As with --distant; names and ids are both known."""
    names = write_json(tmp_path / "names.json", {"P19": "place of birth"})
    facts = write_json(tmp_path / "facts.json", [BORN, ("Ada", "London", "place of birth"), MET])
    result = run(source, tmp_path / "out.spacy", "--facts", facts, "--labels", names)
    assert result.exit_code == 1
    assert said(result, f"{facts}: ")
    assert said(result, "the label 'P737' is not among the names given with --labels")
    assert not (tmp_path / "out.spacy").exists()


def test_rows_of_other_documents_are_an_error(source, tmp_path):
    labels = write_jsonl(tmp_path / "labels.jsonl", {"title": "x", "labels": []}, {"title": "y", "labels": []})
    result = run(source, tmp_path / "out.spacy", "--distant", labels)
    assert result.exit_code == 1
    assert said(result, f"E157] No row of {labels} has the title of a document")
    assert said(result, "'x' there, 'a' here")
    assert not (tmp_path / "out.spacy").exists()


def test_facts_label_documents_that_have_no_labels(tmp_path):
    """Their own labels would be replaced anyway, so they need none."""
    source = write(tmp_path / "bare.json", changed("labels", ...))
    facts = write_json(tmp_path / "facts.json", [BORN])
    result = run(source, tmp_path / "out.spacy", "--facts", facts)
    assert result.exit_code == 0, result.output
    assert get_triples(docs_in(tmp_path / "out.spacy")[0]) == [("0", "P19", "1")]


def test_facts_with_names_do_not_ask_for_names_of_labels_that_are_replaced(source, tmp_path):
    """The documents' own P737 is not among the names, and is not in the output either."""
    names = write_json(tmp_path / "names.json", {"P19": "place of birth"})
    facts = write_json(tmp_path / "facts.json", [BORN])
    result = run(source, tmp_path / "out.spacy", "--facts", facts, "--labels", names)
    assert result.exit_code == 0, result.output


WRONG = {
    "both": (["--distant", "labels.jsonl", "--facts", "facts.json"], "E033"),
    "no such labels": (["--distant", "no.jsonl"], "E024"),
    "no such facts": (["--facts", "no.json"], "E024"),
    "facts in an object": (["--facts", "object.json"], "E101"),
    "facts of two": (["--facts", "two.json"], "E101"),
    "facts that are no JSON": (["--facts", "source.txt"], "E101"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_used_is_said_and_nothing_written(source, labels, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "facts.json", [BORN])
    write_json(tmp_path / "object.json", {})
    write_json(tmp_path / "two.json", [["Ada", "London"]])
    (tmp_path / "source.txt").write_text("text")
    before = names_in(tmp_path)
    result = run(source, "out.spacy", *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert said(result, f"docre-{message}")
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("option", ["--distant", "--facts"])
def test_files_that_are_no_text_end_with_a_message(source, tmp_path, option):
    (tmp_path / "labels").write_bytes(b"\xff\xfe\x00")
    result = run(source, tmp_path / "out.spacy", option, tmp_path / "labels")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert said(result, "Nothing was written")


WORDS = st.sampled_from(["x", "y", "z", "x y"])


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=3), max_size=4),
    st.lists(st.tuples(WORDS, WORDS, st.sampled_from("ab")), max_size=6),
)
def test_facts_between_entities_equal_a_search_of_all_pairs(entities, facts):
    """Names that several entities share link all of them."""
    words, spans = ["."], []
    for names in entities:
        starts = [len(words)]
        for name in names:
            words += name.split()
            starts.append(len(words))
        spans.append(list(pairwise(starts)))
    doc = Doc(Vocab(), words=words)
    set_entities(doc, [[Span(doc, start, end) for start, end in mentions] for mentions in spans])
    squeezed = [{squeeze(m.text) for m in e.mentions} for e in get_entities(doc)]
    expected = {
        (str(head), label, str(tail))
        for head, tail in permutations(range(len(entities)), 2)
        for first, second, label in facts
        if squeeze(first) in squeezed[head] and squeeze(second) in squeezed[tail]
    }
    found = Facts(facts).between(get_entities(doc))
    assert found == sorted(expected)
