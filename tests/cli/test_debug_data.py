"""`python -m spacy docre debug-data`: what it prints, what it writes, and what it can't read."""

import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import set_entities, set_relations
from spacy_docre.annotations import RELATIONS_KEY, TITLE_KEY
from spacy_docre.readers.manifest import Manifest
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..pipelines import make_hopper_doc
from .test_evaluate import plain, run


def titled(doc: Doc, title: str) -> Doc:
    doc.user_data[TITLE_KEY] = title
    return doc


def save(path, *docs):
    path.parent.mkdir(exist_ok=True)
    write_shard(docs, path)
    return path


def long_doc(title: str, n_words: int = 40, changed: int | None = None, types=("X", "X")) -> Doc:
    """Two entities, and words of which one may be changed."""
    words = [f"w{i}" if i != changed else "other" for i in range(n_words)]
    doc = Doc(Vocab(), words=words)
    set_entities(doc, [[Span(doc, i, i + 1, label=label)] for i, label in enumerate(types)])
    set_relations(doc, [("0", "r", "1")], status="complete")
    return titled(doc, title)


@pytest.fixture
def train(tmp_path):
    return save(tmp_path / "train.spacy", titled(make_doc(), "Ada"), titled(make_hopper_doc(), "Hopper"))


@pytest.fixture
def dev(tmp_path):
    """One document of training by another title, and one by the same title."""
    return save(tmp_path / "dev.spacy", titled(make_doc(), "Lovelace"), long_doc("Hopper"))


def cells(text: str) -> dict[str, list[str]]:
    """The tables' rows by their title."""
    rows = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in text.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def debug(*args) -> str:
    code, text = run("debug-data", *args)
    assert code == 0
    return text


def test_counts_by_hand(train, dev):
    """13 and 12 tokens; 13 and 40. 12 pairs and 6 relations; 6 + 2 pairs and 3 + 1 relations."""
    table = cells(debug(train, dev))
    assert table["Documents"] == ["2", "2"]
    assert table["by label status"] == ["2 complete", "2 complete"]
    assert table["with soft labels of a teacher"] == ["0", "0"]
    assert table["with sentence boundaries"] == ["2", "1"]
    assert table["Tokens per document, the most"] == ["12.5, 13", "26.5, 40"]
    assert table["Entities per document, the most"] == ["3.0, 3", "2.5, 3"]
    assert table["Mentions per document"] == ["4.0", "3.0"]
    assert table["Pairs per document"] == ["6.0", "4.0"]
    assert table["Relations per document"] == ["3.0", "2.0"]
    assert table["pairs that have one"] == ["50.0 %", "50.0 %"]
    assert table["with evidence"] == ["16.7 %", "25.0 %"]
    assert table["Entity types"] == ["PER 3, LOC 2, ORG 1", "PER 2, X 2, LOC 1"]
    assert table["Labels"] == ["5", "3"]
    assert table["colleague"] == ["2", "2"]
    assert table["founder of"] == ["1", "0"]


def test_without_sentence_boundaries_nobody_knows_what_is_in_one_sentence(tmp_path):
    assert cells(debug(save(tmp_path / "train.spacy", long_doc("a"))))["named in one sentence"] == ["-"]


def test_pairs_that_have_several_relations_are_one_pair(tmp_path):
    """Of two pairs, one has both."""
    doc = long_doc("a")
    set_relations(doc, [("0", "r", "1"), ("0", "s", "1")], status="complete")
    assert cells(debug(save(tmp_path / "train.spacy", doc)))["pairs that have one"] == ["50.0 %"]


def test_one_part_alone(train):
    text = debug(train)
    assert cells(text)["Documents"] == ["2"]
    assert cells(text)["named in one sentence"] == ["100.0 %"]
    assert "near-duplicates within training" in text
    assert "in both" not in text
    assert f"{train}: all mentions and relations are in order" in plain(text)


def test_labels_and_types_of_dev_that_training_lacks(train, dev):
    text = plain(debug(train, dev))
    assert "1 labels are not in training, so they can't be found: r" in text
    assert "Entity types that are not in training: X" in text
    assert "not in training" not in plain(debug(dev, dev))


def test_rare_labels(train, tmp_path):
    """20 relations are enough."""
    many = save(tmp_path / "many.spacy", *(long_doc(str(i), 2 + i) for i in range(20)))
    assert "5 of 5 labels have fewer than 20 relations in training: place of birth," in plain(debug(train))
    assert "have fewer than" not in debug(many)


