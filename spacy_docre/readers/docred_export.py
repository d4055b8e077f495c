"""Docs to DocRED JSON: whole documents, or the predictions that the official evaluation reads."""

from collections.abc import Iterable, Mapping
from typing import Any

from spacy.tokens import Doc, Span

from ..annotations import NONE, TITLE_KEY, get_entities, get_label_status, get_relations, get_title
from ..errors import Errors


def to_docred(doc: Doc, *, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One document in DocRED's format; entity indices are positions in `get_entities(doc)`.

    names: readable label -> relation id. A mention that crosses a sentence end joins those sentences;
    a document without sentence boundaries is one sentence.
    """
    entities = get_entities(doc)
    sents = sentence_ranges(doc, [m for e in entities for m in e.mentions])
    index = {e.id: i for i, e in enumerate(entities)}
    sent_of = [i for i, (start, end) in enumerate(sents) for _ in range(start, end)]
    record: dict[str, Any] = {
        "title": doc.user_data.get(TITLE_KEY, get_title(doc)),
        "sents": [[t.text for t in doc[start:end]] for start, end in sents],
        "vertexSet": [[_mention(m, sents, sent_of) for m in e.mentions] for e in entities],
    }
    if get_label_status(doc) != NONE or get_relations(doc):
        record["labels"] = [
            {
                "h": index[r.head.id],
                "t": index[r.tail.id],
                "r": rename(r.label_, names, get_title(doc)),
                "evidence": evidence_sentences(r.evidence, sent_of),
            }
            for r in get_relations(doc)
        ]
    return record


def to_docred_predictions(doc: Doc, *, names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The document's relations as rows of a submission: {title, h_idx, t_idx, r, evidence, score}."""
    record = to_docred(doc, names=names)
    scores = [r.score for r in get_relations(doc)]
    return [
        {
            "title": record["title"],
            "h_idx": label["h"],
            "t_idx": label["t"],
            "r": label["r"],
            "evidence": label["evidence"],
            "score": score,
        }
        for label, score in zip(record.get("labels", []), scores)
    ]


def rename(label: str, names: Mapping[str, str] | None, title: str) -> str:
    """The relation id of a readable label. Raises ValueError if there is none."""
    if names is None:
        return label
    if label not in names:
        raise ValueError(Errors.E029.format(label=label, title=title))
    return names[label]


def sentence_ranges(doc: Doc, mentions: Iterable[Span] = ()) -> list[tuple[int, int]]:
    """(start, end) of every sentence; the whole document where nobody has set boundaries."""
    if not len(doc):
        return []
    inside = {i for m in mentions for i in range(m.start + 1, m.end)}
    known = doc.has_annotation("SENT_START")
    starts = [t.i for t in doc if t.i == 0 or (known and t.is_sent_start and t.i not in inside)]
    return list(zip(starts, [*starts[1:], len(doc)]))


def evidence_sentences(evidence: Iterable[Span], sent_of: list[int]) -> list[int]:
    return sorted({sent_of[i] for span in evidence for i in range(span.start, span.end)})


def _mention(m: Span, sents: list[tuple[int, int]], sent_of: list[int]) -> dict[str, Any]:
    sent_id = sent_of[m.start]
    start = sents[sent_id][0]
    return {"name": m.text, "pos": [m.start - start, m.end - start], "sent_id": sent_id, "type": m.label_}
