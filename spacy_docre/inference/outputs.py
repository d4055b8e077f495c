"""What `apply` writes: JSON lines, a CSV of triples, or `.spacy` files, part by part and then as one."""

import csv
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, DocBin

from ..annotations import get_relations, get_title, relations_to_json
from ..errors import Errors
from ..readers.shards import load_shard, write_shard

COLUMNS = (
    *("title", "head", "head_type", "head_kb_id", "relation", "tail", "tail_type", "tail_kb_id", "score", "evidence"),
    "source",
)
FORMULA = re.compile(r"[=@\t\r]|[+-](?!\d+([.,]\d+)?\W*$)")  # at the beginning of a cell
Problem = tuple[str, str]  # where, and what
Processed = Sequence[tuple[str, Doc]]  # where each document comes from, and the document
KINDS = {".jsonl": ".jsonl", ".csv": ".csv", ".spacy": ".spacy", "": ".spacy"}  # suffix of the output, and of a part


def suffix_of_parts(output: Path) -> str:
    """Raises ValueError for an output of an unknown kind."""
    if output.suffix not in KINDS:
        raise ValueError(Errors.E035.format(path=output))
    return KINDS[output.suffix]


def write_part(docs: Processed, path: Path, *, with_text: bool) -> None:
    """One part, whole."""
    if path.suffix == ".spacy":
        write_shard((doc for _, doc in docs), path)
        return
    with path.open("w", encoding="utf8", newline="") as file_:
        if path.suffix == ".csv":
            csv.writer(file_).writerows(
                row for source, doc in docs for row in triples(source, doc, with_text=with_text)
            )
        else:
            file_.writelines(json_line(source, doc, with_text=with_text) for source, doc in docs)


def join_parts(parts: Sequence[Path], output: Path) -> None:
    """All parts as one file or folder. Only one `.spacy` file has to be in memory to be written."""
    if output.suffix == ".spacy":
        whole = DocBin(store_user_data=True)
        for part in parts:
            whole.merge(load_shard(part))
        whole.to_disk(output)
    elif output.suffix == "":
        output.mkdir()
        for part in parts:
            shutil.copy(part, output / part.name)
    else:
        join_files(parts, output, first=",".join(COLUMNS) + "\r\n" if output.suffix == ".csv" else "")


def join_files(parts: Sequence[Path], output: Path, *, first: str = "") -> None:
    with output.open("wb") as file_:
        file_.write(first.encode("utf8"))
        for part in parts:
            with part.open("rb") as content:
                shutil.copyfileobj(content, file_)


def json_line(source: str, doc: Doc, *, with_text: bool) -> str:
    record: dict[str, Any] = {"title": get_title(doc), "source": source, **relations_to_json(doc)}
    if not with_text:
        del record["text"]
        for relation in record["relations"]:
            for evidence in relation["evidence"]:
                del evidence["text"]
    return json.dumps(record, ensure_ascii=False) + "\n"


def triples(source: str, doc: Doc, *, with_text: bool) -> Iterator[tuple[Any, ...]]:
    """One row of COLUMNS for each relation."""
    for r in get_relations(doc):
        evidence = " … ".join(s.text for s in r.evidence) if with_text else ""
        head, tail = ((e.name, e.label, e.kb_id) for e in (r.head, r.tail))
        yield (
            *map(no_formula, (get_title(doc), *head, r.label_, *tail)),
            f"{r.score:.4f}",
            *map(no_formula, (evidence, source)),
        )


def no_formula(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; a number with a sign is none."""
    return f"'{text}" if FORMULA.match(text) else text


def write_problems(problems: Iterable[Problem], path: Path) -> None:
    """What was left out: one line of JSON for each, with its place."""
    rows = ({"place": place, "problem": problem} for place, problem in problems)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf8", errors="backslashreplace")


def read_problems(path: Path) -> list[Problem]:
    lines = path.read_text(encoding="utf8").split("\n")  # splitlines knows more ends of lines than JSON
    return [(row["place"], row["problem"]) for row in map(json.loads, filter(None, lines))]
