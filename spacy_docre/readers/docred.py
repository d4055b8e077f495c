"""DocRED JSON to Docs."""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from ..annotations import COMPLETE, MENTIONS_KEY, NONE, TITLE_KEY, set_entities, set_relations
from ..errors import Errors
from .distant import DistantLabels
from .docred_schema import FieldError, check_document, kind
from .json_stream import CorpusError, iter_json_array


def read_docred(
    path: Path,
    vocab: Vocab,
    *,
    status: str = COMPLETE,
    names: Mapping[str, str] | None = None,
    distant: DistantLabels | None = None,
    spaces: bool = True,
    on_invalid: Callable[[CorpusError], None] | None = None,
    on_replaced: Callable[[int], None] = lambda n_labels: None,
) -> Iterator[Doc]:
    """Yield the documents of a DocRED or Re-DocRED JSON file, one by one.

    status: label status of every document; documents whose status is "none" need no labels.
    distant: labels that take the place of the documents' own; those without any have status "none".
    names: relation id -> readable label, for example {"P17": "country"}.
    spaces: whether there is a space after each token; Chinese, for example, has none.
    on_invalid: called with the error of each invalid document, which is then left out; by default the
        error is raised. A file that is not JSON, or is cut off, is always an error.
    on_replaced: called with the number of a document's own labels where they are not taken.

    Raises CorpusError with file, document number (from 1), title and field, and where labels of `distant` come from.
    """
    for number, record in enumerate(iter_json_array(path), 1):
        own = record.get("labels") if isinstance(record, Mapping) else None
        try:
            if distant is not None:
                record, status = distant.join(record)
            check_document(record, labels_required=status != NONE)
            doc = make_doc(record, vocab, status=status, names=names, spaces=spaces)
            if isinstance(own, list) and own and (distant is not None or status == NONE):
                on_replaced(len(own))
            yield doc
        except FieldError as err:
            title = record.get("title", "") if isinstance(record, Mapping) else ""
            shown = kind(title) if isinstance(title, (list, dict)) else repr(str(title))
            problem = str(err)
            if distant is not None and problem.startswith("labels") and str(title) in distant.by_title:
                problem += f" (labels of {distant.by_title[str(title)].place})"
            error = CorpusError(f"{path}, document {number} ({shown})", problem)
            if on_invalid is None:
                raise error from err
            on_invalid(error)


def make_doc(
    record: Mapping[str, Any],
    vocab: Vocab,
    *,
    status: str,
    names: Mapping[str, str] | None = None,
    spaces: bool = True,
) -> Doc:
    """A Doc from one checked record: tokens, sentences, mentions, entities ("0", "1", …), relations."""
    sents = record["sents"]
    starts = [0, *accumulate(len(sent) for sent in sents)]
    words = [word for sent in sents for word in sent]
    first_tokens = {start for start, sent in zip(starts, sents) if sent}
    starts_sentence: list[bool | int | None] = [i in first_tokens for i in range(len(words))]
    doc = Doc(vocab, words=words, spaces=[spaces] * len(words), sent_starts=starts_sentence)
    set_entities(doc, [[_mention(doc, m, starts) for m in entity] for entity in record["vertexSet"]])
    doc.ents = filter_spans(doc.spans[MENTIONS_KEY])
    doc.user_data[TITLE_KEY] = record["title"]
    labels = [] if status == NONE else record.get("labels", [])
    relations = (_relation(label, i, starts, names) for i, label in enumerate(labels))
    set_relations(doc, relations, status=status)
    return doc


def _mention(doc: Doc, mention: Mapping[str, Any], starts: list[int]) -> Span:
    start, end = (starts[mention["sent_id"]] + p for p in mention["pos"])
    return Span(doc, start, end, label=mention["type"])


def _relation(
    label: Mapping[str, Any], number: int, starts: list[int], names: Mapping[str, str] | None
) -> dict[str, Any]:
    if names is not None and label["r"] not in names:
        raise FieldError(f"labels[{number}].r", Errors.E026.format(label=label["r"]))
    return {
        "head": str(label["h"]),
        "label": names[label["r"]] if names is not None else label["r"],
        "tail": str(label["t"]),
        "evidence": [
            [starts[i], starts[i + 1]] for i in sorted(set(label.get("evidence", []))) if starts[i] < starts[i + 1]
        ],
    }
