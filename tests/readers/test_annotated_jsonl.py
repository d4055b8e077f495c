"""JSONL as `apply` writes it, corrected by hand, to documents that teach."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_docre import get_entities, get_label_status, get_relations, relations_to_json
from spacy_docre.annotations import get_title
from spacy_docre.cli import app
from spacy_docre.readers.annotated_jsonl import read_annotated
from spacy_docre.readers.json_stream import CorpusError
from spacy_docre.readers.shards import read_shard

TEXT = "Ada Lovelace was born in London. Lovelace knew Charles Babbage."


def mention(name: str, start: int) -> dict:
    return {"start_char": start, "end_char": start + len(name)}


def record(**changes) -> dict:
    entities = [
        {"id": "ada", "label": "PER", "mentions": [mention("Ada Lovelace", 0), mention("Lovelace", 33)]},
        {"id": "london", "label": "LOC", "mentions": [mention("London", 25)]},
        {"id": "charles", "label": "PER", "kb_id": "Q46633", "mentions": [mention("Charles Babbage", 47)]},
    ]
    evidence = [{"start_char": 0, "end_char": 32}]
    relations = [{"head": "ada", "label": "P19", "tail": "london", "score": 0.5, "evidence": evidence}]
    relations.append({"head": "ada", "label": "P737", "tail": "charles"})
    return {"text": TEXT, "title": "Ada", "entities": entities, "relations": relations, **changes}


@pytest.fixture(scope="module")
def nlp():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return nlp


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(x) + "\n" for x in records), encoding="utf8")
    return path


def read(path: Path, nlp, **options) -> list:
    return list(read_annotated(path, nlp, status="complete", **options))


def facts(doc) -> list[tuple]:
    return [(r.head.name, r.label_, r.tail.name, r.score, [s.text for s in r.evidence]) for r in get_relations(doc)]


def test_what_is_annotated_is_read(nlp, tmp_path):
    (doc,) = read(write(tmp_path / "a.jsonl", record()), nlp)
    assert (get_title(doc), get_label_status(doc)) == ("Ada", "complete")
    assert [(e.id, e.label, e.kb_id, [m.text for m in e.mentions]) for e in get_entities(doc)] == [
        ("ada", "PER", "", ["Ada Lovelace", "Lovelace"]),
        ("london", "LOC", "", ["London"]),
        ("charles", "PER", "Q46633", ["Charles Babbage"]),
    ]
    assert facts(doc) == [
        ("Ada Lovelace", "P19", "London", 0.5, ["Ada Lovelace was born in London."]),
        ("Ada Lovelace", "P737", "Charles Babbage", 1.0, []),
    ]
    assert [s.text for s in doc.sents] == [TEXT[:32], TEXT[33:]]
    assert [(e.text, e.label_) for e in doc.ents][:2] == [("Ada Lovelace", "PER"), ("London", "LOC")]


def test_what_was_written_comes_back(nlp, tmp_path):
    (doc,) = read(write(tmp_path / "a.jsonl", record()), nlp)
    written = relations_to_json(doc)
    (again,) = read(write(tmp_path / "b.jsonl", written), nlp)
    assert relations_to_json(again) == written


def test_labels_get_readable_names(nlp, tmp_path):
    """Those that are readable already stay."""
    relations = [*record()["relations"], {"head": "charles", "label": "knows", "tail": "ada"}]
    path = write(tmp_path / "a.jsonl", record(relations=relations))
    (doc,) = read(path, nlp, names={"P19": "place of birth", "P737": "influenced by", "P0": "knows"})
    assert [r.label_ for r in get_relations(doc)] == ["place of birth", "influenced by", "knows"]
    with pytest.raises(CorpusError, match=r"line 1.*relations\[1\]\.label: .*'P737' is not among the names"):
        read(path, nlp, names={"P19": "place of birth", "P0": "knows"})


def relation(**changes) -> dict:
    return record(relations=[{"head": "ada", "label": "P19", "tail": "london", **changes}])


WRONG = {
    "no relations": ({"text": TEXT, "entities": []}, "'entities' and 'relations' must be lists"),
    "no entities": ({"text": TEXT, "relations": []}, "'entities' and 'relations' must be lists"),
    "no text": (record(text=None), "'text' must be a string, found null .`docre apply --no-text` leaves texts out"),
    "two entities in one token": (
        record(
            entities=[
                {"label": "PER", "mentions": [{"start_char": 0, "end_char": 1}]},
                {"label": "PER", "mentions": [{"start_char": 1, "end_char": 3}]},
            ],
            relations=[],
        ),
        r"entities\[0\] and entities\[1\] have mentions in one token, 'Ada'.*--lang",
    ),
    "no object": ([1], "expected an object"),
    "an unknown entity": (relation(tail="paris"), r"relations\[0\]\.tail: no entity has the id 'paris'"),
    "an entity that is a number": (relation(head=0), r"relations\[0\]\.head: no entity has the id 0"),
    "a text that has moved": (
        record(entities=[{"label": "PER", "mentions": [{**mention("Ada", 1), "text": "Ada"}]}], relations=[]),
        r"entities\[0\]\.mentions\[0\]: its 'text' is 'Ada', but 'da ' stands there",
    ),
    "an entity's type changed": (
        record(entities=[{"label": "ORG", "mentions": [{**mention("Ada", 0), "label": "PER"}]}], relations=[]),
        r"entities\[0\]\.label: is 'ORG', but its mentions have 'PER'",
    ),
    "a list of types": (
        record(entities=[{"label": ["PER"], "mentions": [{**mention("Ada", 0), "label": "PER"}]}], relations=[]),
        r"entities\[0\]\.label: expected a text",
    ),
    "itself": (relation(tail="ada"), "docre-E002"),
    "no label": (relation(label=""), r"relations\[0\]\.label: expected a text"),
    "a list of labels": (relation(label=["P19"]), r"relations\[0\]\.label: expected a text"),
    "half a character": (relation(label="\ud800"), r"relations\[0\]\.label: expected a text"),
    "no head": (record(relations=[{"label": "x", "tail": "ada"}]), r"relations\[0\]: expected an object with 'head'"),
    "no relation": (record(relations=["x"]), r"relations\[0\]: expected an object"),
    "a score above 1": (relation(score=2), r"relations\[0\]\.score: expected a number from 0 to 1"),
    "a score of 400 digits": (relation(score=10**400), r"relations\[0\]\.score: expected a number"),
    "a score that is a text": (relation(score="0.5"), r"relations\[0\]\.score: expected a number"),
    "evidence that is no list": (relation(evidence="here"), r"relations\[0\]\.evidence: expected a list"),
    "evidence outside": (
        relation(evidence=[{"start_char": 0, "end_char": 999}]),
        r"relations\[0\]\.evidence\[0\]: expected 'start_char' and 'end_char' within the text's 63 characters",
    ),
    "evidence without places": (relation(evidence=[{"text": "x"}]), r"relations\[0\]\.evidence\[0\]"),
    "ids that are numbers": (
        record(entities=[{"id": 7, "label": "PER", "mentions": [mention("Ada", 0)]}], relations=[]),
        "the 'id' of each entity must be a text",
    ),
    "one id twice": (record(entities=[record()["entities"][0]] * 2, relations=[]), "must be a text, and no other's"),
}


@pytest.mark.parametrize("names", [None, {"P19": "place of birth", "x": "x"}], ids=["", "with names"])
@pytest.mark.parametrize(("wrong", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_line(nlp, tmp_path, wrong, said, names):
    last = {**relation(), "title": "last"}
    path = write(tmp_path / "a.jsonl", relation(), wrong, last)
    with pytest.raises(CorpusError, match=said) as error:
        read(path, nlp, names=names)
    assert f"{path}, line 2" in str(error.value)
    problems: list[CorpusError] = []
    assert [get_title(doc) for doc in read(path, nlp, names=names, on_invalid=problems.append)] == ["Ada", "last"]
    assert [p.place for p in problems] == [f"{path}, line 2"]


def convert(*args: object):
    return CliRunner().invoke(app, ["convert", *map(str, args)])


def test_the_command_takes_it(tmp_path):
    path = write(tmp_path / "a.jsonl", record(), "no object")
    result = convert(path, tmp_path / "a.spacy", "--skip-invalid", "--labels-are", "incomplete")
    assert result.exit_code == 0, result.output
    (doc,) = read_shard(tmp_path / "a.spacy", Vocab())
    assert get_label_status(doc) == "incomplete"
    assert [fact[:3] for fact in facts(doc)] == [
        ("Ada Lovelace", "P19", "London"),
        ("Ada Lovelace", "P737", "Charles Babbage"),
    ]


def test_the_language_cuts_the_text(tmp_path):
    """Chinese characters are tokens of their own in spaCy's plain pipeline."""
    text = "鲁迅生于绍兴。"
    places = [{"start_char": 0, "end_char": 2}, {"start_char": 4, "end_char": 6}]
    entities = [{"label": "PER", "mentions": places[:1]}, {"label": "LOC", "mentions": places[1:]}]
    relations = [{"head": "0", "label": "出生地", "tail": "1"}]
    path = write(tmp_path / "zh.jsonl", {"text": text, "entities": entities, "relations": relations})
    assert convert(path, tmp_path / "zh.spacy", "--lang", "zh").exit_code == 0
    (doc,) = read_shard(tmp_path / "zh.spacy", Vocab())
    assert [fact[:3] for fact in facts(doc)] == [("鲁迅", "出生地", "绍兴")]
    assert len(doc) == 7


