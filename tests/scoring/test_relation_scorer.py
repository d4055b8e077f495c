"""Scores of relations, against figures worked out by hand."""

import pytest
import srsly
from spacy import registry
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import get_entities, set_entities, set_relations
from spacy_docre.annotations import TITLE_KEY
from spacy_docre.scoring.facts import Facts
from spacy_docre.scoring.relation_scorer import create_relation_scorer_v1, score_relations

from ..conftest import make_doc
from ..pipelines import unlabelled

FIRST, SECOND = (0, 7), (7, 13)  # the sentences of `make_doc`
ADA, LONDON, BABBAGE = "0", "1", "2"
GOLD = [
    (ADA, "born in", LONDON, 1.0, [FIRST]),  # found; Ada and London share a sentence
    (ADA, "colleague", BABBAGE, 1.0, [SECOND]),  # missed; they share the second one
    (LONDON, "home of", BABBAGE, 1.0, [FIRST, SECOND]),  # found; across sentences
    (BABBAGE, "lives in", LONDON),  # missed; across sentences, without evidence
]
PREDICTED = [
    (ADA, "born in", LONDON, 0.9, [FIRST, SECOND]),
    (LONDON, "home of", BABBAGE, 0.9, [SECOND]),
    (BABBAGE, "colleague", ADA, 0.9, [SECOND]),  # wrong, in one sentence
    (LONDON, "colleague", BABBAGE, 0.9, [FIRST]),  # wrong, across sentences
    (BABBAGE, "born in", LONDON, 0.9),  # wrong, across sentences
]
FACTS = [("Ada Lovelace", "London", "born in"), ("London", "Charles Babbage", "colleague")]


def example(predicted=PREDICTED, gold=GOLD, *, status: str = "complete") -> Example:
    reference = make_doc()
    set_relations(reference, gold, status=status)
    doc = unlabelled(reference)
    set_relations(doc, predicted)
    return Example(doc, reference)


def f1(p: float, r: float) -> float:
    return 2 * p * r / (p + r)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("rel_micro_p", 2 / 5),
        ("rel_micro_r", 2 / 4),
        ("rel_micro_f", f1(2 / 5, 2 / 4)),
        ("rel_ign_f", f1(1 / 4, 2 / 4)),  # one correct prediction was known; recall stays whole
        ("rel_intra_f", f1(1 / 2, 1 / 2)),
        ("rel_inter_f", f1(1 / 3, 1 / 2)),
        ("rel_evidence_f", f1(2 / 5, 2 / 4)),  # sentences: 2 + 1 + 1 + 1 said, 1 + 1 + 2 in gold, 1 + 1 right
        ("rel_macro_rare_f", (f1(1 / 2, 1) + 0 + 1 + 0) / 4),  # born in, colleague, home of, lives in
    ],
)
def test_figures_by_hand(key, expected):
    assert score_relations([example()], facts=Facts(FACTS))[key] == pytest.approx(expected)


def test_counts_and_labels_by_hand():
    scores = score_relations([example()])
    assert scores["rel_counts"] == {"docs": 1, "gold": 4, "predicted": 5, "correct": 2}
    assert scores["rel_per_label"]["born in"] == pytest.approx({"p": 1 / 2, "r": 1, "f": 2 / 3, "gold": 1})
    assert scores["rel_per_label"]["lives in"] == {"p": 0, "r": 0, "f": 0, "gold": 1}
    assert scores["rel_ign_f"] is None, "without facts there is nothing to ignore"


def test_documents_are_counted_together():
    """Micro averages: 2 + 4 right of 5 + 4 predicted and 4 + 4 in gold."""
    scores = score_relations([example(), example(predicted=GOLD)])
    assert (scores["rel_micro_p"], scores["rel_micro_r"]) == pytest.approx((6 / 9, 6 / 8))


def test_frequent_labels_are_not_rare():
    """20 documents have 20 "colleague" each once: none of the labels is below 20 any more."""
    assert score_relations([example() for _ in range(20)])["rel_macro_rare_f"] is None
    assert score_relations([example() for _ in range(19)])["rel_macro_rare_f"] is not None


