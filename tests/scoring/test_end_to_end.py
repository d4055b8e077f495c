"""From raw text to relations: what is found, strictly and loosely, and why relations are not, by hand."""

import random
import sys

import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import set_entities, set_relations
from spacy_docre.scoring.end_to_end import CAUSES, CLUSTER, EXTRA, MENTION, RELATION, TYPE, EndToEnd, score_end_to_end

WORDS = "Ada Lovelace met Babbage in London . She liked him .".split()
ADA, SHE, BABBAGE, LONDON, HIM = (0, 2), (7, 8), (3, 4), (5, 6), (9, 10)
ENTITIES = {"ada": ("PER", [ADA, SHE]), "babbage": ("PER", [BABBAGE]), "london": ("LOC", [LONDON])}
BORN = ("ada", "place of birth", "london")
RELATIONS = [BORN, ("ada", "colleague", "babbage"), ("babbage", "colleague", "ada")]


def document(entities=ENTITIES, relations=RELATIONS, words=WORDS, spaces=None) -> Doc:
    """entities: id -> type and places of its mentions"""
    doc = Doc(Vocab(), words=words, spaces=spaces)
    spans = [[Span(doc, start, end, label=label) for start, end in places] for label, places in entities.values()]
    set_entities(doc, spans, ids=list(entities))
    set_relations(doc, relations, status="complete")
    return doc


def score(found: Doc, gold: Doc | None = None, at_best: Doc | None = None) -> EndToEnd:
    """at_best: what is predicted with gold entities; by default all that is right."""
    gold = gold or document()
    return score_end_to_end([Example(found, gold)], [Example(at_best or gold.copy(), gold)])


def with_entities(**changed) -> Doc:
    """The gold document with other entities, and all relations between those that it has."""
    entities = {name: value for name, value in {**ENTITIES, **changed}.items() if value is not None}
    return document(entities, [r for r in RELATIONS if r[0] in entities and r[2] in entities])


def figures(counts) -> tuple[int, int, int]:
    return counts.gold, counts.predicted, counts.correct


def test_perfect_is_one_everywhere():
    scores = score(document()).scores()
    causes, lost = scores.pop("e2e_causes"), scores.pop("e2e_lost")
    assert causes == lost == dict.fromkeys(CAUSES, 0)
    names = ("e2e_strict", "e2e_loose", "mention", "mention_place", "muc", "b3", "ceafe")
    assert set(scores) == {*(f"{name}_{k}" for name in names for k in "prf"), "conll_f"}
    assert set(scores.values()) == {1}


WHY = {
    "a pronoun is not found": (with_entities(ada=("PER", [ADA])), {MENTION: 3}),
    "a mention is longer": (with_entities(ada=("PER", [(0, 3), SHE])), {MENTION: 3}),
    "an entity is not found": (with_entities(london=None), {MENTION: 1}),
    "one more mention": (with_entities(ada=("PER", [ADA, SHE, HIM])), {EXTRA: 3}),
    "two entities for one": (with_entities(ada=("PER", [ADA]), she=("PER", [SHE])), {CLUSTER: 3}),
    "one entity for two": (with_entities(ada=("PER", [ADA, SHE, LONDON]), london=None), {CLUSTER: 3}),
    "a mention in the wrong entity": (with_entities(ada=("PER", [ADA]), babbage=("PER", [BABBAGE, SHE])), {CLUSTER: 3}),
    "another type": (with_entities(london=("ORG", [LONDON])), {TYPE: 1}),
    "a relation is not found": (document(relations=RELATIONS[1:]), {RELATION: 1}),
    "another label": (document(relations=[("ada", "residence", "london"), *RELATIONS[1:]]), {RELATION: 1}),
    "head and tail swapped": (document(relations=[BORN[::-1], *RELATIONS[1:]]), {RELATION: 1}),
    "nothing is found": (document({}, []), {MENTION: 3}),
}


@pytest.mark.parametrize(("found", "causes"), WHY.values(), ids=WHY)
def test_why_a_relation_is_not_found(found, causes):
    result = score(found)
    assert dict(result.causes) == causes
    assert result.strict.correct == len(RELATIONS) - sum(causes.values())


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"ada": ("PER", [ADA]), "london": ("ORG", [LONDON])}, MENTION),
        ({"ada": ("PER", [ADA, SHE, HIM]), "london": ("ORG", [LONDON])}, EXTRA),
        ({"ada": ("PER", [ADA]), "she": ("PER", [SHE]), "london": ("ORG", [LONDON])}, CLUSTER),
        ({"ada": ("PER", [ADA, HIM]), "london": ("ORG", [LONDON])}, MENTION),
    ],
)
def test_of_several_causes_the_first_is_named(changed, cause):
    """Of head and tail the one that comes first; and of one entity: what was not found before what was too many."""
    found = with_entities(**changed)
    assert dict(score(found, document(relations=[BORN])).causes) == {cause: 1}


