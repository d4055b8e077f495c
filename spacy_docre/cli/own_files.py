"""Files that a command replaces because it wrote them: results that are made again."""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from ..errors import Errors
from ..json_file import load_json
from ..readers.shards import check_target


def check_json(path: Path, command: str, keys: AbstractSet[str]) -> None:
    """Raise FileExistsError for a file that is neither empty nor JSON with these keys: an object, or a list of objects.
    And whatever `check_target` raises."""
    check_target(path, overwrite=True, replaces=())
    if is_there(path) and not has_keys(path, keys):
        raise FileExistsError(Errors.E161.format(path=path, command=command))


def check_page(path: Path, command: str) -> None:
    """The same for HTML."""
    check_target(path, overwrite=True, replaces=())
    if is_there(path) and path.read_bytes().lstrip()[:14].lower() != b"<!doctype html":
        raise FileExistsError(Errors.E161.format(path=path, command=command))


def is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def has_keys(path: Path, keys: AbstractSet[str]) -> bool:
    try:
        content: Any = load_json(path)
    except ValueError:
        return False
    if isinstance(content, list):
        return not content or (isinstance(content[0], dict) and content[0].keys() >= keys)
    return isinstance(content, dict) and content.keys() >= keys
