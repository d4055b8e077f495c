"""`docre_entities` with a trained grouper: what it learns that rules can't know, and what must never be joined."""

import copy
import random
import subprocess
import sys
from math import log

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import fix_random_seed

from spacy_docre import get_entities, set_entities
from spacy_docre.annotations import MENTIONS_KEY, has_mentions
from spacy_docre.errors import once
from spacy_docre.grouping.candidates import N_FEATURES, Candidates
from spacy_docre.pipeline.linked_entities import LinkedEntities, link
from spacy_docre.pipeline.ruled_entities import DocREEntities
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import make_doc
from ..grouping.mentions import mentions_of
from ..pipelines import HASH_EMBED, initialised, step, transformer_pipeline
from ..reloading import from_bytes, from_folder, from_pickle
from .test_ner import LISTENER
from .test_predicted_entities import seen

LINKER = {"@architectures": "spacy-docre.MentionLinker.v1", "tok2vec": HASH_EMBED, "hidden_width": 32}
LISTENING = {**LINKER, "tok2vec": LISTENER}
SAME = {"Big Apple": "New York", "Windy City": "Chicago"}
LESSONS = [
    "She left [New York] for [Chicago] . Back in the [Big Apple] she missed the [Windy City] .",
    "[Paris] is far from the [Windy City] . [Chicago] is near the [Big Apple] . [New York] is old .",
    "[Big Apple] and [Paris] , [Chicago] and [New York] .",
]
LEARNED = [
    [["New York", "Big Apple"], ["Chicago", "Windy City"]],
    [["Paris"], ["Windy City", "Chicago"], ["Big Apple", "New York"]],
    [["Big Apple", "New York"], ["Paris"], ["Chicago"]],
]
BY_RULES = [[[name] for entity in doc for name in entity] for doc in LEARNED]  # in any order
UNSEEN = "The [Windy City] was home , [New York] was not , said [Paris] . The [Big Apple] is not [Chicago] , [Paris] ."
TEXTS = ["", *LESSONS, "Nobody was here .", UNSEEN, "In [Paris] .", "[Rome] [Rome]"]


def marked(vocab: Vocab, text: str, label: str = "LOC") -> Doc:
    """ "[New York] is old": what is marked stands in doc.ents, and nobody has said what the entities are."""
    words = text.split()
    doc = Doc(vocab, words=[word.strip("[]") for word in words])
    starts = [i for i, word in enumerate(words) if word.startswith("[")]
    ends = [i + 1 for i, word in enumerate(words) if word.endswith("]")]
    doc.ents = [Span(doc, start, end, label=label) for start, end in zip(starts, ends)]
    return doc


def annotated(doc: Doc, same: dict[str, str] = SAME) -> Doc:
    """With one entity for all names of one thing."""
    things: dict[str, list[Span]] = {}
    for mention in doc.ents:
        things.setdefault(same.get(mention.text, mention.text), []).append(mention)
    set_entities(doc, list(things.values()))
    return doc


def examples(nlp: Language, texts=LESSONS, same: dict[str, str] = SAME, label: str = "LOC") -> list[Example]:
    """Predicted documents have nothing but their tokens."""
    references = [annotated(marked(nlp.vocab, text, label), same) for text in texts]
    return [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in references]


def pipeline(linker: dict | None = LINKER, **settings) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("docre_entities", config={"model": linker, **settings})
    return nlp


def after_transformer(encoder, linker: dict | None = LISTENING, *, ner: bool = False) -> Language:
    nlp = transformer_pipeline(encoder)
    nlp.remove_pipe("docre_relations")
    if ner:
        parser = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner", "extra_state_tokens": False}
        parser |= {"hidden_width": 32, "maxout_pieces": 2, "use_upper": False, "nO": None, "tok2vec": LISTENER}
        nlp.add_pipe("ner", config={"model": parser})
    nlp.add_pipe("docre_entities", config={"model": linker})
    return nlp


def after_tok2vec() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": HASH_EMBED})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": HASH_EMBED["width"], "upstream": "*"}
    nlp.add_pipe("docre_entities", config={"model": {**LINKER, "tok2vec": listener}})
    return nlp