def test_mentions_that_are_no_whole_tokens_are_counted(tmp_path):
    """Also the other way round: two entities may share a whole mention."""
    ada = {"label": "PER", "mentions": [mention("Ada Love", 0), mention("Lovelace", 33)]}
    place = {"label": "LOC", "mentions": [mention("London", 25)]}
    relations = [{"head": "0", "label": "P19", "tail": "1"}]
    path = write(tmp_path / "a.jsonl", record(entities=[ada, place, {**place, "label": "ORG"}], relations=relations))
    result = convert(path, tmp_path / "a.spacy")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "1 mention(s) were widened to whole tokens" in said
    assert "line 1, entities[0].mentions[0]: 'Ada Love' is 'Ada Lovelace'" in said
    assert "Labels are taken as complete" in said
    (doc,) = read_shard(tmp_path / "a.spacy", Vocab())
    assert [fact[:3] for fact in facts(doc)] == [("Ada Lovelace", "P19", "London")]


@pytest.mark.parametrize(("options", "said"), [(["--lang", "xx-none"], "xx-none"), (["--no-spaces"], "docre-E140")])
def test_options_that_do_not_fit_are_said(tmp_path, options, said):
    path = write(tmp_path / "a.jsonl", record())
    result = convert(path, tmp_path / "a.spacy", *options)
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / "a.spacy").exists()
