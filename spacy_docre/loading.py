"""Loading a trained pipeline, with an error that says what was named in its place."""

from pathlib import Path

from spacy.language import Language
from spacy.util import is_package, load_model

from .errors import Errors

BEST, LAST = "model-best", "model-last"  # of `spacy train`, in its output folder


def load_pipeline(name: str | Path) -> Language:
    """Raises ValueError, with what to name instead, for documents and for the output folder of `spacy train`; and
    whatever `spacy.load` raises."""
    path = Path(name)
    if is_package(str(name)):
        return load_model(name)
    if path.is_dir() and not (path / "meta.json").exists():
        inside = [str(path / x) for x in (BEST, LAST) if (path / x / "meta.json").exists()]
        if inside:
            raise ValueError(Errors.E159.format(path=path, there=" or ".join(inside)))
        raise ValueError(Errors.E160.format(path=path, problem="a folder without meta.json"))
    if path.is_file():
        raise ValueError(Errors.E160.format(path=path, problem="a file"))
    return load_model(name)