def learn(nlp: Language, lessons: list[Example] | None = None, *, steps: int = 40, **settings) -> Language:
    lessons = lessons or examples(nlp)
    initialised(nlp, lessons)
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(steps):
        step(nlp, lessons, optimizer, **settings)
    return nlp


def entities(doc: Doc) -> list[list[str]]:
    return [[m.text for m in entity.mentions] for entity in get_entities(doc)]


def found(nlp: Language, texts=TEXTS, label: str = "LOC") -> list[list[list[str]]]:
    return [entities(nlp(marked(nlp.vocab, text, label))) for text in texts]


def in_any_order(docs: list[list[list[str]]]) -> list[list[list[str]]]:
    return [sorted(doc) for doc in docs]


@pytest.fixture(scope="module")
def trained() -> Language:
    return learn(pipeline())


@pytest.fixture(scope="module")
def trained_with_transformer(encoder) -> Language:
    return learn(after_transformer(encoder))


@pytest.fixture(params=["trained", "trained_with_transformer"])
def each(request) -> Language:
    return request.getfixturevalue(request.param)


def test_without_a_linker_there_are_only_rules():
    """Which know nothing of nicknames."""
    nlp = pipeline(None)
    assert type(nlp.get_pipe("docre_entities")) is DocREEntities
    assert in_any_order(found(nlp, LESSONS)) == in_any_order(BY_RULES)


def test_nicknames_are_learned(each):
    assert isinstance(each.get_pipe("docre_entities"), LinkedEntities)
    assert found(each, LESSONS) == LEARNED


def test_what_is_learned_holds_in_another_text(trained):
    """And what the rules are sure of, both Paris, comes with it."""
    assert found(trained, [UNSEEN]) == [[["Windy City", "Chicago"], ["New York", "Big Apple"], ["Paris", "Paris"]]]


def test_names_that_are_annotated_as_different_stay_apart():
    nlp = pipeline()
    assert in_any_order(found(learn(nlp, examples(nlp, same={})), LESSONS)) == in_any_order(BY_RULES)


@pytest.mark.parametrize("same", [{}, {"Curie": "Marie Curie"}], ids=["two people", "one person"])
def test_what_the_alias_grouper_would_join_is_up_to_the_annotations(same):
    text = "[Marie Curie] met [Curie] ."
    assert found(pipeline(None), [text], "PER") == [[["Marie Curie", "Curie"]]]
    nlp = pipeline()
    learn(nlp, examples(nlp, [text], same, "PER"))
    assert len(found(nlp, [text], "PER")[0]) == 2 - len(same)


def test_links_are_learned_through_spacys_own_tok2vec():
    assert found(learn(after_tok2vec()), LESSONS) == LEARNED


def weights(nlp: Language) -> list[torch.Tensor]:
    return [w.detach().clone() for w in nlp.get_pipe("transformer").model.transformer.parameters()]


def test_the_encoder_learns_links(encoder):
    nlp = initialised(after_transformer(encoder), examples(spacy.blank("en")))
    before = weights(nlp)
    step(nlp, examples(nlp), create_adamw_v1(weight_decay=0.0))
    assert sum(bool((old != new).any()) for old, new in zip(before, weights(nlp))) > len(before) / 2


NO_PAIRS = {
    "no names": ["Nobody was here .", "She left ."],
    "one name": ["She left [New York] .", "In [Paris] ."],
    "one name twice": ["[Paris] is [Paris] .", "She left ."],
    "no tokens": ["", "In [Paris] .", "Nobody ."],
}


