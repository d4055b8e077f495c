"""What a corpus holds, and what is odd about it: counted document by document."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..annotations import (
    copy_mentions,
    get_entities,
    get_label_status,
    get_relations,
    get_soft_labels,
    get_title,
    get_triples,
)
from .relation_scorer import is_intra, sentence_numbers

SHINGLE = 8  # words in a row that two documents have in common by copying, hardly by chance
NEAR = 0.5  # share of the shorter document's shingles that makes two documents near-duplicates


@dataclass
class DataSurvey:
    """labels: relations by label; types: entities by type; statuses: documents by label status
    n_pairs: ordered pairs of entities; n_related: those with a relation
    intra: relations whose entities are named in one sentence, of n_placed in documents with sentence boundaries
    fingerprints: hashed shingles of each document, for near-duplicates; titles: of all documents
    """

    name: str
    n_docs: int = 0
    n_tokens: int = 0
    n_mentions: int = 0
    n_entities: int = 0
    n_pairs: int = 0
    n_relations: int = 0
    n_related: int = 0
    n_placed: int = 0
    n_with_evidence: int = 0
    n_with_sentences: int = 0
    n_taught: int = 0
    intra: int = 0
    longest: int = 0
    most_entities: int = 0
    longest_mention: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[str]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    fingerprints: list[frozenset[int]] = field(default_factory=list)

    def note(self, problem: str, place: str) -> None:
        """place: where it is, beginning with the document's title"""
        self.problems.setdefault(problem, []).append(place)

    def summary(self) -> dict[str, Any]:
        """All counts as plain data."""
        skipped = {"titles", "fingerprints", "problems"}
        counts = {key: value for key, value in vars(self).items() if key not in skipped}
        return {**counts, "problems": {name: len(places) for name, places in self.problems.items()}}


def survey_data(name: str, docs: Iterable[Doc], nlp: Language, *, window: int) -> DataSurvey:
    """nlp: whose tokenizer the mentions should fit; window: tokens that the encoder sees at once."""
    result = DataSurvey(name)
    for doc in docs:
        add_document(result, doc, nlp, window=window)
    return result


def add_document(result: DataSurvey, doc: Doc, nlp: Language, *, window: int) -> None:
    title = get_title(doc)
    result.n_docs += 1
    try:
        entities, relations = get_entities(doc), get_relations(doc)
    except ValueError as err:
        result.note("documents that can't be read", f"{title!r}: {err}")
        return
    mentions = [m for e in entities for m in e.mentions]
    result.n_tokens += len(doc)
    result.longest = max(result.longest, len(doc))
    result.n_entities += len(entities)
    result.most_entities = max(result.most_entities, len(entities))
    result.n_pairs += len(entities) * (len(entities) - 1)
    result.n_mentions += len(mentions)
    result.longest_mention = max(result.longest_mention, *(len(m) for m in mentions), 0)
    result.n_relations += len(relations)
    result.n_related += len({(r.head.id, r.tail.id) for r in relations})
    result.n_with_evidence += sum(bool(r.evidence) for r in relations)
    result.n_taught += bool(get_soft_labels(doc))
    result.statuses[get_label_status(doc)] += 1
    result.types.update(e.label or "(none)" for e in entities)
    result.labels.update(r.label_ for r in relations)
    sentence_of = sentence_numbers(doc)
    if sentence_of:
        result.n_with_sentences += 1
        result.n_placed += len(relations)
        result.intra += sum(is_intra(r, sentence_of) for r in relations)
    result.titles.append(title)
    result.fingerprints.append(fingerprint(doc))
    for problem, place in problems_of(doc, nlp, window=window):
        result.note(problem, f"{title!r}{place}")


def problems_of(doc: Doc, nlp: Language, *, window: int) -> Iterator[tuple[str, str]]:
    """Each problem and its place in the document."""
    if not len(doc):
        yield "documents without text", ""
        return
    entities = get_entities(doc)
    if len(entities) < 2:
        yield "documents with fewer than two entities", ""
    lost = copy_mentions(doc, nlp.make_doc(doc.text))
    if lost:
        yield "documents with mentions that are no tokens of this tokenizer", f": {lost}"
    places: Counter[tuple[int, int]] = Counter()
    for entity in entities:
        if len({m.label_ for m in entity.mentions}) > 1:
            yield "entities whose mentions have several types", f": {entity.name!r}"
        if not entity.label:
            yield "entities without a type", f": {entity.name!r}"
        places.update({(m.start, m.end) for m in entity.mentions})
        for m in entity.mentions:
            if len(m) > window:
                yield "mentions longer than the encoder's window", f": {m.text[:40]!r}"
            if m.text != m.text.strip() or not m.text.strip():
                yield "mentions that begin or end in white space", f": {m.text!r}"
    for (start, end), n in places.items():
        if n > 1:
            yield "mentions of two entities", f": {doc[start:end].text!r}"
    relations = {(r.head.id, r.label_, r.tail.id): r for r in get_relations(doc)}
    for key, n in Counter(get_triples(doc)).items():
        if n > 1:
            r = relations[key]
            yield "relations given twice", f": {r.head.name!r} -{r.label_}-> {r.tail.name!r}"
    if get_label_status(doc) == "none" and relations:
        yield "documents with relations whose label status is none", ""


def fingerprint(doc: Doc) -> frozenset[int]:
    """Hashes of the word sequences of a document; of a short one, of all its words together."""
    words = [t.norm for t in doc if not (t.is_space or t.is_punct)]
    starts = range(max(1, len(words) - SHINGLE + 1)) if words else range(0)
    return frozenset(hash(tuple(words[i : i + SHINGLE])) for i in starts)


def shared_titles(first: DataSurvey, second: DataSurvey) -> list[str]:
    return sorted(set(first.titles) & set(second.titles))


def near_duplicates(first: DataSurvey, second: DataSurvey) -> list[tuple[str, str, float]]:
    """Titles of documents of each that are mostly the same words in the same order, and the share that is.

    Only documents with a sequence in common are compared. With `first` and `second` the same, pairs within it.
    """
    owners: dict[int, list[int]] = {}
    for i, hashes in enumerate(first.fingerprints):
        for value in hashes:
            owners.setdefault(value, []).append(i)
    found = []
    for j, hashes in enumerate(second.fingerprints):
        shared = Counter(i for value in hashes for i in owners.get(value, ())[:50])
        for i, n in shared.items():
            share = n / min(len(first.fingerprints[i]), len(hashes))
            if share >= NEAR and (first is not second or i < j):
                found.append((first.titles[i], second.titles[j], share))
    return sorted(found, key=lambda row: -row[2])
