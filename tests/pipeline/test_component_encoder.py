"""The encoder before the component: frozen, absent, or silent."""

import pytest
import spacy
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..pipelines import (
    SMALL_HEAD,
    hash_pipeline,
    initialised,
    overfit,
    step,
    transformer_pipeline,
    triples,
    two_examples,
    unlabelled,
)


def encoder_weights(nlp) -> list[torch.Tensor]:
    transformer = nlp.get_pipe("transformer").model.transformer
    return [w.detach().clone() for w in transformer.parameters()]


def test_a_frozen_annotating_encoder_stays_and_the_head_learns(encoder):
    nlp = initialised(transformer_pipeline(encoder))
    examples, optimizer, before = (
        two_examples(nlp),
        create_adamw_v1(head_learn_rate=3e-3),
        encoder_weights(nlp),
    )
    settings = {"exclude": ["transformer"], "annotates": ["transformer"]}
    losses = [step(nlp, examples, optimizer, **settings)["docre_relations"] for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    assert all(torch.equal(old, new) for old, new in zip(before, encoder_weights(nlp)))
    for example in examples:
        assert triples(nlp(unlabelled(example.reference))) == triples(example.reference)


def test_an_encoder_that_learns_is_moved_by_the_relations(encoder):
    nlp = initialised(transformer_pipeline(encoder))
    before = encoder_weights(nlp)
    step(nlp, two_examples(nlp), create_adamw_v1())
    moved = [not torch.equal(old, new) for old, new in zip(before, encoder_weights(nlp))]
    assert sum(moved) > len(moved) / 2


@Language.component("test_docre_probe")
def probe(doc):
    SEEN.append(triples(doc))
    return doc


SEEN: list[set] = []


def test_annotating_while_training_sees_the_current_relations(encoder):
    """`annotating_components = ["transformer", "docre_relations"]`: for components further down."""
    nlp = transformer_pipeline(encoder)
    nlp.add_pipe("test_docre_probe", last=True)
    SEEN.clear()
    examples = overfit(nlp, annotates=["transformer", "docre_relations", "test_docre_probe"])
    assert SEEN[-2:] == [triples(example.reference) for example in examples]


def test_annotating_with_the_encoder_learns_the_same(encoder):
    losses = []
    for annotates in ([], ["transformer"], ["transformer", "docre_relations"]):
        nlp = initialised(transformer_pipeline(encoder))
        fix_random_seed(0)
        optimizer, examples = create_adamw_v1(), two_examples(nlp)
        steps = [step(nlp, examples, optimizer, annotates=annotates) for _ in range(4)]
        losses.append([x["docre_relations"] for x in steps])
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[2] == pytest.approx(losses[0], abs=1e-4)


def disabled(nlp, path):
    nlp.disable_pipe("transformer")
    return nlp


def excluded(nlp, path):
    nlp.to_disk(path)
    return spacy.load(path, exclude=["transformer"])


def removed(nlp, path):
    nlp.remove_pipe("transformer")
    return nlp


@pytest.mark.parametrize("lose", [disabled, excluded, removed])
def test_predictions_without_the_encoder_are_refused(encoder, tmp_path, lose):
    nlp = lose(initialised(transformer_pipeline(encoder)), tmp_path / "saved")
    with pytest.raises(ValueError, match=r"docre-E041.*no encoder has run before"):
        nlp(make_doc(nlp.vocab))
    with pytest.raises(ValueError, match="docre-E041"):
        list(nlp.pipe([make_doc(nlp.vocab)]))


def test_the_wrong_order_of_components_is_refused(encoder, tmp_path):
    """The transformer comes after the component that listens to it."""
    initialised(transformer_pipeline(encoder)).to_disk(tmp_path)
    config = spacy.util.load_config(tmp_path / "config.cfg")
    config["nlp"]["pipeline"] = ["docre_relations", "transformer"]
    nlp = spacy.load(tmp_path, config=config)
    with pytest.raises(ValueError, match="docre-E041"):
        nlp(make_doc(nlp.vocab))


def test_training_with_a_frozen_encoder_that_does_not_annotate_is_refused(encoder):
    nlp = initialised(transformer_pipeline(encoder))
    with pytest.raises(ValueError, match=r"annotating.components"):
        step(nlp, two_examples(nlp), create_adamw_v1(), exclude=["transformer"])


def test_annotating_relations_before_the_encoder_annotates_is_refused(encoder):
    nlp = initialised(transformer_pipeline(encoder))
    with pytest.raises(ValueError, match="docre-E041"):
        step(nlp, two_examples(nlp), create_adamw_v1(), annotates=["docre_relations"])


def listening_alone():
    nlp = spacy.blank("en")
    nlp.add_pipe("docre_relations", config={"model": SMALL_HEAD})
    return nlp


def test_initialising_without_an_encoder_prints_both_remedies():
    nlp = listening_alone()
    with pytest.raises(ValueError, match="docre-E042") as error:
        nlp.initialize(lambda: two_examples(nlp))
    assert 'nlp.add_pipe("transformer", first=True' in str(error.value)
    assert "spacy.HashEmbedCNN.v2" in str(error.value)


def test_the_remedies_can_be_pasted():
    """Both are Python; the one without a download is run as it stands in the message."""
    with pytest.raises(ValueError, match="docre-E042") as error:
        listening_alone()(make_doc())
    code = [line.strip() for line in str(error.value).splitlines() if "nlp.add_pipe(" in line]
    assert len(code) == 2
    assert "TransformerModel" in code[0]
    compile(code[0], "remedy", "eval")
    nlp = spacy.blank("en")
    eval(code[1], {"nlp": nlp})
    doc = initialised(nlp)(make_doc(nlp.vocab))
    assert len(doc._.docre_entities) == 3


def test_using_a_listener_that_nobody_feeds_is_refused():
    nlp = listening_alone()
    doc = make_doc(nlp.vocab)
    with pytest.raises(ValueError, match="docre-E042"):
        nlp(doc)
    with pytest.raises(ValueError, match="docre-E042"):
        nlp.get_pipe("docre_relations").update([Example(unlabelled(doc), doc)])


def test_an_uninitialised_model_is_refused():
    nlp = hash_pipeline()
    doc = make_doc(nlp.vocab)
    with pytest.raises(ValueError, match=r"docre-E065.*nlp.initialize"):
        nlp(doc)
    with pytest.raises(ValueError, match="docre-E065"):
        nlp.get_pipe("docre_relations").update([Example(unlabelled(doc), doc)])


def test_an_uninitialised_transformer_pipeline_is_refused(encoder):
    nlp = transformer_pipeline(encoder)
    with pytest.raises(ValueError, match=r"docre-E0(42|65)"):
        nlp.get_pipe("docre_relations")(make_doc(nlp.vocab))


@pytest.mark.parametrize("part", ["model", "head"])
def test_unknown_precision_is_refused(encoder, part):
    with pytest.raises(ValueError, match=r"docre-E045.*'float8'.*bfloat16"):
        transformer_pipeline(encoder, **{part: {"precision": "float8"}})


def test_unknown_threshold_column_is_refused():
    with pytest.raises(ValueError, match="docre-E047"):
        hash_pipeline({"threshold_column": "one"})


def test_widths_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="docre-E044"):
        initialised(hash_pipeline({"hidden_width": 33}))


def test_labels_and_outputs_that_differ_are_refused():
    nlp = initialised(hash_pipeline())
    nlp.get_pipe("docre_relations").cfg["labels"].append("spouse")
    with pytest.raises(ValueError, match=r"docre-E040.*6 outputs.*6 labels"):
        nlp(make_doc(nlp.vocab))