def test_an_entity_of_which_a_part_stands_elsewhere_is_a_wrong_cluster_even_with_mentions_too_many():
    found = with_entities(ada=("PER", [ADA, HIM]), she=("PER", [SHE]))
    assert dict(score(found).causes) == {CLUSTER: 3}


def test_a_missed_mention_by_hand():
    """ "She" is not found. Strictly, all is wrong: 0 of 3. Loosely Ada is found by her name: 3 of 3.

    3 of 4 mentions; of clusters {Ada}, B, L for {Ada, She}, B, L: no link found of 1; B³ 3 of 3, and (½ + 1 + 1) of 4;
    CEAF-e 2 · 1 / 3 + 1 + 1 of 3 each.
    """
    result = score(with_entities(ada=("PER", [ADA])))
    assert figures(result.strict) == (3, 3, 0)
    assert figures(result.loose) == (3, 3, 3)
    assert figures(result.mentions) == figures(result.places) == (4, 3, 3)
    assert result.clusters.sums["muc"] == [0, 0, 0, 1]
    assert result.clusters.sums["b3"] == pytest.approx([3, 3, 2.5, 4])
    assert result.clusters.sums["ceafe"] == pytest.approx([8 / 3, 3, 8 / 3, 3])


def test_a_wrong_type_by_hand():
    """London is no ORG: 3 of 4 mentions with their types, and all 4 places; its relation is right loosely."""
    result = score(with_entities(london=("ORG", [LONDON])))
    assert figures(result.mentions) == (4, 4, 3)
    assert figures(result.places) == (4, 4, 4)
    assert figures(result.strict) == (3, 3, 2)
    assert figures(result.loose) == (3, 3, 3)
    assert result.clusters.scores()["conll_f"] == 1


def test_scores_by_hand():
    """One of three relations is found, and one too many: precision 1/2, recall 1/3, F1 2/5."""
    scores = score(document(relations=[BORN, ("babbage", "place of birth", "london")])).scores()
    found = [scores[f"e2e_strict_{k}"] for k in "prf"]
    assert found == pytest.approx([1 / 2, 1 / 3, 2 / 5])
    assert [scores[f"e2e_loose_{k}"] for k in "prf"] == found
    assert scores["e2e_causes"] == {**dict.fromkeys(CAUSES, 0), RELATION: 2}


def test_loosely_the_entity_with_most_mentions_is_the_one():
    """Ada is {Ada, She} and a part of her, {him}, which shares nothing: only the first one's relation counts."""
    entities = {"0": ("PER", [ADA, SHE, HIM]), "1": ("LOC", [LONDON]), "2": ("PER", [HIM])}
    found = document(entities, [("0", "place of birth", "1"), ("2", "place of birth", "1")])
    result = score(found, document(relations=[BORN]))
    assert figures(result.strict) == (1, 2, 0)
    assert figures(result.loose) == (1, 2, 1)


def test_loosely_one_entity_is_found_once():
    """Two halves of Ada: one is she, the other nobody."""
    entities = {"0": ("PER", [ADA]), "1": ("LOC", [LONDON]), "2": ("PER", [SHE])}
    found = document(entities, [("0", "place of birth", "1"), ("2", "place of birth", "1")])
    assert figures(score(found, document(relations=[BORN])).loose) == (1, 2, 1)


def test_entities_that_share_no_mention_are_not_the_same_loosely_either():
    result = score(with_entities(ada=("PER", [(1, 2), HIM])))
    assert figures(result.loose) == (3, 3, 0)


def test_ids_do_not_matter():
    """The same entities by other names, one of them that of another entity in the gold document."""
    ids = {"ada": "london", "babbage": "0", "london": "x"}
    entities = {ids[name]: value for name, value in ENTITIES.items()}
    found = document(entities, [(ids[h], label, ids[t]) for h, label, t in RELATIONS])
    assert score(found).scores() == score(document()).scores()


def test_only_what_gold_entities_find_is_lost():
    """Without "She" all three are missed; with gold entities one would have been: it was not lost, but not learned."""
    result = score(with_entities(ada=("PER", [ADA])), at_best=document(relations=RELATIONS[:2]))
    assert dict(result.causes) == {MENTION: 3}
    assert result.lost[MENTION] == 2
    assert result.scores()["e2e_lost"] == {**dict.fromkeys(CAUSES, 0), MENTION: 2}


