"""Documents to be processed, from what a user has: text files, JSONL, `.spacy` files, DocRED JSON, folders of these.

What is wrong with one document is said in its place, and the others are read all the same.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..annotations import NONE, TEACHERS_KEY, TITLE_KEY, get_title, set_entities, set_relations
from ..errors import Errors
from .docred import read_docred
from .json_stream import CorpusError
from .shards import is_hidden, read_shard

JSONL, DOCBIN, DOCRED = (".jsonl", ".jsonl.gz"), ".spacy", (".json", ".json.gz")


@dataclass
class Input:
    """One document, or what is wrong with it.

    place: the file, and the line or number in it; doc: None if it can't be made; problem: why, in words.
    """

    place: str
    doc: Doc | None
    problem: str = ""


def find_inputs(path: Path) -> list[Path]:
    """The file itself, or all files below a folder, in order, without hidden ones.

    Raises ValueError for what can be read only once: documents are counted first, and killed runs go on.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(Errors.E153.format(path=path))
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and not is_hidden(p.relative_to(path)))


def read_inputs(path: Path, nlp: Language, *, text_key: str = "text") -> Iterator[Input]:
    """The documents of a file, or of all files of a folder, one by one. Never raises for what is in a file.

    `.spacy`: documents keep their tokens and entities, and lose their relations. `.json`, `.json.gz`: DocRED's format,
    likewise. `.jsonl`, `.jsonl.gz`: one object in each line, with its text as `text_key`; "title" and "entities" (as in
    `relations_to_json`, mentions by characters) are read too. Any other file is the text of one document.
    """
    for file in find_inputs(path):
        name = printable(str(file))
        try:
            if is_kind(file, DOCBIN):
                yield from read_docbin(file, nlp)
            elif is_kind(file, *JSONL):
                yield from read_jsonl(file, nlp, text_key)
            elif is_kind(file, *DOCRED):
                yield from read_json(file, nlp)
            else:
                yield checked(name, doc_of_text, nlp, file.read_bytes(), printable(file.stem))
        except CorpusError as err:
            yield Input(err.place, None, err.problem)
        except (ValueError, OSError, EOFError) as err:
            yield Input(name, None, str(err))


def count_inputs(path: Path) -> int | None:
    """How many documents there are; None where only reading all would tell."""
    total = 0
    for file in find_inputs(path):
        if is_kind(file, DOCBIN, *DOCRED):
            return None
        if is_kind(file, *JSONL):
            try:
                with open_lines(file) as lines:
                    total += sum(1 for line in lines if line.strip())
            except (OSError, EOFError):  # told when it is read
                return None
        else:
            total += 1
    return total


def is_kind(path: Path, *endings: str) -> bool:
    return path.name.lower().endswith(endings)


def open_lines(path: Path) -> IO[bytes]:
    """Packed or not."""
    return cast(IO[bytes], gzip.open(path) if is_kind(path, ".gz") else path.open("rb"))


def read_docbin(path: Path, nlp: Language) -> Iterator[Input]:
    for number, doc in enumerate(read_shard(path, nlp.vocab), 1):
        set_relations(doc, [])
        doc.user_data.pop(TEACHERS_KEY, None)
        yield Input(f"{printable(str(path))}, document {number}", doc)


def read_json(path: Path, nlp: Language) -> Iterator[Input]:
    """DocRED's format. An invalid document is told after the valid ones before it, and before those after it."""
    errors: list[CorpusError] = []
    try:
        for doc in read_docred(path, nlp.vocab, status=NONE, on_invalid=errors.append):
            yield from (Input(error.place, None, error.problem) for error in errors)
            errors.clear()
            yield Input(f"{printable(str(path))} ({printable(get_title(doc))!r})", doc)
    except CorpusError as err:  # cut off
        errors.append(err)
    yield from (Input(error.place, None, error.problem) for error in errors)


def read_jsonl(path: Path, nlp: Language, text_key: str) -> Iterator[Input]:
    for place, title, line in lines_of(path):
        yield checked(place, doc_of_line, nlp, line, title, text_key)


