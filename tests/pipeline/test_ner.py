"""A ner beside the relations: it finds their entities in training too, from an encoder that both listen to."""

from pathlib import Path

import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_docre import get_entities, get_relations, set_entities
from spacy_docre.annotations import MENTIONS_KEY
from spacy_docre.readers.shards import write_shard
from spacy_docre.training.adamw import create_adamw_v1
from spacy_docre.training.callbacks import create_copy_weights_v1

from ..conftest import make_doc
from ..pipelines import HASH_EMBED, initialised, make_hopper_doc, step, transformer_pipeline, unlabelled
from ..training.test_copy_weights import started
from .test_predicted_entities import SEEN, entities, seen

CONFIG = Path(__file__).parents[2] / "configs" / "docre_pipeline.cfg"
LISTENER = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0}
LISTENER["pooling"] = {"@layers": "reduce_mean.v1"}


def with_ents(doc: Doc) -> Doc:
    doc.ents = list(doc.spans[MENTIONS_KEY])
    return doc


def ner_pipeline(encoder, **settings) -> Language:
    """As configs/docre_pipeline.cfg: a ner and relations that listen to one encoder."""
    nlp = transformer_pipeline(encoder)
    ner = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner", "extra_state_tokens": False}
    ner |= {"hidden_width": 32, "maxout_pieces": 2, "use_upper": False, "nO": None, "tok2vec": LISTENER}
    nlp.add_pipe("ner", after="transformer", config={"model": ner})
    nlp.add_pipe("docre_entities", after="ner", config={"predicted_share": 1.0, "ramp_steps": 40, **settings})
    nlp.add_pipe("test_predicted_probe", after="docre_entities")
    return nlp


def ner_examples(nlp: Language) -> list[Example]:
    return [Example(unlabelled(doc), with_ents(doc)) for doc in (make_doc(nlp.vocab), make_hopper_doc(nlp.vocab))]


def trained_with_ner(encoder, annotates) -> tuple[Language, list[Example]]:
    return overfit(ner_pipeline(encoder), annotates)


def overfit(nlp: Language, annotates=(), steps: int = 80) -> tuple[Language, list[Example]]:
    examples = ner_examples(nlp)
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(steps):
        seen(nlp, examples, optimizer, annotates=annotates)
    return nlp, examples


def ents(doc: Doc) -> list[tuple[str, str]]:
    return [(e.text, e.label_) for e in doc.ents]


def test_a_ner_that_sees_the_annotating_encoder_is_right(encoder):
    """In training as afterwards, from the text alone: its entities, and the relations between them."""
    nlp, examples = trained_with_ner(encoder, ["transformer", "ner", "docre_entities", "test_predicted_probe"])
    gold = [ents(example.reference) for example in examples]
    assert [ents(doc) for doc in SEEN] == gold
    docs = [nlp(nlp.make_doc(example.reference.text)) for example in examples]
    assert [ents(doc) for doc in docs] == gold
    names = [{(r.head.name, r.label_, r.tail.name) for r in get_relations(doc)} for doc in docs]
    assert names == [{(r.head.name, r.label_, r.tail.name) for r in get_relations(eg.reference)} for eg in examples]


def test_a_ner_whose_encoder_does_not_annotate_sees_zeros_in_training(encoder):
    """What it has learned is right, but in training it finds the same in all texts with sentences of these lengths."""
    annotates = ["ner", "docre_entities", "test_predicted_probe"]
    nlp, examples = trained_with_ner(encoder, annotates)
    gold = [ents(example.reference) for example in examples]
    assert [ents(nlp(nlp.make_doc(example.reference.text))) for example in examples] == gold
    assert [ents(doc) for doc in SEEN] != gold
    words = "Navy and Ada died in Paris . He founded New York in London".split()
    other = Doc(nlp.vocab, words=words, sent_starts=[i in (0, 7) for i in range(len(words))])
    assert len(other) == len(examples[0].predicted)
    nothing = Doc(nlp.vocab, words=words, ents=["O"] * len(words))
    seen(nlp, [examples[0], Example(other, nothing)], annotates=annotates)
    first, second = ([(e.start, e.end, e.label_) for e in doc.ents] for doc in SEEN)
    assert first == second != []


def test_a_batch_without_pairs_still_teaches_the_encoder_what_the_ner_needs(encoder):
    """One entity each: the relations have nothing to learn from, and pass on the ner's gradient."""
    nlp = initialised(ner_pipeline(encoder), ner_examples(ner_pipeline(encoder)))
    examples = ner_examples(nlp)
    for example in examples:
        set_entities(example.predicted, get_entities(example.predicted)[:1])
    before = [w.detach().clone() for w in nlp.get_pipe("transformer").model.transformer.parameters()]
    step(nlp, examples, create_adamw_v1(weight_decay=0.0))
    after = list(nlp.get_pipe("transformer").model.transformer.parameters())
    assert sum(bool((old != new).any()) for old, new in zip(before, after)) > len(before) / 2


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "train.spacy"
    write_shard([with_ents(make_doc()), with_ents(make_hopper_doc())] * 2, path)
    return path


