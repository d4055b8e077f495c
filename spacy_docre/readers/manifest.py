"""The manifest of a folder of shards that is written little by little: what is in it, and whether it is finished."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Errors
from ..json_file import read_json
from .shards import is_hidden

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass
class Manifest:
    """settings: what the shards were made from and how (plain data): teachers, inputs, …
    labels: the teachers' relation labels
    shards: file, n_docs, n_pairs and sha256 of each finished shard
    calibration: scale and offset of each teacher's margins, by name: of those too whose logits were there before
    """

    settings: dict[str, Any]
    labels: list[str]
    shards: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = False
    calibration: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def n_docs(self) -> int:
        return sum(shard["n_docs"] for shard in self.shards)

    def missing(self, folder: Path) -> list[str]:
        """Finished shards that are not there."""
        return [s["file"] for s in self.shards if not (folder / s["file"]).exists()]

    def write(self, folder: Path) -> None:
        """Whole or not at all, so that a reader never meets half a manifest."""
        temporary = folder / f".{MANIFEST}"
        content = {"format": FORMAT, **asdict(self)}
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
        temporary.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none, or somebody else's. Raises ValueError, with its path, for one that can't be read."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf8"))
        if not isinstance(stored, dict) or "format" not in stored or "shards" not in stored:
            return None
        if stored.pop("format") != FORMAT:
            raise ValueError("unknown format")
        manifest = Manifest(**stored)
        manifest.calibration = {name: (scale, offset) for name, (scale, offset) in manifest.calibration.items()}
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise ValueError(Errors.E112.format(path=path, reason=err)) from err


def require_finished(folder: Path, *, checksums: bool = True) -> None:
    """Raise ValueError if a manifest, of this folder or of one in it, says that its folder is not finished, or if a
    shard that it lists is missing or is another file than the one that was written.

    checksums: whether all files are read to see the latter.
    """
    for path in sorted(folder.rglob(MANIFEST)):
        manifest = None if is_hidden(path.relative_to(folder)) else read_manifest(path.parent)
        if manifest is None:
            continue
        require_shards(manifest, path.parent, checksums=checksums)
        if not manifest.complete:
            raise ValueError(Errors.E114.format(path=path.parent, n_docs=manifest.n_docs))


def require_shards(manifest: Manifest, folder: Path, *, checksums: bool = True) -> None:
    """Raise ValueError unless all shards that the manifest lists are in the folder, as they were written."""
    if missing := manifest.missing(folder):
        raise ValueError(Errors.E113.format(path=folder, files=", ".join(missing[:5])))
    written = {s["file"]: s["sha256"] for s in manifest.shards if checksums and "sha256" in s}
    changed = [name for name, checksum in written.items() if sha256(folder / name) != checksum]
    if changed:
        raise ValueError(Errors.E138.format(path=folder, files=", ".join(changed[:5])))


def create_teacher_labels_v1(path: str | Path) -> list[str] | None:
    """The relation labels of the teachers of a folder that `spacy docre annotate` wrote: a student's labels.

    path: such a folder; or a JSON file of labels, a list or {id: label}, as for `spacy docre convert --labels`.

    None for documents without a manifest: the labels are then those that are in the documents.
    Raises ValueError for a JSON file of anything else.
    """
    path = Path(path)  # [initialize] gives strings
    if path.suffix == ".json":
        return read_labels(path)
    manifest = read_manifest(path)
    return manifest.labels if manifest else None


def read_labels(path: Path) -> list[str]:
    """Sorted. Raises ValueError, with the path, for a file that has no labels."""
    stored = read_json(path)
    labels = list(stored.values()) if isinstance(stored, dict) else stored
    if not isinstance(labels, list) or not labels or not all(isinstance(x, str) and x for x in labels):
        raise ValueError(Errors.E094.format(path=path, field="", expected='["label", …] or {"id": "label"}'))
    return sorted(set(labels))


def sha256(*files: Path) -> str:
    """Of the contents of all files, in this order."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file_:
            while block := file_.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def folder_sha256(folder: Path) -> str:
    """Of the contents of all files below a folder."""
    return sha256(*sorted(p for p in folder.rglob("*") if p.is_file()))