def test_perfect_predictions():
    scores = score_relations([example(predicted=GOLD)], facts=Facts([]))
    for key in ("micro_p", "micro_r", "micro_f", "ign_f", "intra_f", "inter_f", "evidence_f", "macro_rare_f"):
        assert scores[f"rel_{key}"] == 1.0


@pytest.mark.parametrize("gold", [GOLD, []])
def test_no_predictions_score_zero(gold):
    scores = score_relations([example(predicted=[], gold=gold)])
    assert [scores[f"rel_micro_{x}"] for x in "prf"] == [0, 0, 0]
    assert scores["rel_evidence_f"] is None


def test_a_label_predicted_twice_counts_once():
    assert score_relations([example(predicted=[*PREDICTED, *PREDICTED])])["rel_counts"]["predicted"] == 5


@pytest.mark.parametrize("names", [[], [ADA], [ADA, LONDON]])
def test_gold_pairs_that_were_never_proposed_are_misses(names):
    """The pipeline found only some of the entities: recall is over all four relations all the same."""
    eg = example(predicted=[])
    entities = [e for e in get_entities(eg.reference) if e.id in names]
    set_entities(eg.predicted, [list(e.mentions) for e in entities], ids=names)
    found = [("0", "born in", "1")] if LONDON in names else []
    set_relations(eg.predicted, found)
    scores = score_relations([eg])
    assert scores["rel_counts"]["gold"] == 4
    assert scores["rel_micro_r"] == len(found) / 4


def with_entities(entities, ids) -> Example:
    """A prediction of one relation, between the first two of these entities ((start, end, type), …)."""
    eg = example(predicted=[], gold=[(ADA, "born in", LONDON)])
    doc = eg.predicted
    set_entities(doc, [[Span(doc, *m) for m in mentions] for mentions in entities], ids=ids)
    set_relations(doc, [(ids[0], "born in", ids[1])])
    return eg


@pytest.mark.parametrize("ids", [("0", "1"), ("x", "y"), ("1", "0")], ids=["same ids", "others", "swapped"])
@pytest.mark.parametrize(
    ("ada", "correct"),
    [
        ([(0, 2, "PER"), (7, 8, "PER")], 1),
        ([(7, 8, "PER"), (0, 2, "PER")], 1),  # a set: the order does not matter
        ([(0, 2, "PER")], 0),  # a mention is missing
        ([(0, 2, "PER"), (7, 8, "PER"), (10, 12, "PER")], 0),  # one too many
        ([(1, 2, "PER"), (7, 8, "PER")], 0),  # another boundary
        ([(0, 2, "ORG"), (7, 8, "ORG")], 0),  # another type
    ],
)
def test_entities_are_their_type_and_set_of_mentions(ids, ada, correct):
    scores = score_relations([with_entities([ada, [(5, 6, "LOC")]], ids)])
    assert scores["rel_counts"]["correct"] == correct
    assert scores["rel_counts"]["predicted"] == 1


def test_entities_match_over_other_tokens():
    """The pipeline's own tokenizer split a word: mentions are compared by characters."""
    eg = example(predicted=[], gold=[(ADA, "born in", LONDON)])
    words = ["Ada", "Love", "lace", "was", "born", "in", "London", ".", "She", "worked", "with"]
    doc = Doc(Vocab(), words=[*words, "Charles", "Babbage", "."])
    set_entities(doc, [[Span(doc, 0, 3, "PER"), Span(doc, 8, 9, "PER")], [Span(doc, 6, 7, "LOC")]])
    set_relations(doc, [("0", "born in", "1")])
    eg.predicted = doc
    assert score_relations([eg])["rel_micro_f"] == 1.0