def train_config(folder: Path, encoder: Path, corpus: Path, **settings) -> list[dict]:
    """`spacy train` of the config as it stands, but for the tiny encoder and higher rates; returns what is logged."""
    rates = {"learn_rate": 0.003, "head_learn_rate": 0.003, "schedule.warmup_steps": 1}
    options = {"paths.train": corpus, "paths.dev": corpus, "vars.encoder": encoder, "vars.precision": "float32"}
    options |= {f"training.optimizer.{name}": rate for name, rate in rates.items()}
    options |= {"training.dropout": 0.0, "training.logger.output_file": folder / "log.jsonl", **settings}
    train(CONFIG, folder, overrides={k: str(v) if isinstance(v, Path) else v for k, v in options.items()})
    return list(srsly.read_jsonl(folder / "log.jsonl"))


@pytest.fixture(scope="module")
def first(tmp_path_factory, encoder, corpus) -> Path:
    """Trained from scratch."""
    folder = tmp_path_factory.mktemp("first")
    train_config(folder, encoder, corpus, **{"training.max_steps": 40, "training.eval_frequency": 20})
    return folder


def test_the_config_learns_entities_and_relations(first):
    rows = list(srsly.read_jsonl(first / "log.jsonl"))
    assert max(rows[0]["NER"], rows[0]["F1"]) < 0.5
    assert (rows[-1]["NER"], rows[-1]["F1"]) == (1, 1)
    nlp = spacy.load(first / "model-last")
    for doc in (with_ents(make_doc()), with_ents(make_hopper_doc())):
        found = nlp(doc.text)
        assert ents(found) == ents(doc)
        assert entities(found) == [[name] for name, _ in ents(doc)]


def test_the_score_is_of_relations_and_entities(first):
    """Components add their own weights, unless [training.score_weights] says null."""
    weights = spacy.load(first / "model-last").config["training"]["score_weights"]
    assert {name: weight for name, weight in weights.items() if weight} == {"rel_micro_f": 0.5, "ents_f": 0.5}


def test_the_config_goes_on_from_another_pipeline(first, encoder, corpus, tmp_path):
    """Before the first step it is as good as that was, in entities and relations, and not from scratch."""
    settings = {"training.max_steps": 1, "training.eval_frequency": 1, "paths.start": first / "model-last"}
    row, *_ = train_config(tmp_path, encoder, corpus, **settings)
    before, *_ = srsly.read_jsonl(first / "log.jsonl")
    assert (row["step"], row["NER"], row["F1"]) == (0, 1, 1)
    assert row["losses"]["ner"] < 0.1 * before["losses"]["ner"]
    assert row["loss"] < 0.1 * before["loss"]


def ner_alone(hidden_width: int = 32) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("ner", config={"model": {"tok2vec": HASH_EMBED, "hidden_width": hidden_width}})
    return nlp


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    overfit(ner_alone())[0].to_disk(folder)
    return folder


def found_by(nlp: Language) -> list[list[tuple[str, str]]]:
    return [ents(nlp(doc.text)) for doc in (make_doc(), make_hopper_doc())]


GOLD = [ents(with_ents(doc)) for doc in (make_doc(), make_hopper_doc())]


def copied(nlp: Language, source: Path, folder: Path, *docs: Doc) -> Language:
    """As `spacy train` has it before its first step on these documents."""
    write_shard([with_ents(doc) for doc in docs], folder / "train.spacy")
    return started(nlp, source, folder / "train.spacy", components=["ner"])


def test_a_copied_ner_predicts_the_same_before_training(source, tmp_path):
    """Whatever the order of the documents and labels; and saved as loaded."""
    nlp = copied(ner_alone(), source, tmp_path, make_hopper_doc(), make_doc())
    assert found_by(nlp) == found_by(spacy.load(source)) == GOLD
    assert nlp.get_pipe("ner").move_names == spacy.load(source).get_pipe("ner").move_names
    nlp.to_disk(tmp_path / "saved")
    assert found_by(spacy.load(tmp_path / "saved")) == GOLD


def test_labels_that_the_source_does_not_know_are_said(source, tmp_path):
    """As with relations."""
    doc = make_hopper_doc()
    doc.spans[MENTIONS_KEY] = [*list(doc.spans[MENTIONS_KEY])[:-1], Span(doc, 10, 11, label="NAVY", span_id="2")]
    with pytest.raises(ValueError, match=r"docre-E120.*NAVY"):
        copied(ner_alone(), source, tmp_path, make_doc(), doc)


def test_fewer_labels_in_the_data_become_those_of_the_source(source, tmp_path):
    """As with relations. There is no ORG."""
    nlp = copied(ner_alone(), source, tmp_path, make_doc())
    assert nlp.get_pipe("ner").labels == spacy.load(source).get_pipe("ner").labels
    assert found_by(nlp) == GOLD


def test_a_ner_of_another_width_is_said(source, tmp_path):
    with pytest.raises(ValueError, match=r"docre-E121.*'ner'"):
        copied(ner_alone(hidden_width=16), source, tmp_path, make_doc(), make_hopper_doc())


def test_without_a_source_nothing_is_copied():
    """Not even looked at: the names of components may be any."""
    nlp, _ = overfit(ner_alone(), steps=0)
    before = nlp.to_bytes()
    assert create_copy_weights_v1(None, ["ner", "nothing"])(nlp) is nlp
    assert nlp.to_bytes() == before
