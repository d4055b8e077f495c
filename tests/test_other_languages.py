"""Languages without spaces, and from right to left: from DocRED JSON to relations in the right place of a text."""

import json
import re
from pathlib import Path

import pytest
import spacy
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import Doc

from spacy_docre import get_entities, get_relations
from spacy_docre.annotations import relations_to_json
from spacy_docre.readers.documents import read_inputs
from spacy_docre.readers.shards import read_shard

from .cli.test_evaluate import run

CONFIG = Path(__file__).parent.parent / "configs" / "docre_tok2vec.cfg"
CHINESE = {
    "title": "鲁迅",
    "marked": "[0:鲁迅]出生在[1:绍兴]。[0:他]在[2:北京大学]教书，[2:北京大学]在[3:北京]。",
    "types": ["PER", "LOC", "ORG", "LOC"],
    "relations": [(0, "出生地", 1), (0, "雇主", 2), (2, "位于", 3)],
}
CHINESE_TOO = {
    "title": "老舍",
    "marked": "[0:老舍]死在[1:北京]。[0:他]在[2:齐鲁大学]教书，[2:齐鲁大学]在[3:济南]。𠮷。",
    "types": ["PER", "LOC", "ORG", "LOC"],
    "relations": [(0, "死亡地", 1), (0, "雇主", 2), (2, "位于", 3)],
}
HEBREW = {
    "title": "עגנון",
    "marked": "[0:שמואל יוסף עגנון] נולד בעיר [1:בוצ'אץ']. [0:הוא] גר ב[2:ירושלים] מ-[3:1924].",
    "types": ["PER", "LOC", "LOC", "TIME"],
    "relations": [(0, "מקום לידה", 1), (0, "מקום מגורים", 2)],
}
ARABIC = {
    "title": "نجيب محفوظ",
    "marked": "ولد [0:نجيب محفوظ] في [1:القاهرة]. كتب [0:مَحْفوظ] رواية [2:زقاق المدق] عام [3:1947].",
    "types": ["PER", "LOC", "MISC", "TIME"],
    "relations": [(0, "مكان الولادة", 1), (2, "مؤلف", 0), (2, "تاريخ النشر", 3)],
}
TEXTS = [("zh", CHINESE), ("zh", CHINESE_TOO), ("he", HEBREW), ("ar", ARABIC)]
TITLES = [record["title"] for _, record in TEXTS]


def text_of(record: dict) -> str:
    return re.sub(r"\[\d:(.*?)\]", r"\1", record["marked"])


def mentions_of(record: dict) -> list[list[tuple[int, int]]]:
    """Where the text has the mentions of each entity: start and end in characters."""
    found: list[list[tuple[int, int]]] = [[] for _ in record["types"]]
    for i, match in enumerate(re.finditer(r"\[(\d):(.*?)\]", record["marked"])):
        start = match.start() - 4 * i  # "[0:" and "]" of those before
        found[int(match[1])].append((start, start + len(match[2])))
    return found


def tokenised(lang: str, record: dict) -> Doc:
    nlp = spacy.blank(lang)
    nlp.add_pipe("sentencizer")
    return nlp(text_of(record))


def docred(lang: str, record: dict) -> dict:
    """DocRED's format. Mentions within a token, behind a Hebrew preposition, are the token."""
    doc = tokenised(lang, record)
    sents = list(doc.sents)
    entities = []
    for places, label in zip(mentions_of(record), record["types"]):
        entities.append([])
        for start, end in places:
            m = doc.char_span(start, end, alignment_mode="expand")
            sent_id = sents.index(m.sent)
            pos = [m.start - m.sent.start, m.end - m.sent.start]
            entities[-1].append({"name": " ".join(t.text for t in m), "pos": pos, "sent_id": sent_id, "type": label})
    return {
        "title": record["title"],
        "sents": [[t.text for t in sent] for sent in sents],
        "vertexSet": entities,
        "labels": [{"h": h, "t": t, "r": r, "evidence": [0]} for h, r, t in record["relations"]],
    }


def write(path: Path, records: list[dict]) -> Path:
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf8")
    return path


def bare(text: str) -> str:
    """Without spaces, which tokens of DocRED have between each other in every language."""
    return "".join(text.split())


def test_the_mentions_of_these_documents():
    assert text_of(CHINESE)[8:9] == "他"
    for _, record in TEXTS:
        text = text_of(record)
        marked = re.findall(r"\[(\d):(.*?)\]", record["marked"])
        assert sorted((str(i), text[s:e]) for i, x in enumerate(mentions_of(record)) for s, e in x) == sorted(marked)


@pytest.mark.parametrize(("lang", "record"), TEXTS, ids=TITLES)
def test_converted_there_and_back(lang, record, tmp_path):
    source = write(tmp_path / "in.json", [docred(lang, record)])
    assert run("convert", source, tmp_path / "train.spacy")[0] == 0
    assert run("convert", tmp_path / "train.spacy", tmp_path / "out.json")[0] == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf8")) == [docred(lang, record)]


@pytest.mark.parametrize(("lang", "record"), TEXTS, ids=TITLES)
def test_offsets_of_converted_documents(lang, record, tmp_path):
    """Each mention's characters are its words, and each evidence the first sentence."""
    run("convert", write(tmp_path / "in.json", [docred(lang, record)]), tmp_path / "train.spacy")
    (doc,) = read_shard(tmp_path / "train.spacy", spacy.blank(lang).vocab)
    graph = relations_to_json(doc)
    names = [bare(m["name"]) for entity in docred(lang, record)["vertexSet"] for m in entity]
    spans = [(m["start_char"], m["end_char"]) for e in graph["entities"] for m in e["mentions"]]
    assert [bare(graph["text"][start:end]) for start, end in spans] == names
    sentence = bare(next(tokenised(lang, record).sents).text)
    for relation in graph["relations"]:
        ((start, end),) = [(e["start_char"], e["end_char"]) for e in relation["evidence"]]
        assert bare(graph["text"][start:end]) == sentence


