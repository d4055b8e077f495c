"""Labels, initialisation, and updates with unusual batches."""

import numpy as np
import pytest
import spacy
import srsly
from spacy.training import Example
from thinc.api import Model

from spacy_docre import set_relations
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..pipelines import (
    crowd,
    hash_pipeline,
    initialised,
    overfit,
    step,
    triples,
    two_examples,
    unlabelled,
)

LABELS = ("colleague", "founded by", "founder of", "place of birth", "place of death")


def component_of(nlp):
    return nlp.get_pipe("docre_relations")


def example_of(reference):
    return Example(unlabelled(reference), reference)


def weights(nlp) -> dict[str, np.ndarray]:
    """All weights of the relation component, torch and thinc."""
    model = component_of(nlp).model
    torch_module = model.get_ref("head").shims[0]._model
    found = {name: w.detach().numpy().copy() for name, w in torch_module.state_dict().items()}
    for i, node in enumerate(model.walk()):
        found.update({f"{i}.{n}": np.array(node.get_param(n)) for n in node.param_names if node.has_param(n)})
    return found


def test_labels_come_from_the_data():
    nlp = initialised(hash_pipeline())
    assert component_of(nlp).labels == LABELS
    assert component_of(nlp).label_data == list(LABELS)
    assert component_of(nlp).model.get_dim("nO") == 1 + len(LABELS)


def test_labels_come_from_a_file(tmp_path):
    """A file may have labels that the data lacks, and decides about their order."""
    path = tmp_path / "labels.json"
    srsly.write_json(path, ["spouse", "colleague"])
    nlp = hash_pipeline()
    nlp.config["initialize"]["components"]["docre_relations"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(path)}
    }
    examples = two_examples(nlp)
    nlp.initialize(lambda: examples)
    assert component_of(nlp).labels == ("spouse", "colleague")


def test_saved_labels_initialise_the_same(tmp_path):
    first = initialised(hash_pipeline())
    second = hash_pipeline()
    examples = two_examples(second)
    component_of(second).initialize(lambda: examples, labels=component_of(first).label_data)
    assert component_of(second).labels == component_of(first).labels


def test_labels_may_be_added_before_initialisation():
    nlp = hash_pipeline()
    assert component_of(nlp).add_label("spouse") == 1
    assert component_of(nlp).add_label("spouse") == 0
    assert component_of(initialised(nlp)).labels == ("spouse", *LABELS)


def test_labels_added_later_are_refused_with_the_way_out():
    component = component_of(initialised(hash_pipeline()))
    with pytest.raises(ValueError, match=r"docre-E060.*'spouse'.*call nlp.initialize\(\) with all labels"):
        component.add_label("spouse")
    assert component.add_label("colleague") == 0
    assert component.labels == LABELS


@pytest.mark.parametrize("label", ["", None, 7])
def test_a_label_is_a_string_with_something_in_it(label):
    with pytest.raises(ValueError, match=r"docre-E063"):
        component_of(hash_pipeline()).add_label(label)


def test_data_without_relations_is_refused():
    nlp = hash_pipeline()
    examples = [example_of(crowd(nlp.vocab, 3, status="complete"))]
    with pytest.raises(ValueError, match=r"docre-E061.*1 documents"):
        nlp.initialize(lambda: examples)


def test_data_without_complete_labels_is_refused():
    nlp = hash_pipeline()
    doc = make_doc(nlp.vocab)
    set_relations(doc, [("0", "colleague", "2")], status="distant")
    with pytest.raises(ValueError, match=r"docre-E062.*1 distant"):
        nlp.initialize(lambda: [example_of(doc)])


def test_a_second_initialisation_starts_afresh_with_new_labels():
    """Data with a new label after training: E060's way out."""
    nlp = initialised(hash_pipeline())
    labels = [*component_of(nlp).labels, "spouse"]
    fresh = hash_pipeline()
    component_of(fresh).initialize(lambda: two_examples(fresh), labels=labels)
    assert component_of(fresh).labels == tuple(labels)
    assert component_of(fresh).predict([make_doc(fresh.vocab)])


def test_initialising_again_starts_from_new_weights():
    nlp = initialised(hash_pipeline())
    before = weights(nlp)
    nlp.initialize(lambda: two_examples(nlp))
    after = weights(nlp)
    same = {name for name in before if before[name].std() > 0 and np.array_equal(before[name], after[name])}
    assert same == {"docre_head.attention.distance.weight"}  # starts as the slopes of locality