def test_what_gold_entities_do_not_find_either_is_not_lost():
    result = score(document(relations=[]), at_best=document(relations=[]))
    assert (result.causes[RELATION], result.lost.total()) == (3, 0)


def test_what_is_found_is_not_lost_whatever_gold_entities_find():
    result = score(document(), at_best=document(relations=[]))
    assert result.causes.total() == result.lost.total() == 0


SPLIT = "Ada Love lace met Babbage in London . She liked him .".split()
SPACES = [word != "Love" for word in SPLIT]


def test_other_tokens_on_the_predicted_side():
    """The tokenizer splits a name: places are compared by characters."""
    entities = {"ada": ("PER", [(0, 3), (8, 9)]), "babbage": ("PER", [(4, 5)]), "london": ("LOC", [(6, 7)])}
    right = document(entities, RELATIONS, SPLIT, SPACES)
    assert right.text == document().text
    assert score(right).scores() == score(document()).scores()
    entities["ada"] = ("PER", [(0, 2), (8, 9)])
    assert dict(score(document(entities, RELATIONS, SPLIT, SPACES)).causes) == {MENTION: 3}


def test_documents_add_up():
    pairs = [(document(), document()), (with_entities(london=None), document()), (document({}, []), document({}, []))]
    own = [Example(found, gold) for found, gold in pairs]
    gold = [Example(gold.copy(), gold) for _, gold in pairs]
    result = score_end_to_end(own, gold)
    assert figures(result.strict) == (6, 5, 5)
    assert figures(result.mentions) == (8, 7, 7)
    assert dict(result.causes) == dict(result.lost) == {MENTION: 1}


def test_the_same_relation_of_two_documents_is_two():
    """Keys are those of one document: entity "ada" of another one is another entity."""
    found, nothing = document(), document(relations=[])
    own = [Example(found, document()), Example(nothing, document())]
    result = score_end_to_end(own, own)
    assert figures(result.strict) == (6, 3, 3)


def test_nothing_to_find_is_zero():
    scores = EndToEnd().scores()
    assert scores.pop("e2e_causes") == scores.pop("e2e_lost") == dict.fromkeys(CAUSES, 0)
    assert set(scores.values()) == {0}


def test_both_sides_are_the_same_documents():
    example = Example(document(), document())
    with pytest.raises(ValueError, match=r"zip\(\)"):
        score_end_to_end([example, example], [example])


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"E130.*pip install scipy"):
        score(document())


def random_document(rng: random.Random) -> Doc:
    """Ten places in up to five entities of two types, or in none, and relations between some of them."""
    clusters: dict[str, list] = {}
    for i in range(10):
        if rng.random() < 0.8:
            clusters.setdefault(str(rng.randrange(5)), []).append((i, i + 1))
    entities = {id_: (rng.choice(["A", "B"]), places) for id_, places in clusters.items()}
    pairs = [(h, t) for h in entities for t in entities if h != t and rng.random() < 0.4]
    return document(entities, [(h, "r", t) for h, t in pairs])


def corrupted(gold: Doc, rng: random.Random) -> Doc:
    """Some mentions are lost, some entities change their type, and some relations are left out."""
    entities = {}
    for e in gold._.docre_entities:
        places = [(m.start, m.end) for m in e.mentions if rng.random() < 0.9]
        if places:
            entities[e.id] = (e.label if rng.random() < 0.8 else "C", places)
    kept = [(r.head.id, r.label_, r.tail.id) for r in gold._.relations if rng.random() < 0.8]
    return document(entities, [r for r in kept if r[0] in entities and r[2] in entities])


@pytest.mark.parametrize("find", [corrupted, lambda gold, rng: random_document(rng)], ids=["corrupted", "another"])
def test_causes_are_of_all_relations_that_are_not_found(find):
    rng = random.Random(0)
    for _ in range(30):
        gold = random_document(rng)
        result = score(find(gold, rng), gold, corrupted(gold, rng))
        assert result.causes.total() == result.strict.gold - result.strict.correct
        assert set(result.causes) <= set(CAUSES)
        assert all(result.lost[cause] <= result.causes[cause] for cause in CAUSES)
        assert result.loose.correct >= result.strict.correct
        assert result.loose.predicted == result.strict.predicted
        assert result.places.correct >= result.mentions.correct