@pytest.mark.parametrize("texts", NO_PAIRS.values(), ids=NO_PAIRS)
def test_a_batch_without_pairs_passes_on_what_the_ner_has_to_teach(encoder, texts):
    """The encoder waits for all that listen to it: its step is the same as without the linker."""
    after = []
    for linker in (LISTENING, None):
        nlp = after_transformer(encoder, linker, ner=True)
        initialised(nlp, examples(nlp))
        before = weights(nlp)
        fix_random_seed(0)  # the encoder's dropout
        losses = step(nlp, examples(nlp, texts), create_adamw_v1(weight_decay=0.0))
        assert losses.get("docre_entities", 0.0) == 0
        after.append(weights(nlp))
    assert sum(bool((old != new).any()) for old, new in zip(before, after[0])) > len(before) / 2
    assert all(torch.allclose(one, other, atol=1e-7) for one, other in zip(*after))


def test_learning_goes_on_after_batches_without_pairs(encoder):
    nlp = initialised(after_transformer(encoder), examples(spacy.blank("en")))
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(40):
        for texts in (LESSONS, NO_PAIRS["no names"]):
            step(nlp, examples(nlp, texts), optimizer)
    assert found(nlp, LESSONS) == LEARNED


@pytest.mark.parametrize("texts", [[], [""], ["", ""]], ids=len)
def test_nothing_to_learn_from(trained, texts):
    assert trained.get_pipe("docre_entities").update(examples(trained, texts)) == {"docre_entities": 0.0}


# Targets and loss


def targets(nlp: Language, predicted: Doc, reference: Doc) -> dict[tuple[str, str], float]:
    """By the names of each pair, at their first mentions."""
    candidates, same = nlp.get_pipe("docre_entities").annotated(Example(predicted, reference))
    names = [candidates.mentions[group[0]].text for group in candidates.names]
    return {(names[i], names[j]): y for (i, j), y in zip(candidates.pairs.tolist(), same.tolist(), strict=True)}


def test_targets_by_hand(trained):
    expected = {("Big Apple", "New York"): 1, ("Paris", "Chicago"): 0, ("Chicago", "New York"): 0}
    expected |= {("Big Apple", "Paris"): 0, ("Big Apple", "Chicago"): 0, ("Paris", "New York"): 0}
    reference = annotated(marked(trained.vocab, LESSONS[2]))
    assert targets(trained, Doc(trained.vocab, words=[t.text for t in reference]), reference) == expected
    assert targets(trained, reference.copy(), reference) == expected


@pytest.mark.parametrize(("bonn", "same"), [("1", 1), ("0", 0)])
def test_a_name_is_where_most_of_its_mentions_are(trained, bonn, same):
    """Ulm is the rules' one name, and the annotators' entities 0, 1 and 1."""
    doc = marked(trained.vocab, "[Ulm] [Ulm] [Ulm] [Bonn]")
    ulm = [[doc[0:1]], [doc[1:2], doc[2:3]]]
    ulm[int(bonn)].append(doc[3:4])
    set_entities(doc, ulm)
    for mention in doc.spans[MENTIONS_KEY]:
        mention.label_ = "LOC"
    assert targets(trained, doc, doc) == {("Ulm", "Bonn"): same}


def test_a_span_of_two_entities_is_the_first_ones(trained):
    doc = marked(trained.vocab, "[Ulm] and [Bonn]")
    ulm, bonn = doc.ents
    set_entities(doc, [[ulm, bonn], [bonn]])
    assert targets(trained, doc, doc) == {("Ulm", "Bonn"): 1}


def test_mentions_are_carried_to_another_tokenisation(trained):
    """ "New York" has three tokens there."""
    reference = annotated(marked(trained.vocab, LESSONS[0]))
    words = " ".join(t.text for t in reference).replace("York", "Yo rk").split()
    predicted = Doc(trained.vocab, words=words)
    assert not has_mentions(predicted)
    result = targets(trained, predicted, reference)
    assert result["New Yo rk", "Big Apple"] == 1
    assert list(result.values()) == list(targets(trained, reference, reference).values())


def test_other_entities_of_the_predicted_document_are_not_learned_from(trained):
    """Found by an earlier component, or by this one before."""
    reference = annotated(marked(trained.vocab, LESSONS[2]))
    predicted = annotated(marked(trained.vocab, LESSONS[2]), {"Big Apple": "Paris"})
    assert targets(trained, predicted, reference) == targets(trained, reference, reference)


