"""Students that learn from teachers: in memory, and from what a teacher has written."""

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_docre import get_entities, get_relations, set_entities, set_relations
from spacy_docre.annotations import copy_mentions
from spacy_docre.inference.annotate import annotate
from spacy_docre.inference.teacher import Teacher
from spacy_docre.readers.corpus import create_corpus_v1
from spacy_docre.readers.shards import write_shard
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..losses.rows import OBJECTIVES
from ..pipelines import (
    crowd,
    hash_pipeline,
    initialised,
    make_hopper_doc,
    step,
    transformer_pipeline,
    triples,
    two_examples,
    unlabelled,
)


def component_of(nlp):
    return nlp.get_pipe("docre_relations")


def without_gold(nlp) -> list[Example]:
    """Nobody says anything of these documents."""
    docs = [unlabelled(doc, nlp.vocab) for doc in (make_doc(), make_hopper_doc())]
    return [Example(unlabelled(doc), doc) for doc in docs]


def logits(nlp) -> np.ndarray:
    return np.concatenate(component_of(nlp).predict_logits([eg.predicted for eg in without_gold(nlp)]))


def fresh(seed: int = 1, **settings):
    """A student with other weights than the teacher had at first, and a smaller head."""
    nlp = hash_pipeline({"hidden_width": 16}, **settings)
    initialised(nlp)
    fix_random_seed(seed)
    examples = two_examples(nlp)
    nlp.initialize(lambda: examples)
    return nlp


@pytest.mark.parametrize("name", [None, *sorted(OBJECTIVES)])
def test_a_student_learns_the_predictions_of_its_teacher_without_any_labels(hash_nlp, name):
    """Without an objective in its config by the mean squared error of logits."""
    student = fresh(distillation=None if name is None else {"@losses": name})
    examples, optimizer = without_gold(student), create_adamw_v1(learn_rate=5e-3, head_learn_rate=5e-3)
    assert not any(get_relations(eg.reference) for eg in examples)
    losses = []
    for _ in range(80):
        losses.append(component_of(student).distill(component_of(hash_nlp), examples, sgd=optimizer))
    assert losses[-1]["docre_relations"] < losses[0]["docre_relations"]
    found = [triples(student(unlabelled(eg.reference))) for eg in examples]
    assert found == [triples(hash_nlp(unlabelled(eg.reference, hash_nlp.vocab))) for eg in examples]
    assert all(found)
    if name in (None, "spacy-docre.LogitMSE.v1"):
        assert np.abs(logits(student) - logits(hash_nlp)).mean() < 0.5


def test_the_loss_between_teacher_and_student_by_hand():
    """Logits [0, 2] and [1, 4]: (1 + 4)/2; the student's slopes are -1 and -2. A config's objective goes first."""
    teacher, student = np.array([[1, 4]], dtype="f"), np.array([[0, 2]], dtype="f")
    loss, gradient = component_of(hash_pipeline()).get_teacher_student_loss(teacher, student)
    assert loss == 2.5
    assert gradient.tolist() == [[-1, -2]]
    other = hash_pipeline(distillation={"@losses": "spacy-docre.SymmetricKL.v1"})
    loss, gradient = component_of(other).get_teacher_student_loss(teacher, student)
    assert loss == pytest.approx((1 / (1 + np.exp(-3)) - 1 / (1 + np.exp(-2))) * 1, rel=1e-5)
    assert gradient[0, 0] == pytest.approx(-gradient[0, 1])
    assert student.tolist() == [[0, 2]]


def test_logits_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"docre-E119.*\(1, 2\).*\(1, 3\)"):
        component_of(hash_pipeline()).get_teacher_student_loss(np.zeros((1, 3), "f"), np.zeros((1, 2), "f"))


def test_distilling_adds_up_losses_and_leaves_weights_alone_without_optimizer(hash_nlp):
    student = fresh()
    before, examples = logits(student), without_gold(student)
    once = component_of(student).distill(component_of(hash_nlp), examples)["docre_relations"]
    losses = {"docre_relations": 5.0}
    component_of(student).distill(component_of(hash_nlp), examples, losses=losses)
    assert losses["docre_relations"] == pytest.approx(5.0 + once)
    assert np.array_equal(logits(student), before)
    assert component_of(student).distill(component_of(student), examples)["docre_relations"] == pytest.approx(0)


