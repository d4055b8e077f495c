"""Saved, copied, sent to workers, or with the encoder built in: the same predictions."""

import pickle
import subprocess
import sys

import pytest
import spacy

from ..conftest import make_doc
from ..pipelines import crowd, hash_pipeline, make_hopper_doc, scored, unlabelled
from ..reloading import from_bytes, from_folder, from_pickle


def predictions(nlp) -> list[dict]:
    """Of copies of both documents, as the pipeline's own vocabulary has them."""
    docs = [unlabelled(doc, nlp.vocab) for doc in (make_doc(), make_hopper_doc(), crowd(nlp.vocab, 12))]
    return [scored(doc) for doc in nlp.pipe(docs)]


def assert_same(one, other):
    assert any(one)
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


@pytest.mark.parametrize("reload", [from_folder, from_bytes, from_pickle])
def test_reloaded_pipelines_predict_the_same(trained, tmp_path, reload):
    loaded = reload(trained, tmp_path / "saved")
    assert_same(predictions(loaded), predictions(trained))
    assert loaded.get_pipe("docre_relations").labels == trained.get_pipe("docre_relations").labels


def test_a_component_can_be_saved_and_loaded_alone(hash_nlp, tmp_path):
    hash_nlp.get_pipe("docre_relations").to_disk(tmp_path / "component")
    fresh = hash_pipeline()
    fresh.get_pipe("docre_relations").from_disk(tmp_path / "component")
    assert_same(predictions(fresh), predictions(hash_nlp))


def test_settings_are_saved_with_the_pipeline(hash_nlp, tmp_path, monkeypatch):
    """`spacy find-threshold` and users change them in the config."""
    nlp = from_folder(hash_nlp, tmp_path / "first")
    nlp.to_disk(tmp_path / "second")
    changed = spacy.load(tmp_path / "second", config={"components": {"docre_relations": {"threshold_offset": 1e6}}})
    assert any(predictions(nlp))
    assert not any(predictions(changed))


def test_documents_keep_their_relations_in_bytes_and_pickles(hash_nlp):
    doc = hash_nlp(unlabelled(make_doc(hash_nlp.vocab)))
    copies = [type(doc)(hash_nlp.vocab).from_bytes(doc.to_bytes()), pickle.loads(pickle.dumps(doc))]
    assert scored(doc)
    assert [scored(copy) for copy in copies] == [scored(doc)] * 2


WORKERS = """
import sys
import spacy, torch
sys.path.insert(0, sys.argv[2])
from tests.pipelines import make_hopper_doc, scored, unlabelled
from tests.conftest import make_doc

torch.set_num_threads(2)
nlp = spacy.load(sys.argv[1])
docs = lambda: [unlabelled(d, nlp.vocab) for d in (make_doc(), make_hopper_doc()) * 3]
alone = [scored(doc) for doc in nlp.pipe(docs())]
workers = [scored(doc) for doc in nlp.pipe(docs(), n_process=2, batch_size=2)]
assert all(alone)
assert [d.keys() for d in workers] == [d.keys() for d in alone]
assert all(abs(w[key] - a[key]) < 1e-4 for w, a in zip(workers, alone) for key in a)
print("same")
"""


def test_worker_processes_predict_the_same_and_end(trf_nlp, tmp_path, request):
    """Two torch threads and a forward pass in the parent: forked workers hung on exactly this."""
    trf_nlp.to_disk(tmp_path / "saved")
    command = [sys.executable, "-c", WORKERS, str(tmp_path / "saved"), str(request.config.rootpath)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == "same"


def test_an_encoder_of_its_own_predicts_the_same(trf_nlp, tmp_path):
    """`replace_listeners` copies the encoder into the component; the transformer may go then."""
    nlp = from_folder(trf_nlp, tmp_path / "listening")
    nlp.replace_listeners("transformer", "docre_relations", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert nlp.pipe_names == ["docre_relations"]
    assert_same(predictions(nlp), predictions(trf_nlp))
    assert_same(predictions(from_folder(nlp, tmp_path / "own")), predictions(trf_nlp))
    tok2vec = nlp.config["components"]["docre_relations"]["model"]["tok2vec"]
    assert tok2vec["@architectures"] == "spacy-docre.Tok2VecTransformer.v1"