@pytest.mark.parametrize("status", ["incomplete", "distant", "none"])
def test_documents_that_are_not_complete_are_refused(status):
    eg = example(status=status)
    eg.reference.user_data[TITLE_KEY] = "Ada"
    with pytest.raises(ValueError, match=rf"docre-E100.*'Ada' are '{status}'.*allow_incomplete"):
        score_relations([example(), eg])
    assert score_relations([example(), eg], allow_incomplete=True)["rel_counts"]["docs"] == 2


def test_nothing_to_score_is_none():
    assert score_relations([])["rel_micro_f"] is None


def test_without_sentences_there_is_no_place_and_no_evidence():
    reference = make_doc()
    doc = unlabelled(reference, sentences=False)
    set_relations(doc, [("0", "colleague", "2", 1.0, [(0, 3)])], status="complete")
    scores = score_relations([Example(unlabelled(doc), doc)])
    assert (scores["rel_intra_f"], scores["rel_inter_f"], scores["rel_evidence_f"]) == (None, None, None)
    assert scores["rel_counts"]["gold"] == 1


def test_the_registered_scorer_reads_facts_from_a_file(tmp_path):
    srsly.write_json(tmp_path / "facts.json", [list(fact) for fact in FACTS])
    scorer = registry.scorers.get("spacy-docre.relation_scorer.v1")(facts=tmp_path / "facts.json")
    assert scorer([example()])["rel_ign_f"] == pytest.approx(1 / 3)
    lenient = create_relation_scorer_v1(allow_incomplete=True)
    assert lenient([example(status="distant")])["rel_micro_p"] == pytest.approx(2 / 5)


@pytest.mark.parametrize("content", ['{"facts": []}', '[["a", "b"]]', '[["a", "b", 3]]', "[", '"text"'])
def test_bad_facts_are_refused_with_their_file(tmp_path, content):
    (tmp_path / "facts.json").write_text(content, encoding="utf8")
    scorer = create_relation_scorer_v1(facts=tmp_path / "facts.json")
    with pytest.raises(ValueError, match=r"(?s)facts\.json: can't read facts\. Expected JSON"):
        scorer([example()])


def test_without_the_facts_file_there_is_a_warning_and_no_ign_f1(tmp_path):
    """A pipeline that was trained with facts loads and scores where the file is not."""
    scorer = create_relation_scorer_v1(facts=tmp_path / "facts.json")
    with pytest.warns(UserWarning, match="W010"):
        scores = scorer([example()])
    assert scores["rel_ign_f"] is None
    assert scores["rel_micro_f"] > 0
    srsly.write_json(tmp_path / "facts.json", [list(fact) for fact in FACTS])
    assert scorer([example()])["rel_ign_f"] == pytest.approx(1 / 3), "it is read once it is there"


def test_evidence_of_a_document_that_is_tokenised_differently():
    """Each of its tokens is in the sentence of the reference that it begins in."""

    def make(text: str, *, gold: bool) -> Doc:
        sentences = [x.split() for x in text.split("|")]
        starts = [i == 0 for words in sentences for i in range(len(words))]
        doc = Doc(Vocab(), words=[w for words in sentences for w in words], sent_starts=starts if gold else None)
        ada = [i for i, token in enumerate(doc) if token.text == "Ada"]
        bob = len(doc) - 4
        set_entities(doc, [[Span(doc, i, i + 1, label="PER") for i in ada], [Span(doc, bob, bob + 1, label="PER")]])
        set_relations(doc, [("0", "knows", "1", 1.0, [(bob, len(doc))])], status="complete")
        return doc

    reference = make("Ada ca n't wo n't go . | Bob sees Ada .", gold=True)
    predicted = make("Ada can't won't go . | Bob sees Ada .", gold=False)
    scores = score_relations([Example(predicted, reference)])
    assert scores["rel_evidence_f"] == 1
    set_relations(predicted, [("1", "likes", "0", 1.0, [(5, 9)])])
    scores = score_relations([Example(predicted, reference)])
    assert scores["rel_intra_f"] == 0  # the wrong one is within a sentence, too
    assert scores["rel_inter_f"] is None
