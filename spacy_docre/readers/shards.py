"""Corpora as `.spacy` files: read shard by shard, written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..errors import Errors, Warnings, some, warn_once


def find_shards(path: Path) -> list[Path]:
    """The `.spacy` files of a corpus, in order: `path` itself, or all below that folder."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*.spacy") if p.is_file() and not is_hidden(p.relative_to(path)))
    return [path]


def is_hidden(path: Path) -> bool:
    """Temporary folders of a run that was killed start with a dot: what is in them may be half written."""
    return any(part.startswith(".") for part in path.parts)


def read_shard(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Yield the documents of one `.spacy` file. Raises ValueError with its path if it can't be read."""
    docs = load_shard(path).get_docs(vocab)
    while True:
        try:
            doc = next(docs, None)
        except Exception as err:  # of files that unpack, and are odd
            raise ValueError(Errors.E022.format(path=path, problem=f"{type(err).__name__}: {err}")) from err
        if doc is None:
            return
        yield doc


def read_shards(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Yield the documents of a corpus as they were written, file after file. Raises ValueError as `read_shard`."""
    return (doc for shard in find_shards(path) for doc in read_shard(shard, vocab))


def load_shard(path: Path) -> DocBin:
    """One `.spacy` file, before documents are made of it. Raises ValueError with its path if it can't be read."""
    if path.suffix in (".json", ".jsonl"):
        raise ValueError(Errors.E141.format(path=path, target=path.with_suffix(".spacy").name))
    try:
        return DocBin(store_user_data=True).from_disk(path)
    except FileNotFoundError as err:
        raise ValueError(Errors.E024.format(path=path)) from err
    except Exception as err:
        raise ValueError(Errors.E022.format(path=path, problem=f"{type(err).__name__}: {err}")) from err


def write_shards(docs: Iterable[Doc], folder: Path, docs_per_shard: int) -> list[int]:
    """Write documents to `folder` as 00000.spacy, 00001.spacy, …; returns the documents in each."""
    docs = iter(docs)
    counts: list[int] = []
    while chunk := list(islice(docs, docs_per_shard)):
        write_shard(chunk, folder / f"{len(counts):05}.spacy")
        counts.append(len(chunk))
    return counts


def write_shard(docs: Iterable[Doc], path: Path) -> int:
    """Write one `.spacy` file with all plain data of its documents, and no hidden states."""
    doc_bin = DocBin(store_user_data=True)
    for doc in docs:
        doc_bin.add(with_plain_data(without_hidden_states(doc)))
    doc_bin.to_disk(path)
    return len(doc_bin)


def without_hidden_states(doc: Doc) -> Doc:
    """Clear `doc.tensor` and `doc._.trf_data` (in place): they are 500 times as large as the rest."""
    if doc.tensor is not None:  # spaCy's doc_cleaner sets it to None
        doc.tensor = doc.tensor[:0]
    doc.user_data = {
        key: value
        for key, value in doc.user_data.items()
        if not (isinstance(key, tuple) and key[:2] == ("._.", "trf_data"))
    }
    return doc


def with_plain_data(doc: Doc) -> Doc:
    """Leave out (in place) what a component has put into `doc.user_data` and no file can take, with a warning."""
    if is_plain(doc.user_data):
        return doc
    strange = [key for key, value in doc.user_data.items() if not is_plain({key: value})]
    warn_once(Warnings.W023.format(keys=some([str(key) for key in strange])), stacklevel=3)
    doc.user_data = {key: value for key, value in doc.user_data.items() if key not in strange}
    return doc


def is_plain(data: Any) -> bool:
    try:
        srsly.msgpack_dumps(data)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def check_target(target: Path, *, overwrite: bool, replaces: Sequence[str]) -> None:
    """Raise FileExistsError for what must not be replaced (`whole_or_nothing`), and PermissionError or
    NotADirectoryError where nothing can be written. replaces: only for a folder."""
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise FileExistsError(Errors.E150.format(path=target))
    folder = next(p for p in target.absolute().parents if p.exists())
    if not folder.is_dir():
        raise NotADirectoryError(Errors.E151.format(path=target, problem=f"{folder} is no folder"))
    if not os.access(folder, os.W_OK):
        raise PermissionError(Errors.E151.format(path=target, problem=f"nothing may be written to {folder}"))
    content = list(target.iterdir()) if target.is_dir() else []
    if target.is_file() and replaces:
        raise FileExistsError(Errors.E038.format(path=target))
    if (content or target.is_file()) and not overwrite:
        raise FileExistsError(Errors.E023.format(path=target))
    if content and not replaces:
        raise FileExistsError(Errors.E032.format(path=target))
    foreign = sorted(p.name for p in content if not any(p.match(pattern) for pattern in replaces))
    if foreign:
        expected = ", ".join(replaces)
        raise FileExistsError(Errors.E028.format(path=target, found=", ".join(foreign[:5]), expected=expected))


@contextmanager
def whole_or_nothing(target: Path, *, overwrite: bool = False, replaces: Sequence[str] = ()) -> Iterator[Path]:
    """Give a temporary folder beside `target`; what lies there as `target.name` takes its place at the end.

    If the block fails, nothing is left behind and an older `target` stays as it was.
    Raises FileExistsError if `target` has content and `overwrite` is off, or if it is a folder with anything but
    files of the patterns `replaces`; without patterns, no folder is ever replaced.
    """
    target = target.resolve() if target.is_symlink() else target
    check_target(target, overwrite=overwrite, replaces=replaces)
    created = [p for p in (target.parent, *target.parent.parents) if not p.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as tmp:
            result = Path(tmp) / "now" / target.name
            result.parent.mkdir()
            yield result
            exchange(result, target, Path(tmp) / "before")
    except BaseException:
        for folder in created:
            with suppress(OSError):
                folder.rmdir()
        raise


def exchange(result: Path, target: Path, before: Path) -> None:
    """Put `result` in the place of `target`. A folder that was there goes to `before`, and comes back if that fails."""
    if target.is_dir():
        target.replace(before)
    try:
        result.replace(target)
    except BaseException:
        if before.exists():
            before.replace(target)
        raise
