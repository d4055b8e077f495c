"""`[initialize.after_init] copy_weights`: fine-tuning starts from a trained pipeline, with the settings of its own."""

import numpy as np
import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.training.initialize import init_nlp
from spacy.util import registry
from thinc.api import Config

from spacy_docre import set_relations
from spacy_docre.readers.shards import write_shard
from spacy_docre.training.callbacks import create_copy_weights_v1

from ..conftest import make_doc
from ..pipelines import (
    hash_pipeline,
    make_hopper_doc,
    overfit,
    scored,
    transformer_pipeline,
    triples,
    unlabelled,
)

NAME = "spacy-docre.copy_weights.v1"
ZLPR = {"@losses": "spacy-docre.ZLPR.v1"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A pipeline that has learned two documents."""
    nlp = hash_pipeline()
    overfit(nlp)
    folder = tmp_path_factory.mktemp("source")
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def trf_source(tmp_path_factory, encoder):
    nlp = transformer_pipeline(encoder)
    overfit(nlp, steps=20)
    folder = tmp_path_factory.mktemp("trf_source")
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def corpus(tmp_path):
    write_shard([make_doc(), make_hopper_doc()], tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def finetune_config(nlp, source, corpus, *, components=("docre_relations",), **training) -> Config:
    config = nlp.config.copy()
    reader = {"@readers": "spacy-docre.Corpus.v1", "path": str(corpus)}
    config["corpora"] = {"train": reader, "dev": reader}
    config["initialize"]["after_init"] = {"@callbacks": NAME, "source": str(source), "components": list(components)}
    config["training"] = {**config["training"], "optimizer": {"@optimizers": "spacy-docre.AdamW.v1"}, **training}
    return Config(config)


def started(nlp, source, corpus, **settings) -> spacy.Language:
    """As `spacy train` has it before its first step."""
    return init_nlp(finetune_config(nlp, source, corpus, **settings))


def predictions(nlp) -> list[dict]:
    return [scored(doc) for doc in nlp.pipe(unlabelled(d, nlp.vocab) for d in (make_doc(), make_hopper_doc()))]


def logits(nlp) -> np.ndarray:
    docs = [unlabelled(doc, nlp.vocab) for doc in (make_doc(), make_hopper_doc())]
    for name, pipe in nlp.pipeline:
        if name == "docre_relations":
            return np.concatenate(pipe.predict_logits(docs))
        docs = list(pipe.pipe(docs))
    raise AssertionError


def component_of(nlp):
    return nlp.get_pipe("docre_relations")


def test_it_starts_with_the_predictions_of_the_source(source, corpus):
    nlp = started(hash_pipeline(), source, corpus)
    assert np.array_equal(logits(nlp), logits(spacy.load(source)))
    assert [set(p) for p in predictions(nlp)] == [triples(make_doc()), triples(make_hopper_doc())]


def test_loss_targets_and_settings_are_the_new_ones(source, corpus, tmp_path):
    """What `source = …` in a component would keep in silence; scores are the new loss's probabilities: σ(2d)."""
    settings = {
        "loss": ZLPR,
        "targets": {"mode": "closed_world"},
        "threshold_offset": 0.25,
        "distillation": {"@losses": "spacy-docre.BernoulliKL.v1", "temperature": 2.0},
        "rdrop_alpha": 0.5,
        "loss_weight": 2.0,
    }
    nlp = started(hash_pipeline(**settings), source, corpus)
    nlp.to_disk(tmp_path / "saved")
    for pipe in (component_of(nlp), component_of(spacy.load(tmp_path / "saved"))):
        assert type(pipe.loss).__name__ == "ZLPRLoss"
        assert (pipe.targets.mode, pipe.threshold_offset, pipe.rdrop_alpha, pipe.loss_weight) == (
            "closed_world", 0.25, 0.5, 2.0
        )  # fmt: skip
        assert pipe.distillation.temperature == 2.0
    found = logits(nlp)
    best = 1 / (1 + np.exp(-2 * (found[:, 1:] - found[:, :1]).max()))
    assert max(s for p in predictions(nlp) for s in p.values()) == pytest.approx(best, abs=1e-5)


def test_fewer_labels_in_the_data_become_those_of_the_source(source, tmp_path):
    write_shard([make_doc()], tmp_path / "train.spacy")
    nlp = started(hash_pipeline(), source, tmp_path / "train.spacy")
    assert component_of(nlp).labels == component_of(spacy.load(source)).labels
    assert component_of(nlp).model.get_dim("nO") == 1 + len(component_of(nlp).labels)
    assert np.array_equal(logits(nlp), logits(spacy.load(source)))


def test_labels_in_another_order_take_the_order_of_the_source(source, corpus):
    """Or each column would speak of another label."""
    labels = component_of(spacy.load(source)).labels
    nlp = hash_pipeline()
    nlp.config["initialize"]["components"]["docre_relations"] = {"labels": list(labels[::-1])}
    nlp = started(nlp, source, corpus)
    assert component_of(nlp).labels == labels
    assert [set(p) for p in predictions(nlp)] == [triples(make_doc()), triples(make_hopper_doc())]


def test_labels_that_the_source_lacks_are_listed(source, tmp_path):
    doc = make_doc()
    set_relations(doc, [("0", "spouse", "2"), ("0", "cousin", "2"), ("0", "colleague", "2")], status="complete")
    write_shard([doc], tmp_path / "train.spacy")
    with pytest.raises(ValueError, match=r"docre-E120.*: cousin, spouse\. ") as error:
        started(hash_pipeline(), source, tmp_path / "train.spacy")
    assert str(source) in str(error.value)


@pytest.mark.parametrize(
    "model", [{"hidden_width": 16}, {"axial": None}, {"attention": {"n_heads": 1, "head_width": 16}}]
)
def test_weights_that_do_not_fit_are_said(source, corpus, model):
    with pytest.raises(ValueError, match=r"docre-E121.*'docre_relations'.*\[components\.docre_relations\.model\]"):
        started(hash_pipeline(model), source, corpus)


def test_another_embedding_layer_is_said(source, corpus):
    tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 16, "depth": 2, "embed_size": 100, "window_size": 1}
    settings = {"maxout_pieces": 2, "subword_features": True, "pretrained_vectors": None}
    with pytest.raises(ValueError, match=r"docre-E121"):
        started(hash_pipeline({"tok2vec": {**tok2vec, **settings}}), source, corpus)


