"""JSONL with entities and relations, as `apply` writes it, to annotated Docs: to correct by hand, and to learn from."""

from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import filter_spans

from ..annotations import MENTIONS_KEY, get_entity_ids, set_relations
from ..errors import Errors
from .docred_schema import FieldError
from .documents import count_characters, doc_of_record, is_text, lines_of, record_of_line
from .json_stream import CorpusError


def read_annotated(
    path: Path,
    nlp: Language,
    *,
    status: str,
    names: Mapping[str, str] | None = None,
    on_invalid: Callable[[CorpusError], None] | None = None,
    on_widened: Callable[[str], None] | None = None,
) -> Iterator[Doc]:
    """The documents of a file whose lines are objects as `relations_to_json` makes them, with "title" if wanted.

    Places are read by characters, and widened to whole tokens. "relations" may be empty, but must be there; their
    "score" may be left out.
    nlp: makes the tokens, and sentences if it has a component that does; names: label -> readable label.
    on_widened: gets the place of each mention that was not whole tokens, and what became of it.

    Raises CorpusError with the line of a document that is not like that, or gives it to `on_invalid` and goes on.
    """
    for place, title, line in lines_of(path):
        try:
            record = record_of_line(line, "text", hint="`docre apply --no-text` leaves texts out")
            doc = make_annotated(nlp, record, title, status, names)
            widened = check_mentions(doc, record["entities"])
        except ValueError as err:
            error = CorpusError(place, str(err))
            if on_invalid is None:
                raise error from err
            on_invalid(error)
        else:
            if on_widened is not None:
                for change in widened:
                    on_widened(f"{place}, {change}")
            yield doc


def make_annotated(
    nlp: Language, record: Mapping[str, Any], title: str, status: str, names: Mapping[str, str] | None
) -> Doc:
    """Raises ValueError for what is missing or does not fit together."""
    relations = record.get("relations")
    if not isinstance(relations, list) or not isinstance(record.get("entities"), list):
        raise ValueError("'entities' and 'relations' must be lists (empty where there are none)")
    ids = [entity.get("id") for entity in record["entities"] if isinstance(entity, Mapping)]
    if any(x is not None for x in ids) and (len(set(map(repr, ids))) < len(ids) or not all(map(is_name, ids))):
        raise ValueError("the 'id' of each entity must be a text, and no other's (or leave all out: '0', '1', …)")
    doc = doc_of_record(nlp, record, title, "text")
    doc.ents = filter_spans(doc.spans[MENTIONS_KEY])
    for _, component in nlp.pipeline:
        doc = component(doc)
    known = set(get_entity_ids(doc))
    rows = [relation_of(doc, relation, f"relations[{i}]", names, known) for i, relation in enumerate(relations)]
    set_relations(doc, rows, status=status)
    return doc


def check_mentions(doc: Doc, entities: list[Any]) -> list[str]:
    """What became of mentions that are not whole tokens: "entities[0].mentions[1]: 'War' is 'Warsaw'".

    Raises ValueError where that makes one place of two entities, where a mention's "text" is not what stands there, and
    where an entity's "label" is that of none of its mentions.
    """
    text, widened = doc.text, []  # which spaCy puts together anew each time
    owners: dict[tuple[int, int], tuple[int, tuple[int, int]]] = {}  # tokens -> entity and characters
    for i, entity in enumerate(entities):
        check_label(entity, f"entities[{i}].label")
        for j, mention in enumerate(entity["mentions"]):
            field, place = f"entities[{i}].mentions[{j}]", (mention["start_char"], mention["end_char"])
            found, given = text[slice(*place)], mention.get("text")
            if given is not None and given != found:
                raise FieldError(
                    field, f"its 'text' is {given!r}, but {found!r} stands there: change both, or leave it out"
                )
            span = doc.char_span(*place)
            if span is None:
                span = doc.char_span(*place, alignment_mode="expand") or doc[:0]  # entities_of has found it
                widened.append(f"{field}: {found[:40]!r} is {span.text[:40]!r}")
            other, other_place = owners.setdefault((span.start, span.end), (i, place))
            if other != i and other_place != place:
                both = f"entities[{other}] and entities[{i}]"
                raise ValueError(
                    f"{both} have mentions in one token, {span.text[:40]!r}: say with --lang whose tokenizer cuts it"
                )
    return widened


def check_label(entity: Mapping[str, Any], field: str) -> None:
    """Mentions say their own type; one of the whole entity is for those that do not, and has to fit."""
    label, of_mentions = entity.get("label"), [m["label"] for m in entity["mentions"] if m.get("label")]
    if label is not None and not is_text(label):
        raise FieldError(field, "expected a text")
    if label and of_mentions and label not in of_mentions:
        raise FieldError(
            field, f"is {label!r}, but its mentions have {of_mentions[0]!r}: change both, or leave theirs out"
        )


def is_name(value: Any) -> bool:
    return is_text(value) and value != ""


def relation_of(
    doc: Doc, relation: Any, field: str, names: Mapping[str, str] | None, known: Set[str]
) -> dict[str, Any]:
    if not isinstance(relation, Mapping) or not {"head", "label", "tail"} <= relation.keys():
        raise FieldError(field, "expected an object with 'head', 'label' and 'tail'")
    for side in ("head", "tail"):
        if not isinstance(relation[side], str) or relation[side] not in known:
            raise FieldError(f"{field}.{side}", f"no entity has the id {relation[side]!r}")
    label, score = relation["label"], relation.get("score", 1.0)
    if not is_name(label):
        raise FieldError(f"{field}.label", "expected a text")
    if not isinstance(score, (int, float)) or not 0 <= score <= 1:
        raise FieldError(f"{field}.score", "expected a number from 0 to 1")
    if names is not None and label not in names.values():
        if label not in names:
            raise FieldError(f"{field}.label", Errors.E026.format(label=label))
        label = names[label]
    evidence = relation.get("evidence") or []
    if not isinstance(evidence, list):
        raise FieldError(f"{field}.evidence", "expected a list")
    places = [evidence_of(doc, span, f"{field}.evidence[{i}]") for i, span in enumerate(evidence)]
    return {**relation, "label": label, "score": score, "evidence": places}


def evidence_of(doc: Doc, span: Any, field: str) -> tuple[int, int]:
    """By characters, widened to whole tokens."""
    start, end = (span.get("start_char"), span.get("end_char")) if isinstance(span, Mapping) else (None, None)
    found = None
    n_chars = count_characters(doc)
    if type(start) is int and type(end) is int and 0 <= start < end <= n_chars:
        found = doc.char_span(start, end, alignment_mode="expand")
    if found is None or not len(found):
        problem = f"expected 'start_char' and 'end_char' within the text's {n_chars} characters"
        raise FieldError(field, problem)
    return found.start, found.end
