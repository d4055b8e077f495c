"""Labels that were made by a machine, in a file of their own: joined to documents by title."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..annotations import DISTANT, NONE
from ..errors import Errors
from .docred_schema import FieldError
from .json_stream import CorpusError


class Row(NamedTuple):
    labels: list[Any]
    place: str  # file and line


class DistantLabels:
    """Rows {"title": …, "labels": [{"h": 0, "r": "P17", "t": 4}, …]} of a JSONL file; h and t number the entities.

    Raises CorpusError, with file and line, for rows that are something else or a title that comes twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_title: dict[str, Row] = {}
        self.used: set[str] = set()
        self.first_title: str | None = None  # of a document that came
        with path.open("rb") as file_:
            for number, line in enumerate(file_, 1):
                if line.strip():
                    self._add(line, f"{path}, line {number}")

    def _add(self, line: bytes, place: str) -> None:
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except ValueError as err:  # UnicodeDecodeError is one too
            raise CorpusError(place, f"not valid JSON in UTF-8 ({err})") from err
        fits = isinstance(row, Mapping) and isinstance(row.get("title"), str) and isinstance(row.get("labels"), list)
        if not fits:
            raise CorpusError(place, 'expected {"title": …, "labels": [{"h": 0, "r": "P17", "t": 4}, …]}')
        if row["title"] in self.by_title:
            raise CorpusError(place, f"{row['title']!r} has labels in an earlier line")
        self.by_title[row["title"]] = Row(row["labels"], place)

    def join(self, record: Any) -> tuple[Any, str]:
        """The document with these labels in place of its own, and its label status: "none" without a row.

        Raises FieldError for a second document of that title: whose entities the row numbers is not known.
        """
        title = record.get("title") if isinstance(record, Mapping) else None
        if self.first_title is None and isinstance(title, str):
            self.first_title = title
        if not isinstance(title, str) or title not in self.by_title:
            return record, NONE
        if title in self.used:
            raise FieldError("title", "an earlier document has the same one, and labels are joined by title")
        self.used.add(title)
        return {**record, "labels": self.by_title[title].labels}, DISTANT

    def require_use(self) -> None:
        """Raise ValueError if documents came, and none has the title of a row."""
        if self.first_title is not None and not self.used:
            there = next(iter(self.by_title), None)
            raise ValueError(Errors.E157.format(path=self.path, there=there, here=self.first_title))

    @property
    def unused(self) -> list[str]:
        """Titles that no document has."""
        return [title for title in self.by_title if title not in self.used]
