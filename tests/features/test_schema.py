"""Rules of relations: learned by counting, read from files, and by the columns of a model."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.util import registry
from spacy.vocab import Vocab

from spacy_docre import set_entities, set_relations
from spacy_docre.features.pair_batch import off_diagonal
from spacy_docre.features.schema import SEEN_ENOUGH, Rules, Schema, SchemaCounts, create_schema_v1, read_schema

BORN = {"types": {"born in": [["PER", "LOC"]]}, "inverses": {"founder of": "founded by"}}


def document(types: list[str], relations: list[tuple[int, str, int]], status: str = "complete") -> Doc:
    """Every word is an entity, of these types."""
    doc = Doc(Vocab(), words=[f"w{i}" for i in range(len(types))])
    set_entities(doc, [[Span(doc, i, i + 1, label=x)] for i, x in enumerate(types)])
    set_relations(doc, [(str(h), label, str(t)) for h, label, t in relations], status=status)
    return doc


def family(*labels: str, status: str = "complete") -> Doc:
    """Labels of (0, 1); those that end with ⁻¹ are of (1, 0)."""
    pairs = {True: (1, 0), False: (0, 1)}
    relations = [(pairs[x.endswith("⁻¹")], x.removesuffix("⁻¹")) for x in labels]
    return document(["PER", "PER"], [(h, x, t) for (h, t), x in relations], status)


def learned(*docs: Doc) -> dict:
    counts = SchemaCounts()
    for doc in docs:
        counts.add(doc)
    return counts.rules()


def inverses(*docs: Doc) -> dict:
    return learned(*docs)["inverses"]


@pytest.mark.parametrize("status", ["complete", "incomplete", "distant", "none"])
def test_types_by_hand(status):
    """Nine times PER -> LOC and once PER -> ORG, whoever labelled them: what is there is there."""
    docs = [document(["PER", "LOC"], [(0, "born in", 1)], status) for _ in range(9)]
    docs.append(document(["ORG", "PER"], [(1, "born in", 0)], status))
    assert learned(*docs) == {"types": {"born in": [["PER", "LOC"], ["PER", "ORG"]]}, "inverses": {}}


@pytest.mark.parametrize(("n", "n_labels"), [(SEEN_ENOUGH - 1, 0), (SEEN_ENOUGH, 1)])
def test_few_relations_say_nothing_of_types(n, n_labels):
    doc = document(["LOC"] + ["PER"] * n, [(i, "born in", 0) for i in range(1, n + 1)])
    assert len(learned(doc)["types"]) == n_labels


def test_an_entity_has_the_type_of_most_of_its_mentions():
    doc = Doc(Vocab(), words=["Paris", "Paris", "Paris", "Ada"])
    set_entities(doc, [[Span(doc, i, i + 1, label=x) for i, x in enumerate(["ORG", "LOC", "LOC"])], [doc[3:4]]])
    set_relations(doc, [("1", "born in", "0")])
    assert learned(*[doc] * 10)["types"] == {"born in": [["", "LOC"]]}


def test_an_inverse_by_hand():
    """Whenever one is the parent of the other, the other is the child of the one."""
    assert inverses(*[family("parent", "child⁻¹")] * 5) == {"parent": "child", "child": "parent"}


def test_few_relations_teach_no_inverse():
    assert inverses(*[family("parent", "child⁻¹")] * 4) == {}


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7])
def test_nearly_always_is_19_of_20(n):
    """The child is there for every parent; the parent is missing for one child in 20, then for one more."""
    missing, both = [family("child")] * n, [family("parent", "child⁻¹")] * 19 * n
    assert inverses(*both, *missing) == {"parent": "child", "child": "parent"}
    assert inverses(*both, *missing, family("child")) == {"parent": "child"}


def test_a_symmetric_label_is_its_own_inverse():
    assert inverses(*[family("spouse", "spouse⁻¹")] * 3) == {"spouse": "spouse"}


def test_the_same_pair_and_other_pairs_teach_no_inverse():
    """Country and continent of one city; a chain from 0 to 2."""
    chain = document(["LOC"] * 3, [(0, "in", 1), (1, "has", 2)])
    assert inverses(*[family("in country", "on continent")] * 9, *[chain] * 9) == {}


@pytest.mark.parametrize("status", ["incomplete", "distant", "none"])
def test_labels_that_are_not_complete_teach_no_inverse_and_do_not_speak_against_one(status):
    both, one = family("parent", "child⁻¹", status=status), family("parent", status=status)
    assert inverses(*[both] * 9) == {}
    assert inverses(*[family("parent", "child⁻¹")] * 5, *[one] * 9) == {"parent": "child", "child": "parent"}


def test_the_inverse_that_is_there_most_often_wins_else_the_first_by_name():
    docs = [family("part of", "holds⁻¹", "has⁻¹")] * 20
    assert inverses(*docs)["part of"] == "has"
    assert inverses(*docs, family("part of", "holds⁻¹"))["part of"] == "holds"


def test_a_relation_that_stands_twice_is_one():
    twice = family(*["parent"] * 9)
    assert learned(twice) == {"types": {}, "inverses": {}}
    assert inverses(*[family("parent", "parent", "child⁻¹")] * 5)["parent"] == "child"


def test_relations_of_entities_that_are_gone_say_nothing():
    docs = [family("parent", "child⁻¹") for _ in range(20)]
    expected = learned(*docs)
    for doc in docs:
        doc.user_data["docre_relations"].append({"head": "0", "label": "spouse", "tail": "gone"})
    assert expected["types"]
    assert learned(*docs) == expected


@pytest.mark.parametrize("docs", [[], [document([], [])], [Doc(Vocab())], [document(["PER"] * 3, [])]])
def test_without_relations_there_are_no_rules(docs):
    assert learned(*docs) == {"types": {}, "inverses": {}}


def slow_rules(docs: list[tuple[bool, set]], types: list[str]) -> dict:
    labels = sorted({label for _, relations in docs for _, label, _ in relations})
    allowed, turned = {}, {}
    for label in labels:
        seen = [(types[h], types[t]) for _, relations in docs for h, x, t in relations if x == label]
        if len(seen) >= 10:
            allowed[label] = [list(pair) for pair in sorted(set(seen))]
        own = [(h, t, relations) for complete, relations in docs for h, x, t in relations if complete and x == label]
        shares = {other: sum((t, other, h) in rels for h, t, rels in own) for other in labels}
        best = max(labels, key=lambda other: shares[other])
        if len(own) >= 5 and 20 * shares[best] >= 19 * len(own):
            turned[label] = best
    return {"types": allowed, "inverses": turned}


TRIPLES = st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(0, 2)).filter(lambda x: x[0] != x[2])


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), st.sets(TRIPLES, max_size=12)), max_size=4), st.booleans())
def test_equals_loops(docs, closed):
    """closed: "b" is there wherever "a" is, the other way round."""
    types = ["PER", "PER", "LOC"]
    if closed:
        docs = [(complete, found | {(t, "b", h) for h, x, t in found if x == "a"}) for complete, found in docs]
    made = [document(types, sorted(found), "complete" if complete else "distant") for complete, found in docs]
    assert learned(*made) == slow_rules(docs, types)


def test_what_is_learned_is_what_is_read(tmp_path):
    rules = learned(*[family("parent", "child⁻¹")] * 10)
    assert rules["types"]
    assert rules["inverses"]
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({**rules, "comment": "by hand"}), encoding="utf8")
    assert read_schema(path) == rules
    assert create_schema_v1(path).read() == rules


def bad(types=..., inverses=...) -> str:
    fields = {"types": types, "inverses": inverses}
    return json.dumps({name: value for name, value in fields.items() if value is not ...})


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("", "E093", "can't read it as JSON"),
        ('{"types": {}', "E093", "can't read it as JSON"),
        (b"\xff\xfe\x00", "E093", "can't read it as JSON"),
        ("[]", "E094", "'types'"),
        ('"rules"', "E094", "'types'"),
        ("null", "E094", "'types'"),
        (bad(inverses={}), "E094", "'types'"),
        (bad(types=[["PER", "LOC"]], inverses={}), "E094", "'types'"),
        (bad(types={"a": "PER"}, inverses={}), "E094", "'types.a'"),
        (bad(types={"a": [], "b": {"PER": "LOC"}}, inverses={}), "E094", "'types.b'"),
        (bad(types={"a": ["PER", "LOC"]}, inverses={}), "E094", "'types.a'"),
        (bad(types={"a": [["PER", "LOC"], ["PER"]]}, inverses={}), "E094", "'types.a'"),
        (bad(types={"a": [["PER", "LOC", "ORG"]]}, inverses={}), "E094", "'types.a'"),
        (bad(types={"a": [["PER", None]]}, inverses={}), "E094", "'types.a'"),
        (bad(types={}), "E094", "'inverses'"),
        (bad(types={}, inverses=[["a", "b"]]), "E094", "'inverses'"),
        (bad(types={}, inverses={"a": ["b"]}), "E094", "'inverses'"),
        (bad(types={}, inverses={"a": None}), "E094", "'inverses'"),
    ],
)
def test_a_bad_file_is_named_with_the_field(tmp_path, content, code, said):
    path = tmp_path / "schema.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"docre-{code}") as error:
        read_schema(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"docre-E024.*nowhere\.json"):
        create_schema_v1(tmp_path / "nowhere.json").read()


def test_a_folder_is_no_file_of_rules(tmp_path):
    with pytest.raises(ValueError, match="docre-E0"):
        read_schema(tmp_path)


def test_the_registered_schema_and_its_defaults(tmp_path):
    make = registry.misc.get("spacy-docre.Schema.v1")
    assert make() == make(path=None) == make(path="") == Schema(None, types=True, inverses=True)
    assert make().read() is None
    assert make(path=str(tmp_path), types=False).path == tmp_path


LABELS = ["born in", "founder of", "spouse", "founded by"]


def cells(rules: Rules, types: list[str]) -> dict[tuple[str, str], list[bool]]:
    """Which labels are allowed, by the types of head and tail."""
    head, tail = off_diagonal(len(types))
    allowed = rules.allowed_cells(types, head, tail)
    assert allowed.shape == (len(head), len(rules.inverse))
    return {(types[h], types[t]): row.tolist() for h, t, row in zip(head, tail, allowed)}


def test_allowed_cells_by_hand():
    """Nobody was born in a person; of the other labels nothing is known."""
    rules = Rules(BORN, LABELS, types=True, inverses=True)
    assert cells(rules, ["PER", "LOC"]) == {("PER", "LOC"): [True] * 4, ("LOC", "PER"): [False, True, True, True]}
    assert rules.inverse.tolist() == [-1, 3, -1, -1]


def test_unknown_types_are_left_alone():
    """On either side, whatever the other side is."""
    found = cells(Rules(BORN, LABELS, types=True, inverses=True), ["EVENT", "PER", ""])
    assert all(all(row) for row in found.values())


def test_a_type_that_some_label_knows_is_known_to_all_that_have_rules():
    stored = {"types": {"born in": [["PER", "LOC"]], "founder of": [["PER", "ORG"]]}, "inverses": {}}
    found = cells(Rules(stored, LABELS, types=True, inverses=True), ["PER", "ORG"])
    assert found == {("PER", "ORG"): [False, True, True, True], ("ORG", "PER"): [False, False, True, True]}


def test_either_kind_of_rule_can_be_left_out():
    assert all(map(all, cells(Rules(BORN, LABELS, types=False, inverses=True), ["LOC", "PER"]).values()))
    assert Rules(BORN, LABELS, types=False, inverses=True).inverse.tolist() == [-1, 3, -1, -1]
    rules = Rules(BORN, LABELS, types=True, inverses=False)
    assert rules.inverse.tolist() == [-1] * 4
    assert not cells(rules, ["LOC", "PER"])["LOC", "PER"][0]


def test_labels_that_the_model_does_not_have_are_left_out():
    """Neither an inverse of an unknown label, nor an unknown inverse."""
    for labels in (["founder of"], ["founded by"], []):
        rules = Rules(BORN, labels, types=True, inverses=True)
        assert rules.inverse.tolist() == [-1] * len(labels)
        assert all(map(all, cells(rules, ["LOC", "PER"]).values()))


@pytest.mark.parametrize("n", [0, 1])
def test_documents_without_pairs(n):
    assert cells(Rules(BORN, LABELS, types=True, inverses=True), ["PER"] * n) == {}


NAMES = st.sampled_from(["PER", "LOC", "ORG", "EVENT", ""])
STORED = st.dictionaries(st.sampled_from("abc"), st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=4))


@settings(deadline=None, derandomize=True)
@given(STORED, st.lists(NAMES, max_size=5))
def test_allowed_cells_equal_loops(stored, types):
    labels = ["b", "x", "a", "c"]
    known = {name for pairs in stored.values() for pair in pairs for name in pair}
    rules = Rules({"types": stored, "inverses": {}}, labels, types=True, inverses=True)
    head, tail = off_diagonal(len(types))
    found = rules.allowed_cells(types, head, tail)
    for (row, label), is_allowed in zip(product(range(len(head)), labels), np.ravel(found)):
        pair = (types[head[row]], types[tail[row]])
        forbidden = label in stored and known.issuperset(pair) and pair not in stored[label]
        assert is_allowed != forbidden
