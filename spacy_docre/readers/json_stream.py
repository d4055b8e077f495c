"""Read a JSON array of documents one by one, whatever its size; gzipped or not."""

import gzip
import re
import zlib
from codecs import BOM_UTF8 as BOM
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import ijson

from ..errors import Errors


class CorpusError(ValueError):
    """Bad input, with its place: file, document, field."""

    def __init__(self, place: str, problem: str) -> None:
        self.place, self.problem = place, problem
        super().__init__(Errors.E020.format(place=place, problem=problem))


def iter_json_array(path: Path) -> Iterator[Any]:
    """Yield the items of the JSON array in `path`, which is unpacked on the way if its name ends in .gz.

    Raises CorpusError where the file is no JSON, is no array, or ends too early; items before that
    place have been yielded.
    """
    n_read = 0
    with _open(path) as file_:
        try:
            start = len(BOM) if file_.read(len(BOM)) == BOM else 0
            file_.seek(start)
            first = next(ijson.basic_parse(file_), None)
            if first is None or first[0] != "start_array":
                raise CorpusError(str(path), "expected a JSON array of documents: [{…}, …]")
            file_.seek(start)
            for item in ijson.items(file_, "item", use_float=True):
                yield item
                n_read += 1
        except (ijson.JSONError, UnicodeDecodeError) as err:
            reason = reason_of(err)
            place = f"{path}, after document {n_read}" if n_read else str(path)
            raise CorpusError(place, f"not valid JSON, or cut off ({reason})") from err
        except (gzip.BadGzipFile, zlib.error, EOFError) as err:
            place = f"{path}, after document {n_read}" if n_read else str(path)
            raise CorpusError(place, f"not valid gzip, or cut off ({err})") from err


def reason_of(err: Exception) -> str:
    """In a line. ijson's errors may hold bytes."""
    first = err.args[0] if err.args else ""
    text = first.decode("utf8", "replace") if isinstance(first, bytes) else str(err)
    return "not UTF-8" if re.search("utf-?8", text, re.IGNORECASE) else (text.splitlines() or [""])[0].strip()


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
