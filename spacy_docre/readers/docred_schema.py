"""Check one document in DocRED's format, and say which field is wrong."""

from collections.abc import Mapping
from typing import Any


class FieldError(ValueError):
    """What is wrong, and in which field: "vertexSet[3][0].pos"."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")


def check_document(record: Any, *, labels_required: bool) -> None:
    """Raise FieldError unless `record` is a document in DocRED's format.

    title: str; sents: lists of tokens; vertexSet: entities, lists of mentions {name, pos, sent_id, type};
    labels: [{h, t, r, evidence}], where h and t index vertexSet and evidence indexes sents.
    """
    if not isinstance(record, Mapping):
        raise FieldError("document", f"expected an object, got {kind(record)}")
    _get(record, "title", str, "")
    sents = _get(record, "sents", list, "")
    for i, sent in enumerate(sents):
        _check_sentence(sent, f"sents[{i}]")
    entities = _get(record, "vertexSet", list, "")
    for i, entity in enumerate(entities):
        _check_entity(entity, f"vertexSet[{i}]", sents)
    if labels_required and "labels" not in record:
        raise FieldError("labels", "missing (for documents without labels, say --labels-are none)")
    if "labels" in record:
        for i, label in enumerate(_get(record, "labels", list, "")):
            _check_label(label, f"labels[{i}]", len(entities), len(sents))


def _check_sentence(sent: Any, field: str) -> None:
    if not isinstance(sent, list):
        raise FieldError(field, f"expected a list of tokens, got {kind(sent)}")
    for i, token in enumerate(sent):
        if not isinstance(token, str):
            raise FieldError(f"{field}[{i}]", f"expected a token (str), got {kind(token)}")
        if not token:
            raise FieldError(f"{field}[{i}]", "the token is empty")


def _check_entity(entity: Any, field: str, sents: list[list[str]]) -> None:
    if not isinstance(entity, list):
        raise FieldError(field, f"expected a list of mentions, got {kind(entity)}")
    if not entity:
        raise FieldError(field, "the entity has no mention")
    for i, mention in enumerate(entity):
        _check_mention(mention, f"{field}[{i}]", sents)


def _check_mention(mention: Any, field: str, sents: list[list[str]]) -> None:
    if not isinstance(mention, Mapping):
        raise FieldError(field, f"expected an object, got {kind(mention)}")
    _get(mention, "type", str, field)
    sent_id = _get_index(mention, "sent_id", field, len(sents), "sentences")
    pos = _get(mention, "pos", list, field)
    if len(pos) != 2 or not all(is_int(p) for p in pos):
        raise FieldError(f"{field}.pos", f"expected [start, end], two integers, got {some(pos)}")
    n_tokens = len(sents[sent_id])
    if not 0 <= pos[0] < pos[1] <= n_tokens:
        raise FieldError(f"{field}.pos", f"{pos} is not within sentence {sent_id}, which has {n_tokens} tokens")


def _check_label(label: Any, field: str, n_entities: int, n_sents: int) -> None:
    if not isinstance(label, Mapping):
        raise FieldError(field, f"expected an object, got {kind(label)}")
    head = _get_index(label, "h", field, n_entities, "entities")
    tail = _get_index(label, "t", field, n_entities, "entities")
    if head == tail:
        raise FieldError(field, f"head and tail are the same entity ({head})")
    if not _get(label, "r", str, field):
        raise FieldError(f"{field}.r", "the relation has no name")
    evidence = label.get("evidence", [])
    if not isinstance(evidence, list):
        raise FieldError(f"{field}.evidence", f"expected a list of sentence numbers, got {kind(evidence)}")
    for i, sent_id in enumerate(evidence):
        if not is_int(sent_id) or not 0 <= sent_id < n_sents:
            raise FieldError(f"{field}.evidence[{i}]", f"no sentence {sent_id!r}: the document has {n_sents} sentences")


def _get(record: Mapping[str, Any], key: str, type_: type, field: str) -> Any:
    name = f"{field}.{key}" if field else key
    if key not in record:
        raise FieldError(name, "missing")
    if not isinstance(record[key], type_):
        raise FieldError(name, f"expected {type_.__name__}, got {kind(record[key])}")
    return record[key]


def _get_index(record: Mapping[str, Any], key: str, field: str, size: int, what: str) -> int:
    if key not in record:
        raise FieldError(f"{field}.{key}", "missing")
    value = record[key]
    if not is_int(value):
        raise FieldError(f"{field}.{key}", f"expected int, got {kind(value)}")
    if not 0 <= value < size:
        raise FieldError(f"{field}.{key}", f"{value} is out of range: the document has {size} {what}")
    return value


def some(values: list[Any]) -> str:
    """The first few, without what is in them."""
    shown = [str(x)[:40] if not isinstance(x, (list, dict)) else kind(x) for x in values[:4]]
    return f"[{', '.join(shown)}{', …' * (len(values) > 4)}]"


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def kind(value: Any) -> str:
    return (
        f"{type(value).__name__} {str(value)[:40]!r}" if not isinstance(value, (list, dict)) else type(value).__name__
    )
