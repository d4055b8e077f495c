"""Our scores against a slow plain twin of the published DocRED evaluation (Yao et al. 2019, §4)."""

import random

import pytest
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import get_relations, set_relations
from spacy_docre.readers.docred import make_doc
from spacy_docre.readers.docred_export import to_docred_predictions
from spacy_docre.readers.docred_schema import check_document
from spacy_docre.scoring.facts import Facts, facts_of
from spacy_docre.scoring.relation_scorer import score_relations

WORDS = ["Ada", "Bob", "Paris", "Navy", "York", "Marie"]  # few, so that facts of training come again
LABELS = ["P1", "P2", "P3"]
TYPES = ["PER", "LOC", "ORG"]


def random_record(rng: random.Random, number: int) -> dict:
    """A document in DocRED's format; spans may overlap, and two entities may share one."""
    sents = [[rng.choice(WORDS) for _ in range(rng.randint(3, 9))] for _ in range(rng.randint(1, 4))]
    vertices = [[random_mention(rng, sents) for _ in range(rng.randint(1, 3))] for _ in range(rng.randint(2, 6))]
    if rng.random() < 0.3:
        vertices.append([dict(m) for m in vertices[0]])
    pairs = [(h, t) for h in range(len(vertices)) for t in range(len(vertices)) if h != t]
    triples = {(*rng.choice(pairs), rng.choice(LABELS)) for _ in range(rng.randint(0, 6))}
    labels = [
        {
            "h": h,
            "t": t,
            "r": r,
            "evidence": rng.sample(range(len(sents)), rng.randint(1, len(sents))),
        }
        for h, t, r in sorted(triples)
    ]
    record = {"title": f"Document {number}", "sents": sents, "vertexSet": vertices, "labels": labels}
    check_document(record, labels_required=True)
    return record


def random_mention(rng: random.Random, sents: list[list[str]]) -> dict:
    i = rng.randrange(len(sents))
    start = rng.randrange(len(sents[i]))
    end = rng.randint(start + 1, min(start + 2, len(sents[i])))
    name = " ".join(sents[i][start:end])
    return {"name": name, "pos": [start, end], "sent_id": i, "type": rng.choice(TYPES)}


def random_predictions(rng: random.Random, record: dict) -> list[dict]:
    """Some of the labels, with other evidence, and some wrong ones."""
    n = len(record["vertexSet"])
    rows = {(x["h"], x["t"], x["r"]) for x in record["labels"] if rng.random() < 0.6}
    for _ in range(rng.randint(0, 5)):
        rows.add((*rng.sample(range(n), 2), rng.choice(LABELS)))
    n_sents = len(record["sents"])
    return [
        {"h": h, "t": t, "r": r, "evidence": rng.sample(range(n_sents), rng.randint(0, n_sents))}
        for h, t, r in sorted(rows)
    ]


def names(entity: list[dict]) -> set[str]:
    return {mention["name"] for mention in entity}


def training_facts(records: list[dict]) -> set[tuple[str, str, str]]:
    facts = set()
    for record in records:
        for label in record["labels"]:
            for head in names(record["vertexSet"][label["h"]]):
                for tail in names(record["vertexSet"][label["t"]]):
                    facts.add((head, tail, label["r"]))
    return facts


def f1(p: float, r: float) -> float:
    return 2 * p * r / (p + r) if p + r else 0.0


def official(submission: list[dict], truth: list[dict], facts: set[tuple[str, str, str]]) -> dict[str, float]:
    """Sets of (title, r, h, t). Ign F1 leaves correct facts of training, by any name of the head and any of
    the tail, out of the precision only."""
    entities = {record["title"]: record["vertexSet"] for record in truth}
    gold = {(x["title"], y["r"], y["h"], y["t"]): set(y["evidence"]) for x in truth for y in x["labels"]}
    n_correct = n_known = n_evidence = n_right = 0
    for row in submission:
        key = (row["title"], row["r"], row["h_idx"], row["t_idx"])
        n_evidence += len(set(row["evidence"]))
        if key not in gold:
            continue
        n_correct += 1
        n_right += len(gold[key] & set(row["evidence"]))
        heads = names(entities[row["title"]][row["h_idx"]])
        tails = names(entities[row["title"]][row["t_idx"]])
        n_known += any((h, t, row["r"]) in facts for h in heads for t in tails)
    p, r = n_correct / len(submission), n_correct / len(gold)
    ign_p = (n_correct - n_known) / (len(submission) - n_known)
    n_gold_evidence = sum(len(e) for e in gold.values())
    return {
        "rel_micro_p": p,
        "rel_micro_r": r,
        "rel_micro_f": f1(p, r),
        "rel_ign_f": f1(ign_p, r),
        "rel_evidence_f": f1(n_right / n_evidence, n_right / n_gold_evidence),
    }


def as_example(record: dict, predictions: list[dict]) -> Example:
    """Both sides as our reader makes them from the same JSON."""
    vocab = Vocab()
    reference = make_doc(record, vocab, status="complete")
    predicted = make_doc({**record, "labels": predictions}, vocab, status="complete")
    doc = make_doc({**record, "labels": []}, vocab, status="none")
    set_relations(doc, get_relations(predicted))
    return Example(doc, reference)


@pytest.mark.parametrize("seed", range(4))
def test_scores_equal_the_official_evaluation(seed):
    rng = random.Random(seed)
    training = [random_record(rng, i) for i in range(3)]
    truth = [random_record(rng, i) for i in range(30)]
    examples = [as_example(record, random_predictions(rng, record)) for record in truth]
    submission = [row for eg in examples for row in to_docred_predictions(eg.predicted)]
    docs = [make_doc(record, Vocab(), status="complete") for record in training]
    facts = {fact for doc in docs for fact in facts_of(get_relations(doc))}
    assert facts == training_facts(training)

    expected = official(submission, truth, training_facts(training))
    found = score_relations(examples, facts=Facts(facts))
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert found["rel_ign_f"] < found["rel_micro_f"], "some facts were known"


def test_facts_without_evidence_say_nothing_about_evidence():
    """The one difference: Re-DocRED has facts without evidence, and ours asks none of their predictions."""
    rng = random.Random(9)
    truth = [random_record(rng, i) for i in range(30)]
    for record in truth:
        for label in record["labels"][::2]:
            label["evidence"] = []
    predictions = [[{**x, "evidence": x["evidence"] or [0]} for x in record["labels"]] for record in truth]
    examples = [as_example(record, rows) for record, rows in zip(truth, predictions)]
    submission = [row for eg in examples for row in to_docred_predictions(eg.predicted)]
    assert score_relations(examples)["rel_evidence_f"] == 1.0
    assert official(submission, truth, set())["rel_evidence_f"] < 1.0