def test_loss_by_hand(trained):
    """Three logits of 0: log 2 each. The gradient is (½ - target) / 3."""
    component = trained.get_pipe("docre_entities")
    wanted = [np.array([1.0], dtype="f"), np.zeros(0, dtype="f"), np.array([0.0, 1.0], dtype="f")]
    loss, gradient = component.get_loss(wanted, np.zeros(3, dtype="f"))
    assert loss == pytest.approx(log(2))
    assert gradient == pytest.approx(np.array([-0.5, 0.5, -0.5]) / 3)


def test_no_pairs_cost_nothing(trained):
    loss, gradient = trained.get_pipe("docre_entities").get_loss([np.zeros(0, dtype="f")], np.zeros(0, dtype="f"))
    assert (loss, gradient.shape) == (0, (0,))


def test_losses_are_added_up():
    nlp = initialised(pipeline(), examples(pipeline()))
    component, lessons = nlp.get_pipe("docre_entities"), examples(nlp)
    once = component.update(lessons)["docre_entities"]
    assert once > 0.1
    assert component.update(lessons, losses={"docre_entities": 1.0}) == {"docre_entities": pytest.approx(1 + once)}


def test_weights_change_with_an_optimizer_only():
    nlp = initialised(pipeline(), examples(pipeline()))
    component, lessons = nlp.get_pipe("docre_entities"), examples(nlp)
    first = component.update(lessons)
    assert component.update(lessons) == pytest.approx(first)
    component.update(lessons, sgd=create_adamw_v1(learn_rate=1e-2, head_learn_rate=1e-2))
    assert component.update(lessons)["docre_entities"] < first["docre_entities"] - 1e-3


def test_found_entities_take_the_place_of_annotated_ones_in_training():
    """What `predicted_share` says: this component finds them. "She" is annotated, and no ner finds it."""
    nlp = pipeline(predicted_share=1.0, ramp_steps=1)
    nlp.add_pipe("test_predicted_probe")
    reference = annotated(marked(nlp.vocab, LESSONS[0]))
    set_entities(reference, [[Span(reference, 0, 1, label="PER")], *get_entities(reference)], ids=["a", "b", "c"])
    example = Example(reference.copy(), reference)
    annotates = ["docre_entities", "test_predicted_probe"]
    with pytest.warns(UserWarning, match="docre-W015"):
        initialised(nlp, [example])
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    assert seen(nlp, [example], optimizer, annotates=annotates) == [[["She"], *LEARNED[0]]]
    for _ in range(40):
        last = seen(nlp, [example], optimizer, annotates=annotates)
    assert last == [LEARNED[0]]
    assert entities(example.predicted) == entities(example.reference) == [["She"], *LEARNED[0]]


# From logits to entities


def linked(names: str, logits: dict[str, float], kb_ids=(), groups=None) -> list[str]:
    """Every letter is a mention, and a name unless `groups` says otherwise. logits: by the letters of a pair"""
    mentions = mentions_of(names, "LOC", kb_ids)
    groups = groups or [[i] for i in range(len(names))]
    firsts = [names[group[0]] for group in groups]
    pairs = np.array([[firsts.index(x) for x in pair] for pair in logits], dtype=np.int64).reshape(-1, 2)
    features = np.zeros((len(pairs), N_FEATURES), dtype=np.float32)
    candidates = Candidates(mentions[0].doc, mentions, groups, pairs, features)
    return ["".join(m.text for m in entity) for entity in link(candidates, np.array(list(logits.values())))]


def test_above_0_is_one_entity():
    """And exactly 0 is not."""
    assert linked("abcd", {"ab": 0.1, "ac": -0.1, "bd": 0.0}) == ["ab", "c", "d"]


def test_links_lead_on():
    """a - c and c - d, whatever a - d says."""
    assert linked("abcd", {"ac": 1.0, "cd": 1.0, "ad": -9.0}) == ["acd", "b"]


def test_no_links():
    assert linked("abc", {}) == ["a", "b", "c"]