EMPTY_BATCHES = {
    "a document without pairs": lambda nlp: [crowd(nlp.vocab, 1, status="complete"), make_doc(nlp.vocab)],
    "an empty document": lambda nlp: [nlp.make_doc(""), make_doc(nlp.vocab)],
    "no pair in the batch": lambda nlp: [crowd(nlp.vocab, n, status="complete") for n in (1, 0, 1)],
    "white space only": lambda nlp: [nlp.make_doc("  \n")],
    "only empty documents": lambda nlp: [nlp.make_doc(""), nlp.make_doc("")],
    "one entity pair without labels": lambda nlp: [crowd(nlp.vocab, 2, status="complete")],
}


@pytest.mark.parametrize("case", EMPTY_BATCHES)
def test_unusual_batches_leave_finite_weights(case):
    nlp = initialised(hash_pipeline())
    examples = [example_of(doc) for doc in EMPTY_BATCHES[case](nlp)]
    optimizer = create_adamw_v1()
    for _ in range(2):
        losses = step(nlp, examples, optimizer)
        assert np.isfinite(losses["docre_relations"])
    assert all(np.isfinite(w).all() for w in weights(nlp).values())


def test_a_batch_without_pairs_has_no_loss_and_moves_nothing():
    nlp = initialised(hash_pipeline())
    before = weights(nlp)
    examples = [example_of(crowd(nlp.vocab, 1, status="complete"))]
    losses = step(nlp, examples, create_adamw_v1(weight_decay=0.0))
    assert losses == {"docre_relations": 0.0}
    after = weights(nlp)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_an_update_moves_the_head_and_the_token_vectors():
    nlp = initialised(hash_pipeline())
    before = weights(nlp)
    step(nlp, two_examples(nlp), create_adamw_v1())
    after = weights(nlp)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert any(name.startswith("docre_head.") for name in moved)
    assert any(not name.startswith("docre_head.") for name in moved)


def test_updates_add_up_their_losses_and_leave_weights_alone_without_optimizer():
    nlp = initialised(hash_pipeline())
    component, examples, before = component_of(nlp), two_examples(nlp), weights(nlp)
    once = component.update(examples)["docre_relations"]
    losses = {"docre_relations": 5.0}
    component.update(examples, losses=losses)
    assert losses["docre_relations"] == pytest.approx(5.0 + once)
    assert all(np.array_equal(before[name], w) for name, w in weights(nlp).items())


@spacy.registry.architectures("test_docre_counted_tok2vec")
def counted_tok2vec(width: int) -> Model:
    """Token vectors whose backprop calls are counted in attrs["calls"]."""

    def forward(model, docs, is_train):
        model.attrs["calls"].append("forward")

        def backprop(d_vectors):
            model.attrs["calls"].append("backprop")
            assert [len(d) for d in d_vectors] == [len(doc) for doc in docs]
            return []

        return [np.ones((len(doc), width), dtype="float32") for doc in docs], backprop

    return Model("counted", forward, dims={"nO": width}, attrs={"calls": []})


@pytest.mark.parametrize("max_pair_batch", [2, 4096])
def test_one_forward_and_one_backward_pass_of_the_encoder_per_update(max_pair_batch):
    """A listener's backprop is one-shot: chunks of pairs must not call it again."""
    tok2vec = {"@architectures": "test_docre_counted_tok2vec", "width": 8}
    nlp = initialised(hash_pipeline({"tok2vec": tok2vec, "max_pair_batch": max_pair_batch}))
    calls = component_of(nlp).model.get_ref("tok2vec").attrs["calls"]
    calls.clear()
    docs = [make_doc(nlp.vocab), crowd(nlp.vocab, 7), crowd(nlp.vocab, 1)]
    set_relations(docs[1], [], status="complete")
    set_relations(docs[2], [], status="complete")
    step(nlp, [example_of(doc) for doc in docs], create_adamw_v1())
    assert calls == ["forward", "backprop"]


def test_chunked_pairs_learn_as_unchunked_ones():
    losses = {}
    for max_pair_batch in (2, 4096):
        nlp = hash_pipeline({"max_pair_batch": max_pair_batch})
        examples = initialised(nlp) and two_examples(nlp)
        optimizer = create_adamw_v1()
        losses[max_pair_batch] = [step(nlp, examples, optimizer)["docre_relations"] for _ in range(3)]
    assert losses[2] == pytest.approx(losses[4096], abs=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": {"@losses": "spacy-docre.ATL.v1"}},
        {"loss": {"@losses": "spacy-docre.BCE.v1"}, "model": {"threshold_column": "zero"}},
        {"model": {"axial": None}},
    ],
    ids=["ATL", "BCE with threshold 0", "no axial attention"],
)
def test_other_configs_learn_too(settings):
    nlp = hash_pipeline(**settings)
    for example in overfit(nlp):
        assert triples(nlp(unlabelled(example.reference))) == triples(example.reference)
