"""`python -m spacy docre priors`: how often labels are true and given, for the loss SSRPU."""

import json

import pytest

from spacy_docre import set_relations
from spacy_docre.label_files import read_priors
from spacy_docre.losses import build_loss
from spacy_docre.readers.shards import write_shard

from ..conftest import make_doc
from ..pipelines import make_hopper_doc
from .test_evaluate import plain, run


def write(path, *, ada, hopper, status):
    docs = [make_doc(), make_hopper_doc()]
    for doc, labels in zip(docs, (ada, hopper)):
        set_relations(doc, [("0", label, "1") for label in labels], status=status)
    write_shard(docs, path)
    return path


@pytest.fixture
def corpora(tmp_path):
    """6 + 6 pairs: "a" is true of 2 and given for 1, "b" is true of 1 and never given."""
    complete = write(tmp_path / "complete.spacy", ada=["a", "b"], hopper=["a"], status="complete")
    return complete, write(tmp_path / "train.spacy", ada=["a"], hopper=[], status="incomplete")


def test_shares_of_pairs(corpora, tmp_path):
    code, text = run("priors", *corpora, tmp_path / "priors.json")
    assert code == 0, text
    written = json.loads((tmp_path / "priors.json").read_text(encoding="utf8"))
    assert written["a"] == {"true": pytest.approx(2 / 12), "labelled": pytest.approx(1 / 12)}
    assert written["b"] == {"true": pytest.approx(1 / 12), "labelled": 0}
    assert list(written) == ["a", "b"]


def test_the_loss_reads_them(corpora, tmp_path):
    run("priors", *corpora, tmp_path / "priors.json")
    assert read_priors(tmp_path / "priors.json", ["b", "a"])[0].tolist() == pytest.approx([1 / 12, 2 / 12])
    build_loss("spacy-docre.SSRPU.v1", priors=tmp_path / "priors.json").bind(["b", "a"])


def test_documents_that_are_not_complete_are_refused(corpora, tmp_path):
    code, text = run("priors", corpora[1], corpora[0], tmp_path / "priors.json")
    assert code == 1
    assert "E104" in text
    assert "'incomplete'" in plain(text)
    assert not (tmp_path / "priors.json").exists()


def test_documents_without_labels_say_nothing_of_them(corpora, tmp_path):
    unlabelled = write(tmp_path / "unlabelled.spacy", ada=[], hopper=[], status="none")
    code, text = run("priors", corpora[0], unlabelled, tmp_path / "priors.json")
    assert code == 1
    assert "E158" in text
    assert not (tmp_path / "priors.json").exists()


def test_no_relations_are_no_priors(tmp_path):
    empty = write(tmp_path / "empty.spacy", ada=[], hopper=[], status="complete")
    code, text = run("priors", empty, empty, tmp_path / "priors.json")
    assert code == 1
    assert "E103" in text