def test_mentions_of_a_name_stay_together():
    assert linked("abcd", {"ac": 1.0}, groups=[[0, 3], [1], [2]]) == ["acd", "b"]
    assert linked("abcd", {"ac": -1.0}, groups=[[0, 3], [1], [2]]) == ["ad", "b", "c"]


@pytest.mark.parametrize(("logits", "expected"), [((2.0, 1.0), ["ab", "c"]), ((1.0, 2.0), ["a", "bc"])])
def test_the_surest_link_is_followed_first(logits, expected):
    """a is Q1, c is Q2, and b has no id: it goes where the model is surer."""
    assert linked("abc", dict(zip(("ab", "bc"), logits)), ["Q1", "", "Q2"]) == expected


def test_two_ids_are_never_linked_however_sure():
    assert linked("ab", {"ab": 100.0}, ["Q1", "Q2"]) == ["a", "b"]
    assert linked("ab", {"ab": 100.0}, ["Q1", "NIL"]) == ["ab"]


@pytest.mark.parametrize("seed", range(10))
def test_ids_hold_whatever_the_logits(seed):
    rng = random.Random(seed)
    names = "abcdefghijklmnop"
    kb_ids = [rng.choice(["", "", "NIL", "Q1", "Q2", "Q3"]) for _ in names]
    result = linked(names, {a + b: rng.gauss(0, 1) for b in names for a in names if a < b}, kb_ids)
    assert sorted("".join(result)) == list(names)
    assert all(len({kb_ids[names.index(x)] for x in entity} - {"", "NIL"}) <= 1 for entity in result)
    assert len(result) < len(names)


def with_ids(nlp: Language, *kb_ids: str) -> Doc:
    """As many mentions of Paris."""
    doc = Doc(nlp.vocab, words=["Paris"] * len(kb_ids))
    doc.ents = [Span(doc, i, i + 1, "LOC", kb_id=kb_id) for i, kb_id in enumerate(kb_ids)]
    return doc


@pytest.mark.parametrize("kb_ids", [["Q1", "Q1"], ["Q1", "Q2"], ["Q1", "", "Q2"], ["", "Q1", "Q2", "Q1"]], ids="-".join)
def test_knowledge_base_ids_are_as_with_rules(trained, kb_ids):
    expected = entities_by_place(pipeline(None)(with_ids(trained, *kb_ids)))
    assert entities_by_place(trained(with_ids(trained, *kb_ids))) == expected


@pytest.mark.parametrize("kb_ids", [["Q1", "Q2", "Q2"], ["", "Q1", "Q2", "Q2"]], ids="-".join)
def test_mentions_with_one_id_stay_together_in_a_name_of_several(trained, kb_ids):
    """Paris (Q1), and Paris (Q2) twice: the rules say two entities."""
    expected = [[i for i, kb_id in enumerate(kb_ids) if kb_id != "Q2"], [len(kb_ids) - 2, len(kb_ids) - 1]]
    assert entities_by_place(pipeline(None)(with_ids(trained, *kb_ids))) == expected
    assert entities_by_place(trained(with_ids(trained, *kb_ids))) == expected


def entities_by_place(doc: Doc) -> list[list[int]]:
    return [[m.start for m in entity.mentions] for entity in get_entities(doc)]


# Prediction


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_streams_are_as_single_documents(each, batch_size):
    stream = (marked(each.vocab, text) for text in TEXTS * 2)
    assert [entities(doc) for doc in each.pipe(stream, batch_size=batch_size)] == found(each) * 2


@pytest.mark.parametrize("text", ["", "Nobody was here .", "   "])
def test_a_document_without_names_has_no_entities(each, text):
    """Somebody has looked: they are set to none."""
    doc = each(marked(each.vocab, text))
    assert has_mentions(doc)
    assert get_entities(doc) == ()


def test_no_documents(trained):
    assert list(trained.pipe([])) == []
    assert trained.get_pipe("docre_entities").predict([]) == []


def test_predicting_changes_no_document(trained):
    docs = [marked(trained.vocab, text) for text in TEXTS]
    before = [doc.to_bytes() for doc in docs]
    trained.get_pipe("docre_entities").predict(docs)
    assert [doc.to_bytes() for doc in docs] == before


