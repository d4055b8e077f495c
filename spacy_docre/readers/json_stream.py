"""Read a JSON array of documents one by one, whatever its size; gzipped or not."""

import gzip
import zlib
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
            first = next(ijson.basic_parse(file_), None)
            if first is None or first[0] != "start_array":
                raise CorpusError(str(path), "expected a JSON array of documents: [{…}, …]")
            file_.seek(0)
            for item in ijson.items(file_, "item", use_float=True):
                yield item
                n_read += 1
        except (ijson.JSONError, UnicodeDecodeError) as err:
            reason = "not UTF-8" if "utf8" in str(err).lower() else str(err).splitlines()[0].strip()
            place = f"{path}, after document {n_read}" if n_read else str(path)
            raise CorpusError(place, f"not valid JSON, or cut off ({reason})") from err
        except (gzip.BadGzipFile, zlib.error, EOFError) as err:
            place = f"{path}, after document {n_read}" if n_read else str(path)
            raise CorpusError(place, f"not valid gzip, or cut off ({err})") from err


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