def test_components_that_the_source_lacks_are_said(source, corpus):
    """By default also the encoder is copied, and here is none."""
    with pytest.raises(ValueError, match=r"docre-E122.*no component 'transformer'.*: docre_relations"):
        started(hash_pipeline(), source, corpus, components=("transformer", "docre_relations"))


def test_encoder_and_head_of_a_transformer_pipeline(trf_source, encoder, corpus):
    """With settings of its own for both: precision, the share of the gradient, and windows."""
    nlp = transformer_pipeline(encoder, {"max_batch_pieces": 77}, {"tok2vec": {"grad_factor": 0.25}}, loss=ZLPR)
    nlp = started(nlp, trf_source, corpus, components=("transformer", "docre_relations"))
    assert logits(nlp) == pytest.approx(logits(spacy.load(trf_source)), abs=1e-5)
    assert type(component_of(nlp).loss).__name__ == "ZLPRLoss"
    shims = [shim for node in nlp.get_pipe("transformer").model.walk() for shim in node.shims]
    assert [shim.max_batch_pieces for shim in shims] == [77]


def test_the_share_of_the_encoders_gradient_is_the_new_configs(trf_source, encoder, corpus):
    nlp = transformer_pipeline(encoder, {}, {"tok2vec": {"grad_factor": 0.25}})
    nlp = started(nlp, trf_source, corpus, components=("transformer", "docre_relations"))
    factors = [n.attrs["grad_factor"] for n in component_of(nlp).model.walk() if "grad_factor" in n.attrs]
    assert factors == [0.25]


def test_an_encoder_with_other_layers_is_said(trf_source, encoder, corpus):
    """The config would say one layer, and the weights be of two."""
    nlp = transformer_pipeline(encoder, {"transformer_config": {"num_hidden_layers": 1}})
    with pytest.raises(ValueError, match=r"docre-E121.*'transformer'"):
        started(nlp, trf_source, corpus, components=("transformer", "docre_relations"))


def test_only_the_encoder(trf_source, encoder, corpus):
    """The head is new then, whatever its width."""
    nlp = started(
        transformer_pipeline(encoder, {}, {"hidden_width": 16}), trf_source, corpus, components=("transformer",)
    )
    trained, copied = (n.get_pipe("transformer").model.transformer for n in (spacy.load(trf_source), nlp))
    assert all((a == b).all() for a, b in zip(trained.parameters(), copied.parameters()))
    assert component_of(nlp).model.get_dim("nO") == 6


def test_training_goes_on_from_there(source, corpus, tmp_path):
    """`spacy train` for two steps: the first loss is that of a trained pipeline, and the saved one needs no source."""
    training = {"max_steps": 2, "eval_frequency": 1, "patience": 0, "score_weights": {"rel_micro_f": 1.0}}
    training["batcher"] = {"@batchers": "spacy-docre.batch_by_pairs.v1"}
    training["logger"] = {"@loggers": "spacy-docre.ConsoleLogger.v1", "output_file": str(tmp_path / "log.jsonl")}
    finetune_config(hash_pipeline(loss=ZLPR), source, corpus, **training).to_disk(tmp_path / "config.cfg")
    train(tmp_path / "config.cfg", tmp_path / "model")
    rows = list(srsly.read_jsonl(tmp_path / "log.jsonl"))
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert rows[0]["F1"] == 1.0
    assert rows[0]["loss"] < 0.7
    nlp = spacy.load(tmp_path / "model" / "model-last")
    assert not np.array_equal(logits(nlp), logits(spacy.load(source)))
    assert np.abs(logits(nlp) - logits(spacy.load(source))).mean() < 0.3


def test_it_is_registered():
    assert registry.callbacks.get(NAME) is create_copy_weights_v1


def test_an_encoder_of_its_own_with_other_layers_is_said(encoder, corpus, tmp_path):
    """Within the component for relations, as `replace_listeners` leaves it."""

    def own(n_layers: int):
        nlp = transformer_pipeline(encoder, {"transformer_config": {"num_hidden_layers": n_layers}})
        overfit(nlp, steps=1)
        nlp.replace_listeners("transformer", "docre_relations", ["model.tok2vec"])
        nlp.remove_pipe("transformer")
        return nlp

    own(2).to_disk(tmp_path / "two")
    with pytest.raises(ValueError, match=r"docre-E121.*'docre_relations'.*weights there"):
        create_copy_weights_v1(str(tmp_path / "two"), ["docre_relations"])(own(1))