@pytest.mark.parametrize("overwrite", [False, True], ids=["keep", "overwrite"])
def test_entities_that_are_there_already(trained, overwrite):
    """Between documents that have none."""
    rules = copy.copy(trained.get_pipe("docre_entities").rules)
    rules.overwrite = overwrite
    component = LinkedEntities(trained.vocab, trained.get_pipe("docre_entities").model, "docre_entities", rules)
    docs = [marked(trained.vocab, text) for text in LESSONS]
    set_entities(docs[1], [[docs[1][1:2]]])
    expected = LEARNED if overwrite else [LEARNED[0], [["is"]], LEARNED[2]]
    assert [entities(doc) for doc in component.pipe(docs)] == expected


def test_types_are_mapped(trained):
    nlp = pipeline(type_map={"GPE": "LOC", "DATE": None})
    nlp.get_pipe("docre_entities").model.from_bytes(trained.get_pipe("docre_entities").model.to_bytes())
    doc = nlp(marked(nlp.vocab, LESSONS[0], "GPE"))
    assert entities(doc) == LEARNED[0]
    assert {entity.label for entity in get_entities(doc)} == {"LOC"}
    assert found(nlp, LESSONS, "DATE") == [[], [], []]


def test_mentions_of_a_span_group(trained):
    nlp = pipeline(spans_key="found")
    nlp.get_pipe("docre_entities").model.from_bytes(trained.get_pipe("docre_entities").model.to_bytes())
    doc = marked(nlp.vocab, LESSONS[0])
    with pytest.raises(ValueError, match="docre-E131"):
        nlp(doc)
    doc.spans["found"] = doc.ents[::-1]
    doc.ents = []
    assert entities(nlp(doc)) == LEARNED[0]


def test_scores_of_entities_are_evaluated(trained):
    """Rules find none of 6 links: of 4, 5 and 4 entities they have the B³ precision 1 and recall as below."""
    scores = []
    for nlp in (trained, pipeline(None)):
        pairs = [(marked(nlp.vocab, text), annotated(marked(nlp.vocab, text))) for text in LESSONS]
        scores.append(nlp.evaluate([Example(*pair) for pair in pairs]))
    names = [f"{measure}_{k}" for measure in ("muc", "b3", "ceafe") for k in "prf"]
    assert [scores[0][name] for name in [*names, "conll_f"]] == [1.0] * 10
    assert (scores[1]["muc_r"], scores[1]["b3_p"]) == (0, 1)
    assert scores[1]["b3_r"] == pytest.approx((4 * 0.5 + 1 + 4 * 0.5 + 2 * 0.5 + 2) / 13)
    assert scores[1]["conll_f"] < 0.9


# Saved, copied, sent to workers


def from_deepcopy(nlp, path):
    return copy.deepcopy(nlp)


def from_source(nlp, path):
    other = spacy.blank("en", vocab=nlp.vocab)
    for name in nlp.pipe_names:
        other.add_pipe(name, source=nlp)
    return other


@pytest.mark.parametrize("reload", [from_folder, from_bytes, from_pickle, from_deepcopy, from_source])
def test_reloaded_pipelines_find_the_same(each, tmp_path, reload):
    expected = found(each)
    loaded = reload(each, tmp_path / "saved")
    assert found(loaded) == expected
    assert expected[1:4] == LEARNED
    assert loaded.config["components"]["docre_entities"] == each.config["components"]["docre_entities"]
    assert loaded.config["components"]["docre_entities"]["model"]["hidden_width"] == 32


def test_a_component_can_be_saved_and_loaded_alone(trained, tmp_path):
    trained.get_pipe("docre_entities").to_disk(tmp_path / "component")
    for nlp in (pipeline(), initialised(pipeline(), examples(pipeline(), same={}))):
        nlp.get_pipe("docre_entities").from_disk(tmp_path / "component")
        assert found(nlp) == found(trained)