def test_many_labels_are_cut_in_the_middle(tmp_path):
    """The six most and the six least frequent of 15: l00 has 15 relations, l14 one."""
    docs = []
    for i in range(15):
        docs.append(long_doc(str(i), 10 + i))
        set_relations(docs[-1], [("0", f"l{j:02}", "1") for j in range(i + 1)], status="complete")
    table = cells(debug(save(tmp_path / "train.spacy", *docs)))
    shown = {name: counts for name, counts in table.items() if name.startswith("l") and name[1:].isdigit()}
    assert shown == {f"l{j:02}": [str(15 - j)] for j in (*range(6), *range(9, 15))}


def test_shared_titles_and_copied_documents(train, dev):
    text = plain(debug(train, dev))
    assert "1 titles in both: Hopper" in text
    assert "1 near-duplicates in both: 'Ada' and 'Lovelace' (100 %)" in text
    assert "No near-duplicates within training" in text


def test_a_copy_with_a_changed_word(tmp_path):
    """25 of 33 sequences of 8 words are left; a text of other words is none."""
    other = titled(make_doc(), "other")
    train = save(tmp_path / "train.spacy", long_doc("a"), other, long_doc("copy", changed=20))
    assert "1 near-duplicates within training: 'a' and 'copy' (76 %)" in plain(debug(train))


def test_nothing_shared(train, tmp_path):
    text = plain(debug(train, save(tmp_path / "dev.spacy", long_doc("x"))))
    assert "No titles in both" in text
    assert "No near-duplicates in both" in text


def with_problems(title: str) -> Doc:
    doc = Doc(Vocab(), words=["Yo", "rk", "fell", "."], spaces=[False, True, False, False])
    x, y, other = (Span(doc, start, end, label="X") for start, end in ((0, 1), (0, 3), (0, 1)))
    set_entities(doc, [[x], [y], [Span(doc, 2, 3)], [other]])
    set_relations(doc, [("0", "r", "1"), ("0", "r", "1")])
    return titled(doc, title)


FOUND = {
    "documents with mentions that are no tokens of this tokenizer": ": 2",
    "entities without a type": ": 'fell'",
    "mentions longer than the encoder's window": ": 'York fell'",
    "mentions of two entities": ": 'Yo'",
    "relations given twice": ": 'Yo' -r-> 'York fell'",
    "documents with relations whose label status is none": "",
}


def test_problems_are_named_with_their_places(tmp_path):
    path = save(tmp_path / "train.spacy", with_problems("bad"), long_doc("good"), with_problems("worse"))
    text = plain(debug(path, "--window", 2))
    for problem, place in FOUND.items():
        assert f"2 {problem}, as in 'bad'{place}, 'worse'{place}" in text, problem
    assert "all mentions and relations are in order" not in text


def test_three_places_are_shown_and_all_when_asked(tmp_path):
    path = save(tmp_path / "train.spacy", *(long_doc(f"t{i}", types=("X", "")) for i in range(5)))
    places = [f"'t{i}': 'w1'" for i in range(5)]
    assert f"5 entities without a type, as in {', '.join(places[:3])}, …" in plain(debug(path))
    text = plain(debug(path, "--verbose"))
    assert f"5 entities without a type, as in {', '.join(places)}" in text
    assert "…" not in text


def test_documents_longer_than_the_window(train):
    text = plain(debug(train, "--window", 12))
    assert "the longest document has 13 tokens; windows of 12 are read in strides" in text
    assert "strides" not in debug(train, "--window", 13)


@pytest.mark.parametrize("status", ["distant", "incomplete", "none"])
def test_label_status(train, tmp_path, status):
    """Nothing says what does not hold, if this is all there is to train on; and such documents can't be scored."""
    doc = make_doc()
    set_relations(doc, [], status=status)
    other = save(tmp_path / "other.spacy", titled(doc, "x"))
    assert "nothing says where a relation does not hold" in plain(debug(other))
    text = plain(debug(train, other))
    assert "can't be scored" in text
    assert "does not hold" not in text