def lines_of(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Lines that are not blank: the place of each, a title for a document that has none, and the line."""
    with open_lines(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{printable(str(path))}, line {number}", f"{printable(path.name)}:{number}", line.strip()


def checked(place: str, make: Callable[..., Doc], *args: Any) -> Input:
    try:
        return Input(place, make(*args))
    except ValueError as err:
        return Input(place, None, str(err))


def doc_of_text(nlp: Language, content: bytes, title: str) -> Doc:
    return make_doc(nlp, decode(content), title=title)


def doc_of_line(nlp: Language, line: bytes, title: str, text_key: str) -> Doc:
    """Raises ValueError for what is no object, has no text, or has entities that don't fit it."""
    return doc_of_record(nlp, record_of_line(line, text_key), title, text_key)


def record_of_line(line: bytes, text_key: str, *, hint: str = "choose another with --text-key") -> Mapping[str, Any]:
    """An object with a text. Raises ValueError for anything else. hint: what to do where there is no text."""
    text = decode(line)
    try:
        record = json.loads(text)
    except json.JSONDecodeError as err:  # its own place is within the line, and says "line 1"
        raise ValueError(f"not valid JSON: {err.msg} at character {err.pos} (one object a line is expected)") from err
    except (ValueError, RecursionError) as err:
        raise ValueError(f"not valid JSON: {err}") from err
    if not isinstance(record, Mapping):
        raise ValueError(f"expected an object with {text_key!r}, found {type(record).__name__}")
    if not isinstance(record.get(text_key), str):
        found = ", ".join(map(repr, list(record)[:10])) or "nothing"
        if text_key in record:
            found = printable(json.dumps(record[text_key])[:40])
        raise ValueError(f"no text: {text_key!r} must be a string, found {found} ({hint})")
    return record


def doc_of_record(nlp: Language, record: Mapping[str, Any], title: str, text_key: str) -> Doc:
    """title: if the record has none."""
    named = record.get("title")
    doc = make_doc(nlp, record[text_key], title=printable(named) if isinstance(named, str) and named else title)
    if record.get("entities") is not None:
        entities = list(entities_of(doc, record["entities"]))
        ids = [str(entity.get("id", "")) for entity in record["entities"]]
        named = all(ids) and len(set(ids)) == len(ids)
        set_entities(doc, entities, ids=ids if named else None)
    return doc


def entities_of(doc: Doc, entities: Any) -> Iterator[list[Span]]:
    """Mentions by characters, widened to whole tokens."""
    if not isinstance(entities, list):
        raise ValueError(f"'entities' must be a list, found {type(entities).__name__}")
    for i, entity in enumerate(entities):
        mentions = entity.get("mentions") if isinstance(entity, Mapping) else None
        if not isinstance(mentions, list) or not mentions:
            raise ValueError(f"entities[{i}]: expected an object with a list of 'mentions'")
        yield [mention_of(doc, m, entity, f"entities[{i}].mentions[{j}]") for j, m in enumerate(mentions)]


def mention_of(doc: Doc, mention: Any, entity: Mapping[str, Any], field: str) -> Span:
    found = mention if isinstance(mention, Mapping) else {}
    start, end, type_ = found.get("start_char"), found.get("end_char"), found.get("label") or entity.get("label") or ""
    kb_id = entity.get("kb_id") or ""
    n_chars = count_characters(doc)
    if not (type(start) is int and type(end) is int and 0 <= start < end <= n_chars and is_text(type_, kb_id)):
        raise ValueError(
            f"{field}: expected 'start_char' and 'end_char' within the text's {n_chars} characters, and a 'label' or "
            f"none, found {printable(str(mention)[:80])}"
        )
    span = doc.char_span(start, end, label=type_, kb_id=kb_id, alignment_mode="expand")
    if not span or not span.text.strip():
        raise ValueError(f"{field}: no token at characters {start} to {end}")
    return span


def count_characters(doc: Doc) -> int:
    """The length of its text, which is not put together for that."""
    return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0


def is_text(*values: Any) -> bool:
    """Strings that any file can take."""
    return all(isinstance(x, str) and printable(x) == x for x in values)


def make_doc(nlp: Language, text: str, *, title: str) -> Doc:
    """Raises ValueError for a text that can't be encoded or is longer than the pipeline allows."""
    try:
        text.encode("utf8")
    except UnicodeEncodeError as err:
        raise ValueError(
            f"character {err.start} of the text is half of a surrogate pair, which is no character"
        ) from err
    if len(text) > nlp.max_length:
        raise ValueError(
            f"{len(text):,} characters, and the pipeline takes {nlp.max_length:,} (nlp.max_length): split it"
        )
    doc = nlp.make_doc(text)
    doc.user_data[TITLE_KEY] = title
    return doc


def decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise ValueError(f"not UTF-8 ({err.reason} at byte {err.start})") from err


def printable(name: str) -> str:
    """A name that any file can take: half surrogate pairs, which odd file names have, are spelt out."""
    return name.encode("utf8", "backslashreplace").decode("utf8")


def require_doc(item: Input) -> Doc:
    """The document. Raises CorpusError with its place if it can't be made."""
    if item.doc is None:
        raise CorpusError(item.place, item.problem)
    return item.doc