@pytest.mark.parametrize(("lang", "record"), TEXTS, ids=TITLES)
def test_the_pipelines_tokens_fit_the_mentions(lang, record, tmp_path):
    """Of the text that DocRED's tokens make with spaces."""
    run("convert", write(tmp_path / "in.json", [docred(lang, record)]), tmp_path / "train.spacy")
    code, text = run("debug-data", tmp_path / "train.spacy", "--lang", lang)
    assert code == 0
    assert "no tokens of this tokenizer" not in text


def line(record: dict, before: str = "") -> str:
    """For JSONL: the text, which may begin with something more, and its entities by characters."""
    n = len(before)
    entities = [
        {"label": label, "mentions": [{"start_char": s + n, "end_char": e + n} for s, e in places]}
        for label, places in zip(record["types"], mentions_of(record))
    ]
    row = {"text": before + text_of(record), "title": record["title"], "entities": entities}
    return json.dumps(row, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("before", ["", "\u200f"], ids=["plain", "right-to-left mark"])
@pytest.mark.parametrize(("lang", "record"), TEXTS, ids=TITLES)
def test_entities_given_by_characters(lang, record, before, tmp_path):
    """They are where they were given, or around it if that is within a token."""
    (tmp_path / "in.jsonl").write_text(line(record, before), encoding="utf8")
    (item,) = read_inputs(tmp_path / "in.jsonl", spacy.blank(lang))
    given = [m for entity in mentions_of(record) for m in entity]
    found = [(m.start_char - len(before), m.end_char - len(before)) for e in get_entities(item.doc) for m in e.mentions]
    assert len(found) == len(given)
    assert all(a <= start and end <= b for (a, b), (start, end) in zip(found, given))
    if lang == "zh" and not before:
        assert found == given


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A pipeline that has learned the two Chinese documents from their JSON."""
    folder = tmp_path_factory.mktemp("zh")
    source = write(folder / "in.json", [docred("zh", CHINESE), docred("zh", CHINESE_TOO)])
    assert run("convert", source, folder / "train.spacy")[0] == 0
    rates = {"learn_rate": 0.003, "head_learn_rate": 0.003, "schedule.warmup_steps": 1}
    options = {f"training.optimizer.{name}": rate for name, rate in rates.items()}
    options |= {"paths.train": str(folder / "train.spacy"), "paths.dev": str(folder / "train.spacy"), "nlp.lang": "zh"}
    options |= {"training.max_steps": 40, "training.eval_frequency": 40, "training.dropout": 0.0}
    train(CONFIG, folder / "model", overrides=options)
    return folder


@pytest.fixture
def nlp(folder) -> Language:
    return spacy.load(folder / "model" / "model-last")


def test_a_chinese_pipeline_finds_what_it_has_learned(folder, tmp_path):
    """In texts without a space, with all places in characters of these texts."""
    records = [CHINESE_TOO, CHINESE]
    (tmp_path / "in.jsonl").write_text("".join(map(line, records)), encoding="utf8")
    code, _ = run("apply", folder / "model" / "model-last", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert code == 0
    graphs = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text(encoding="utf8").split("\n")[:-1]]
    for record, graph in zip(records, graphs, strict=True):
        assert graph["title"] == record["title"]
        assert graph["text"] == text_of(record)
        places = [[(m["start_char"], m["end_char"]) for m in e["mentions"]] for e in graph["entities"]]
        assert places == mentions_of(record)
        found = {(int(r["head"]), r["label"], int(r["tail"])) for r in graph["relations"]}
        assert found == set(record["relations"])
        sentences = [sent.text for sent in tokenised("zh", record).sents]
        for e in (e for r in graph["relations"] for e in r["evidence"]):
            assert e["text"] == text_of(record)[e["start_char"] : e["end_char"]]
            assert e["text"] in sentences


def test_a_chinese_text_file(nlp, tmp_path):
    """A ruler and rules find the names; the university stands in the text twice, and Beijing also within it."""
    names = {"鲁迅": "PER", "他": "PER", "绍兴": "LOC", "北京大学": "ORG", "北京": "LOC"}
    nlp.add_pipe("docre_entities", first=True)
    patterns = [{"label": label, "pattern": name} for name, label in names.items()]
    nlp.add_pipe("entity_ruler", first=True).add_patterns(patterns)
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "in.txt").write_text(text_of(CHINESE), encoding="utf8")
    assert run("apply", tmp_path / "model", tmp_path / "in.txt", tmp_path / "out.spacy")[0] == 0
    (doc,) = read_shard(tmp_path / "out.spacy", nlp.vocab)
    places = [[(m.start_char, m.end_char) for m in e.mentions] for e in get_entities(doc)]
    assert sorted(places) == sorted([[(0, 2)], [(8, 9)], *mentions_of(CHINESE)[1:]])
    assert [e.name for e in get_entities(doc)] == ["鲁迅", "绍兴", "他", "北京大学", "北京"]
    assert ("北京大学", "位于", "北京") in {(r.head.name, r.label_, r.tail.name) for r in get_relations(doc)}
