"""`--labels-are` beside files of labels: nothing that is said is ignored."""

import pytest
import srsly
from spacy.vocab import Vocab

from spacy_docre.annotations import get_label_status
from spacy_docre.cli.conversion import convert_to_spacy
from spacy_docre.readers.shards import read_shard

DOCUMENT = {
    "title": "Ada",
    "sents": [["Ada", "was", "born", "in", "London", "."]],
    "vertexSet": [
        [{"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}],
        [{"name": "London", "sent_id": 0, "pos": [4, 5], "type": "LOC"}],
    ],
    "labels": [],
}


@pytest.fixture
def source(tmp_path):
    srsly.write_json(tmp_path / "documents.json", [DOCUMENT])
    srsly.write_jsonl(tmp_path / "labels.jsonl", [{"title": "Ada", "labels": [{"h": 0, "r": "P19", "t": 1}]}])
    srsly.write_json(tmp_path / "facts.json", [["Ada", "London", "P19"]])
    return tmp_path / "documents.json"


def status_of(path, vocab):
    return get_label_status(next(iter(read_shard(path, vocab))))


@pytest.mark.parametrize("option", [{"distant": "labels.jsonl"}, {"facts": "facts.json"}])
@pytest.mark.parametrize("status", [None, "distant"])
def test_labels_of_a_machine_are_distant(source, option, status):
    files = {name: source.parent / file for name, file in option.items()}
    result = convert_to_spacy(source, source.parent / "out.spacy", status=status, **files)
    assert result.n_relations == 1
    assert status_of(source.parent / "out.spacy", Vocab()) == "distant"


@pytest.mark.parametrize("option", [{"distant": "labels.jsonl"}, {"facts": "facts.json"}])
def test_another_status_is_refused(source, option):
    files = {name: source.parent / file for name, file in option.items()}
    with pytest.raises(ValueError, match=r"docre-E034.*not complete.*Leave --labels-are out"):
        convert_to_spacy(source, source.parent / "out.spacy", status="complete", **files)
    assert not (source.parent / "out.spacy").exists()


def test_without_them_labels_are_complete(source):
    convert_to_spacy(source, source.parent / "out.spacy")
    assert status_of(source.parent / "out.spacy", Vocab()) == "complete"
