"""Steps are counted by spaCy's own training loop, and reach the losses."""

import io
import warnings

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import registry
from thinc.api import Config
from thinc.api import registry as thinc_registry

from spacy_docre.losses.bce import BinaryCrossEntropy
from spacy_docre.readers.shards import write_shard
from spacy_docre.training.callbacks import create_count_steps_v1

from ..conftest import make_doc
from ..pipelines import hash_pipeline, make_hopper_doc

NAME = "spacy-docre.count_steps.v1"


class Diary(BinaryCrossEntropy):
    """BCE that writes down the steps it is told, and those in which it is asked for a loss."""

    def __init__(self) -> None:
        super().__init__(pos_weight=1.0, label_smoothing=0.0)
        self.told: list[int] = []
        self.asked: list[int] = []

    def set_step(self, step):
        self.told.append(step)

    def compute(self, margins, targets):
        self.asked.append(self.told[-1] if self.told else -1)
        return super().compute(margins, targets)


@thinc_registry.losses("test_docre_diary")
def build_diary() -> Diary:
    return Diary()


def trained(folder, *, steps: int = 6, callback: bool = True, accumulate: int = 1, loss: dict) -> spacy.Language:
    """The small pipeline after some steps of `spacy train` with this loss."""
    write_shard([make_doc(), make_hopper_doc()], folder / "train.spacy")
    config = hash_pipeline(loss=loss).config.copy()
    corpus = {"@readers": "spacy-docre.Corpus.v1", "path": str(folder / "train.spacy")}
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["training"] = {
        **config["training"],
        "max_steps": steps - 1,  # spaCy takes one more
        "eval_frequency": 3,
        "patience": 0,
        "accumulate_gradient": accumulate,
        "optimizer": {"@optimizers": "spacy-docre.AdamW.v1"},
        "batcher": {"@batchers": "spacy-docre.batch_by_pairs.v1"},
        "before_update": {"@callbacks": NAME} if callback else None,
        "score_weights": {"rel_micro_f": 1.0},
    }
    nlp = init_nlp(Config(config))
    train(nlp, stdout=io.StringIO(), stderr=io.StringIO())
    return nlp


def loss_of(nlp):
    return nlp.get_pipe("docre_relations").loss


def schedule(**settings) -> dict:
    """A sum of two diaries, which decide alike."""
    diary = {"@losses": "test_docre_diary"}
    return {"@losses": "spacy-docre.Sum.v1", "losses": {"first": diary, "second": diary}, **settings}


def test_every_step_is_told_to_the_losses(tmp_path):
    loss = loss_of(trained(tmp_path, loss={"@losses": "test_docre_diary"}))
    assert loss.told == [0, 1, 2, 3, 4, 5]
    assert loss.asked == loss.told


def test_the_losses_of_a_sum_begin_and_end_at_their_steps(tmp_path):
    loss = loss_of(trained(tmp_path, loss=schedule(start={"second": 2}, until={"first": 4})))
    assert loss.step == 5
    assert loss.losses["first"].asked == [0, 1, 2, 3]
    assert loss.losses["second"].asked == [2, 3, 4, 5]
    assert loss.losses["first"].told == loss.losses["second"].told == [0, 1, 2, 3, 4, 5]


def test_a_step_of_several_batches_counts_once(tmp_path):
    """Gradients of two batches, of one document each, add up to one step."""
    loss = loss_of(trained(tmp_path, steps=3, accumulate=2, loss={"@losses": "test_docre_diary"}))
    assert loss.told == [0, 1, 2]
    assert loss.asked == [0, 0, 1, 1, 2, 2]


def test_without_the_callback_training_warns_and_stays_at_step_0(tmp_path):
    with pytest.warns(UserWarning, match=r"docre-W012.*\[training.before_update\]"):
        loss = loss_of(trained(tmp_path, callback=False, loss=schedule(start={"second": 2})))
    assert loss.step == 0
    assert len(loss.losses["first"].asked) == 6
    assert loss.losses["second"].asked == []


def test_with_the_callback_nothing_is_warned_of(tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*docre-W012")
        trained(tmp_path, loss=schedule(start={"second": 2}))


def test_a_sum_survives_saving_and_loading(tmp_path):
    """With its parts and settings; the step is training's, not the pipeline's."""
    nlp = trained(tmp_path, steps=3, loss=schedule(start={"second": 2}, weights={"second": 0.5}))
    nlp.to_disk(tmp_path / "model")
    loss = loss_of(spacy.load(tmp_path / "model"))
    assert (loss.start, loss.weights) == ({"second": 2}, {"first": 1.0, "second": 0.5})
    assert loss.step is None


def test_components_without_a_loss_are_passed_over():
    nlp = hash_pipeline(loss={"@losses": "test_docre_diary"})
    nlp.add_pipe("sentencizer", first=True)
    nlp.add_pipe("tagger")
    create_count_steps_v1()(nlp, {"step": 7, "epoch": 1})
    assert loss_of(nlp).told == [7]


def test_components_with_another_kind_of_loss_are_passed_over():
    nlp = hash_pipeline(loss={"@losses": "test_docre_diary"})
    nlp.add_pipe("sentencizer", first=True).loss = "mine"
    create_count_steps_v1()(nlp, {"step": 7, "epoch": 1})
    assert loss_of(nlp).told == [7]


def test_it_is_registered():
    assert registry.callbacks.get(NAME) is create_count_steps_v1
