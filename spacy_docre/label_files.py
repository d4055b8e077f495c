"""Files that say something of single labels, written by `spacy docre embed-labels` and `spacy docre priors`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import Errors, Warnings, some, warn_once
from .json_file import read_json


def read_costs(path: Path, labels: Sequence[str]) -> Tensor:
    """Costs of taking one label for another, of these labels in this order: (n_labels, n_labels), float64.

    The file: {"labels": [...], "costs": [[...], ...]}. Raises ValueError with the path, and labels that are missing.
    """
    found = _read(path, ("labels", "costs"))
    try:
        matrix = torch.tensor(found["costs"], dtype=torch.float64)
    except (TypeError, ValueError):
        matrix = torch.empty(0)
    n = len(found["labels"])
    if (
        tuple(matrix.shape) != (n, n)
        or len(set(map(str, found["labels"]))) != n
        or not bool(((matrix >= 0) & matrix.isfinite()).all())
    ):
        expected = f"{n} rows of {n} finite numbers >= 0, as there are different labels"
        raise ValueError(Errors.E094.format(path=path, field="costs", expected=expected))
    _require(path, found["labels"], labels)
    order = [found["labels"].index(label) for label in labels]
    return matrix[order][:, order]


def read_priors(path: Path, labels: Sequence[str], *, all_needed: bool = True) -> Tensor:
    """True and labelled priors of these labels: (2, n_labels), float64.

    The file: {label: {"true": 0.01, "labelled": 0.004}, ...}, shares of all pairs. Raises ValueError with the path,
    and labels that are missing; of these only some may be, with a warning and shares of 0, if not `all_needed`.
    """
    found = _read(path, ())
    wrong = [label for label in labels if label in found and not _are_shares(found[label])]
    if wrong or not any(map(_are_shares, found.values())):  # then it is another kind of file
        field = next(iter([*wrong, *found]), "(all)")
        expected = '{"true": share, "labelled": share} with shares in [0, 1)'
        raise ValueError(Errors.E094.format(path=path, field=field, expected=expected))
    unknown = [label for label in labels if label not in found]
    if all_needed or len(unknown) == len(labels):
        _require(path, list(found), labels)
    elif unknown:
        warn_once(Warnings.W031.format(path=path, labels=some(unknown)), stacklevel=4)
    shares = [found.get(label, {"true": 0.0, "labelled": 0.0}) for label in labels]
    return torch.tensor([[x[kind] for x in shares] for kind in ("true", "labelled")], dtype=torch.float64)


def _read(path: Path, fields: Sequence[str]) -> dict[str, Any]:
    found = read_json(path)
    for field in fields:
        if not isinstance(found, dict) or not isinstance(found.get(field), list):
            raise ValueError(Errors.E094.format(path=path, field=field, expected="a list"))
    if not isinstance(found, dict):
        raise ValueError(Errors.E094.format(path=path, field="(all)", expected="an object"))
    return found


def _are_shares(values: Any) -> bool:
    if not isinstance(values, dict):
        return False
    return all(isinstance(values.get(x), int | float) and 0 <= values[x] < 1 for x in ("true", "labelled"))


def _require(path: Path, there: Sequence[str], labels: Sequence[str]) -> None:
    missing = [label for label in labels if label not in there]
    if missing:
        raise ValueError(Errors.E095.format(path=path, labels=", ".join(missing)))