def test_the_teacher_and_the_documents_stay_as_they_are(hash_nlp):
    student, before = fresh(), component_of(hash_nlp).to_bytes()
    examples = without_gold(student)
    docs = [eg.reference.to_bytes() for eg in examples]
    component_of(student).distill(component_of(hash_nlp), examples, drop=0.3, sgd=create_adamw_v1())
    assert component_of(hash_nlp).to_bytes() == before
    assert [eg.reference.to_bytes() for eg in examples] == docs


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (lambda known: ["spouse", *known[1:]], "colleague, spouse"),
        (lambda known: [*known, "spouse"], "spouse"),
        (lambda known: known[::-1], "only their order"),
    ],
)
def test_other_labels_are_refused_and_listed(hash_nlp, labels, said):
    student = hash_pipeline()
    names = labels(component_of(hash_nlp).labels)
    component_of(student).initialize(lambda: two_examples(student), labels=names)
    with pytest.raises(ValueError, match=rf"docre-E115.*: {said}\."):
        component_of(student).distill(component_of(hash_nlp), without_gold(student))


@pytest.mark.parametrize("sizes", [[], [0, 1], [1], [None], [None, 3, 0]])
def test_documents_without_pairs_or_tokens(hash_nlp, sizes):
    """None: a document without tokens."""
    student = fresh()
    docs = [student.make_doc("") if n is None else crowd(student.vocab, n) for n in sizes]
    examples = [Example(unlabelled(doc), doc) for doc in docs]
    losses = component_of(student).distill(component_of(hash_nlp), examples, sgd=create_adamw_v1())
    assert np.isfinite(losses["docre_relations"])
    assert (losses["docre_relations"] > 0) == (3 in sizes)


def test_a_teacher_that_listens_to_an_encoder(trf_nlp):
    """The encoder has to have seen the references; without it the teacher refuses to guess."""
    student = fresh()
    examples = without_gold(student)
    with pytest.raises(ValueError, match="docre-E041"):
        component_of(student).distill(component_of(trf_nlp), examples)
    list(trf_nlp.get_pipe("transformer").pipe([eg.reference for eg in examples]))
    assert component_of(student).distill(component_of(trf_nlp), examples)["docre_relations"] > 0


def test_a_student_that_listens_to_an_encoder(hash_nlp, encoder):
    """It learns through the same listener as in `update`."""
    student = initialised(transformer_pipeline(encoder))
    component, transformer = component_of(student), student.get_pipe("transformer")
    before = [w.detach().clone() for w in transformer.model.transformer.parameters()]
    examples, optimizer = without_gold(student), create_adamw_v1(learn_rate=1e-3)
    transformer.update(examples)
    component.distill(component_of(hash_nlp), examples)
    for pipe in (transformer, component):
        pipe.finish_update(optimizer)
    moved = [not bool((a == b).all()) for a, b in zip(before, transformer.model.transformer.parameters())]
    assert sum(moved) > len(moved) / 2


# From what a teacher has written

WITHHELD = ("0", "place of birth", "1")


def without_birth(doc, status: str):
    set_relations(doc, [r for r in get_relations(doc) if r.label_ != WITHHELD[1]], status=status)
    return doc


def make_seen_doc():
    """Ada Lovelace was seen in London: all of its relations are known, and no place of birth is among them."""
    ada = make_doc()
    words = ["seen" if t.text == "born" else t.text for t in ada]
    doc = Doc(ada.vocab, words=words, sent_starts=[t.is_sent_start for t in ada])
    copy_mentions(ada, doc)
    set_relations(doc, get_relations(ada))
    return without_birth(doc, "complete")


@pytest.fixture
def shards(hash_nlp, tmp_path):
    """Ada, whose place of birth nobody has labelled, and two documents all of whose relations are known."""
    hash_nlp.to_disk(tmp_path / "teacher")
    docs = [without_birth(make_doc(), "incomplete"), make_hopper_doc(), make_seen_doc()]
    write_shard(docs, tmp_path / "in.spacy")
    annotate([Teacher(str(tmp_path / "teacher"))], [tmp_path / "in.spacy"], tmp_path / "soft")
    return tmp_path / "soft"