def test_the_tokenizer_of_another_language(tmp_path):
    """In Chinese each character is a token, and none is part of one."""
    words = list("北京在中国")
    doc = Doc(Vocab(), words=words, spaces=[False] * 5)
    set_entities(doc, [[Span(doc, 0, 2, label="X")], [Span(doc, 3, 5, label="X")]])
    set_relations(doc, [], status="complete")
    path = save(tmp_path / "train.spacy", titled(doc, "zh"))
    lost = "1 documents with mentions that are no tokens of this tokenizer, as in 'zh': 2"
    assert lost in plain(debug(path))
    assert lost not in plain(debug(path, "--lang", "zh"))
    spacy.blank("zh").to_disk(tmp_path / "zh")
    assert lost not in plain(debug(path, "--model", tmp_path / "zh"))


def test_the_file_has_all_counts(train, dev, tmp_path):
    output = tmp_path / "new" / "counts.json"
    assert str(output) in "".join(debug(train, dev, "--output", output).split("\n"))
    saved = srsly.read_json(output)
    assert set(saved) == {"train", "dev", "shared"}
    assert saved["train"]["name"] == str(train)
    assert (saved["train"]["n_docs"], saved["train"]["n_relations"], saved["dev"]["n_tokens"]) == (2, 6, 53)
    assert saved["train"]["labels"]["colleague"] == 2
    assert saved["dev"]["types"] == {"PER": 2, "LOC": 1, "X": 2}
    assert saved["train"]["problems"] == {}
    assert saved["shared"]["titles in both"] == ["Hopper"]
    assert saved["shared"]["near-duplicates in both"] == [["Ada", "Lovelace", 1]]
    assert saved["shared"]["near-duplicates within training"] == []
    debug(train, "--output", output)
    assert set(srsly.read_json(output)) == {"train", "shared"}


def test_a_folder_of_files(tmp_path):
    save(tmp_path / "train" / "0.spacy", long_doc("a"))
    save(tmp_path / "train" / "1.spacy", make_doc())
    assert cells(debug(tmp_path / "train"))["Documents"] == ["2"]


def bad_shard(folder):
    (folder / "bad.spacy").write_bytes(b"no document")
    return folder / "bad.spacy"


def empty_folder(folder):
    (folder / "bad").mkdir()
    return folder / "bad"


@pytest.mark.parametrize(("make", "code"), [(bad_shard, "docre-E022"), (empty_folder, "docre-E021")])
@pytest.mark.parametrize("part", ["train", "dev"])
def test_what_cannot_be_read_ends_with_a_message_and_exit_code_1(train, tmp_path, make, code, part):
    bad = make(tmp_path)
    args = (bad, train) if part == "train" else (train, bad)
    exit_code, text = run("debug-data", *args, "--output", tmp_path / "counts.json")
    assert exit_code == 1
    assert "Can't read the data" in text
    assert code in text
    assert bad.name in plain(text)
    assert not (tmp_path / "counts.json").exists()


def broken(title: str) -> Doc:
    """A relation of an entity that is not there, as other programs may write it."""
    doc = long_doc(title)
    doc.user_data[RELATIONS_KEY][0]["tail"] = "7"
    return doc


def test_relations_of_unknown_entities_are_said_with_their_place(tmp_path):
    _, text = run("debug-data", save(tmp_path / "train.spacy", long_doc("good"), broken("bad")))
    assert "'bad'" in plain(text)
    assert "docre-E001" in text


def test_a_file_that_is_not_there(train, tmp_path):
    code, text = run("debug-data", train, tmp_path / "nothing.spacy")
    assert code == 2
    assert "does not exist" in plain(text)


def test_a_pipeline_that_is_not_there(train):
    code, text = run("debug-data", train, "--model", "no_such_pipeline")
    assert code == 1
    assert "no_such_pipeline" in text


def test_a_language_that_is_not_there(train):
    code, text = run("debug-data", train, "--lang", "qq")
    assert code == 1
    assert "qq" in text


def test_a_folder_that_is_not_finished(train, tmp_path):
    """As training would."""
    (tmp_path / "soft").mkdir()
    Manifest({}, ["colleague"]).write(tmp_path / "soft")
    code, text = run("debug-data", train, tmp_path / "soft")
    assert code == 1
    assert "docre-E114" in text


def test_counts_do_not_replace_a_file_of_somebody_else(train, tmp_path):
    (tmp_path / "mine.json").write_text('{"P19": "place of birth"}', encoding="utf8")
    code, text = run("debug-data", train, "--output", tmp_path / "mine.json")
    assert code == 1
    assert "docre-E161" in text
    assert debug(train, "--output", tmp_path / "counts.json") == debug(train, "--output", tmp_path / "counts.json")
