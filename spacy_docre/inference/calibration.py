"""Probabilities that are right on labelled documents: Platt scaling of a teacher's margins."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example

from ..annotations import COMPLETE, UNCALIBRATED, get_label_status, get_title
from ..errors import Errors, Warnings
from ..features.targets import positive_cells, reference_ids
from .teacher import Teacher

EDGES = np.linspace(-40, 40, 8001)  # margins are counted in bins, so memory does not grow with the documents
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
BATCH_SIZE = 32
N_ITERATIONS = 100
Cells = tuple[NDArray[np.int64], NDArray[np.int64]]  # pair and label indices


def calibrate(teacher: Teacher, examples: Iterable[Example]) -> tuple[float, float]:
    """Scale and offset with which σ(scale · margin + offset) is right on these documents.

    They should be completely labelled, and not be those that the teacher has learned from: on them it is too sure.

    A teacher whose higher margins do not mean higher probabilities is left as it is, with a warning.

    Raises ValueError if a document's labels are not complete, or if there is no relation to learn from.
    """
    counts = np.zeros((2, len(CENTRES)))  # cells that are false and true, by margin
    for _, margins, cells in labelled_margins(teacher, examples):
        counts += count_margins(margins, cells)
    if not counts[1].sum():
        raise ValueError(Errors.E128)
    scale, offset = fit(counts)
    if scale <= 0:
        warnings.warn(Warnings.W014.format(teacher=teacher.name, scale=scale), stacklevel=2)
        return UNCALIBRATED
    return scale, offset


def labelled_margins(
    teacher: Teacher, examples: Iterable[Example]
) -> Iterator[tuple[Example, NDArray[np.float32], Cells]]:
    """Each document with its margins (n_pairs, n_labels), and its relations as cells of them.

    Raises ValueError if a document's labels are not complete.
    """
    index = {label: i for i, label in enumerate(teacher.labels)}
    stream = iter(examples)
    while batch := list(islice(stream, BATCH_SIZE)):
        for example, logits in zip(batch, teacher.logits([eg.predicted for eg in batch])):
            status = get_label_status(example.reference)
            if status != COMPLETE:
                raise ValueError(Errors.E127.format(title=get_title(example.reference), status=status))
            ids = reference_ids(example.predicted, example.reference)
            yield example, logits[:, 1:] - logits[:, :1], positive_cells(ids, example.reference, index)


def count_margins(margins: NDArray[np.float32], positive: Cells) -> NDArray[np.float64]:
    """How many cells of each bin are false and true: (2, n_bins)"""
    bins = margin_bins(margins)
    true = np.zeros(margins.shape, dtype=bool)
    true[positive] = True
    return np.stack([np.bincount(bins[x], minlength=len(CENTRES)) for x in (~true, true)]).astype(float)


def margin_bins(margins: NDArray[np.float32]) -> NDArray[np.int64]:
    """The bin that each margin is in; the first and the last one take what is beyond them."""
    return np.clip(np.digitize(margins, EDGES) - 1, 0, len(CENTRES) - 1)


def fit(counts: NDArray[np.float64], margins: Sequence[float] | NDArray[np.float64] = CENTRES) -> tuple[float, float]:
    """Logistic regression on the margin, by Newton's method: scale and offset.

    counts: how many cells with each margin are false and true (2, n_margins). Targets are not quite 0 and 1, so that
    the fit is finite where the two do not overlap (Platt 1999, "Probabilistic outputs for support vector machines",
    §2.2).
    """
    false, true = counts
    high, low = (true.sum() + 1) / (true.sum() + 2), 1 / (false.sum() + 2)
    total, wanted = false + true, true * high + false * low
    x = np.stack([np.asarray(margins, dtype=float), np.ones(len(total))])  # (2, n_margins)
    weights = np.array([1.0, 0.0])
    for _ in range(N_ITERATIONS):
        p = 1 / (1 + np.exp(-np.clip(weights @ x, -80, 80)))
        gradient = x @ (total * p - wanted)
        hessian = (x * (total * p * (1 - p))) @ x.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        largest, limit = np.abs(step).max(), max(1.0, np.abs(weights).max())
        if largest < 1e-9:
            break
        weights = weights - step * min(1.0, limit / largest)
    return float(weights[0]), float(weights[1])