def train_student(shards, *, steps: int = 100, **settings):
    nlp = hash_pipeline({"hidden_width": 16}, **settings)
    examples = list(create_corpus_v1(shards)(nlp))
    initialised(nlp, examples)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(steps):
        step(nlp, examples, optimizer)
    return nlp


BCE = {"@losses": "spacy-docre.BCE.v1"}
LEARNS = {
    "soft targets": ({}, True),
    "soft targets and BCE": ({"loss": BCE}, True),
    "rounded targets": ({"targets": {"mode": "teacher_union"}, "loss": {"@losses": "spacy-docre.ATL.v1"}}, True),
    "an objective": (  # weaker than the labels, which the teacher contradicts where Ada was seen in London
        {
            "targets": {"mode": "positives_only"},
            "distillation": {"@losses": "spacy-docre.BernoulliKL.v1", "weight": 0.4},
        },
        True,
    ),
    "labels only": ({"targets": {"mode": "positives_only"}}, False),
    "labels and the closed world": ({"targets": {"mode": "closed_world"}}, False),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*docre-W007")
@pytest.mark.parametrize(("settings", "learned"), LEARNS.values(), ids=LEARNS)
def test_a_withheld_label_is_learned_from_the_teacher_only(shards, settings, learned):
    nlp = train_student(shards, **settings)
    assert WITHHELD[1] in component_of(nlp).labels
    found = triples(nlp(unlabelled(make_doc(nlp.vocab))))
    assert (WITHHELD in found) == learned
    if learned:
        assert found == triples(make_doc())
    for doc in (make_hopper_doc(nlp.vocab), make_seen_doc()):
        assert triples(nlp(unlabelled(doc, nlp.vocab))) == triples(doc)


def soft_but_not_complete(nlp, shards) -> list[Example]:
    return [eg for eg in create_corpus_v1(shards)(nlp) if eg.reference._.docre_labels == "incomplete"]


def test_soft_labels_can_stand_for_complete_documents(shards):
    nlp = hash_pipeline()
    examples = soft_but_not_complete(nlp, shards)
    assert len(examples) == 1
    initialised(nlp, examples)
    assert len(component_of(nlp).labels) == 5


def test_but_not_where_the_mode_does_not_look_at_them(shards):
    """Without complete documents nothing would be learned of what does not hold."""
    nlp = hash_pipeline(targets={"mode": "positives_only"})
    with pytest.raises(ValueError, match=r"docre-E062.*'positives_only'"):
        initialised(nlp, soft_but_not_complete(nlp, shards))


def test_a_student_without_a_threshold_learns_to_decide_as_its_teacher(hash_nlp):
    """Its first logit is 0 whatever is learned; compared with the teacher's raw logits it would decide otherwise."""
    student = hash_pipeline({"hidden_width": 16, "threshold_column": "zero"})
    initialised(student)
    examples, optimizer = without_gold(student), create_adamw_v1(learn_rate=5e-3, head_learn_rate=5e-3)
    for _ in range(80):
        component_of(student).distill(component_of(hash_nlp), examples, sgd=optimizer)
    margins, wanted = (x[:, 1:] - x[:, :1] for x in (logits(student), logits(hash_nlp)))
    assert np.abs(margins - wanted).mean() < 0.5
    assert ((margins > 0) == (wanted > 0)).mean() > 0.95


@pytest.mark.parametrize("change", ["order", "number"])
def test_entities_that_differ_are_said_with_the_document(hash_nlp, change):
    student = fresh()
    eg = without_gold(student)[0]
    found = list(get_entities(eg.predicted))
    set_entities(eg.predicted, found[::-1] if change == "order" else found[:-1])
    with pytest.raises(ValueError, match=r"docre-E146.*'Ada.*set_entities"):
        component_of(student).distill(component_of(hash_nlp), [eg])


def test_a_teacher_that_is_not_trained_is_said(hash_nlp):
    """One that has the labels, and no weights."""
    student, teacher = fresh(), hash_pipeline()
    for label in component_of(student).labels:
        component_of(teacher).add_label(label)
    with pytest.raises(ValueError, match="docre-E065"):
        component_of(student).distill(component_of(teacher), without_gold(student))
