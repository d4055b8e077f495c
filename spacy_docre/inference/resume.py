"""Long work, written part by part: a killed run goes on where it stopped, a different one is not mixed with it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import Errors, some
from ..readers.manifest import MANIFEST, Manifest, read_manifest, require_shards, sha256
from ..readers.shards import find_shards


def describe_files(paths: Sequence[Path]) -> list[dict[str, str]]:
    return [{"file": p.name, "sha256": sha256(p)} for path in paths for p in find_shards(path)]


def describe_code(code: Path | None) -> dict[str, Any]:
    """A file of functions that pipelines use, as a setting."""
    return {"code": describe_files([code])} if code is not None else {}


def find_earlier(output: Path, settings: dict[str, Any], *, overwrite: bool, own: bool = False) -> Manifest | None:
    """The manifest of an earlier run that did the same; None where work begins anew. Nothing is written here.

    own: whether whatever is in the folder is of such runs, since nobody else knows of it.
    """
    content = sorted(p.name for p in output.iterdir()) if output.is_dir() else []
    try:
        earlier = read_manifest(output) if output.is_dir() else None
    except ValueError:
        others = {*content} - {MANIFEST, f".{MANIFEST}"}
        if not overwrite or not (own or all(Path(name).suffix == ".spacy" for name in others)):
            raise
        return None
    if own and earlier is None:
        return None
    if output.is_file() or (content and earlier is None and set(content) != {f".{MANIFEST}"}):
        raise FileExistsError(Errors.E116.format(path=output, found=", ".join(content[:5]) or "a file"))
    if earlier is None:
        return None
    if earlier.settings == settings:
        try:
            require_shards(earlier, output)
            return earlier
        except ValueError:
            if not overwrite:
                raise
    if not overwrite:
        raise ValueError(Errors.E117.format(path=output, changed=", ".join(changes(earlier.settings, settings))))
    return None


def require_apart(data: Path, output: Path) -> None:
    """Raise ValueError if the output is an input, or would be one the next time."""
    here, there = output.resolve(), data.resolve()
    if here == there or there in here.parents or here in there.parents:
        raise ValueError(Errors.E126.format(output=output, input=data))


def require_own_place(output: Path) -> None:
    """Raise ValueError if the output lies within that of another run."""
    for folder in output.resolve().parents:
        if folder.is_dir() and os.access(folder, os.R_OK) and read_manifest(folder) is not None:
            raise ValueError(Errors.E162.format(output=output, path=folder))


def clear(output: Path) -> None:
    """An empty folder, without the shards of an earlier run."""
    for shard in output.glob("*.spacy"):
        shard.unlink()
    (output / MANIFEST).unlink(missing_ok=True)  # at last: shards without one are somebody else's
    output.mkdir(parents=True, exist_ok=True)


def changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What is different, in words."""
    files = ("teachers", "model", "inputs", "calibrate_on", "code")
    for key in files:
        if before.get(key) != now.get(key):
            old, new = (some([x.get("name", x.get("file")) for x in s.get(key, [])]) for s in (before, now))
            same = " (the name is the same, the content is not)" * (old == new)
            yield f"{key} {old or 'none'} → {new or 'none'}{same}"
    for key in now.keys() - set(files):
        if before.get(key) != now[key]:
            yield f"{key} {before.get(key)} → {now[key]}"