def test_a_loaded_pipeline_learns_on(trained, tmp_path):
    """That nothing is the same: the weights are those that are trained."""
    nlp = from_folder(trained, tmp_path / "saved")
    optimizer = create_adamw_v1(learn_rate=3e-3, head_learn_rate=3e-3, weight_decay=0.0)
    for _ in range(40):
        step(nlp, examples(nlp, same={}), optimizer)
    assert in_any_order(found(nlp, LESSONS)) == in_any_order(BY_RULES)


def test_weights_that_do_not_fit_the_config_are_refused(trained, tmp_path):
    trained.to_disk(tmp_path)
    with pytest.raises(ValueError, match=r"(?s)docre-E046.*config changed after training"):
        spacy.load(tmp_path, config={"components": {"docre_entities": {"model": {"hidden_width": 16}}}})


def test_a_saved_linker_can_be_left_out(trained, tmp_path):
    trained.to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"components": {"docre_entities": {"model": None}}})
    assert in_any_order(found(nlp, LESSONS)) == in_any_order(BY_RULES)


WORKERS = """
import sys
import spacy
sys.path.insert(0, sys.argv[2])
from tests.pipeline.test_linked_entities import TEXTS, entities, marked

nlp = spacy.load(sys.argv[1])
docs = [marked(nlp.vocab, text) for text in TEXTS]
print([entities(doc) for doc in nlp.pipe(docs, n_process=2, batch_size=2)])
"""


def test_worker_processes_find_the_same(trained, tmp_path, pytestconfig):
    trained.to_disk(tmp_path / "saved")
    command = [sys.executable, "-c", WORKERS, str(tmp_path / "saved"), str(pytestconfig.rootpath)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(found(trained))


def test_the_encoder_can_be_built_in():
    nlp = learn(after_tok2vec())
    nlp.replace_listeners("tok2vec", "docre_entities", ["model.tok2vec"])
    nlp.remove_pipe("tok2vec")
    assert found(nlp, LESSONS) == LEARNED


def test_a_transformer_can_be_built_in(encoder):
    nlp = initialised(after_transformer(encoder), examples(spacy.blank("en")))
    expected = found(nlp)
    nlp.replace_listeners("transformer", "docre_entities", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert found(nlp) == expected


# What is missing is said


def test_initialising_without_an_encoder_is_refused():
    nlp = pipeline(LISTENING)
    with pytest.raises(ValueError, match="docre-E042"):
        nlp.initialize(lambda: examples(nlp))


def test_using_a_listener_that_nobody_feeds_is_refused():
    nlp = pipeline(LISTENING)
    with pytest.raises(ValueError, match="docre-E042"):
        nlp(marked(nlp.vocab, LESSONS[0]))


def test_an_uninitialised_linker_is_refused():
    nlp = pipeline()
    with pytest.raises(ValueError, match=r"docre-E(043|065)"):
        nlp(marked(nlp.vocab, LESSONS[0]))
    with pytest.raises(ValueError, match=r"docre-E(043|065)"):
        nlp.get_pipe("docre_entities").update(examples(nlp))


def test_entities_are_not_guessed_without_the_encoder(trained_with_transformer):
    """Its vectors would be zeros."""
    nlp = trained_with_transformer
    with nlp.select_pipes(disable="transformer"), pytest.raises(ValueError, match="docre-E041"):
        nlp(marked(nlp.vocab, LESSONS[0]))


@pytest.mark.parametrize("linked", [True, False])
def test_rules_and_linker_warn_of_a_wrong_place_in_the_pipeline(trained, monkeypatch, linked):
    """Too early: nobody has looked for mentions. Too late: relations have been predicted."""
    monkeypatch.setattr(once, "_given", set())
    if linked:
        nlp = trained
    else:
        nlp = spacy.blank("en")
        nlp.add_pipe("docre_entities")
    with pytest.warns(UserWarning, match="docre-W016"):
        nlp("Ada met Charles.")
    doc = make_doc(nlp.vocab)
    doc.user_data["docre_relations"][0]["score"] = 0.5
    with pytest.warns(UserWarning, match="docre-W020"):
        nlp(doc)
