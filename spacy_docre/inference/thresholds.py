"""When to believe a pipeline: thresholds and calibrated scores, from labelled documents.

A label's probability is σ(scale · margin + offset), with one scale for all labels and an offset for each, which is
drawn to the common one where there are few relations. A relation is predicted where this probability is above a cut, so
one number trades precision for recall: the cut with the best F1, or the lowest one with a wanted precision.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example

from ..annotations import get_entities, get_triples
from ..errors import Errors
from ..features.pair_batch import off_diagonal
from .calibration import CENTRES, EDGES, N_ITERATIONS, Cells, fit, labelled_margins, margin_bins
from .teacher import Teacher

N_FOLDS = 5  # documents that thresholds are chosen on, and others that they are checked on
Counts = NDArray[np.int64]  # (2, n_labels, n_bins): cells that are false and true, by margin
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """precision, recall and F1 at one cut"""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Thresholds:
    """cut: the probability above which a relation is predicted; margins (n_labels,): where each label has it
    scale, offset: of all labels; offsets (n_labels,): of each
    before, after: scores with the old thresholds and with these; checked: of folds whose documents were not used, nan
        where there is one document only
    error_before, error_after: expected calibration error of predicted relations, after: of such folds
    curve: precision and recall at each cut (2, n_cuts), highest cut first
    reliability: by tenths of the probability, mean probability, share that is true, and relations: before and after
    """

    labels: tuple[str, ...]
    cut: float
    margins: NDArray[np.float32]
    scale: float
    offset: float
    offsets: Floats
    before: Scores
    after: Scores
    checked: Scores
    error_before: float
    error_after: float
    curve: Floats
    reliability: dict[str, Floats]

    def store(self, teacher: Teacher) -> None:
        """Let the pipeline predict with these thresholds and scores."""
        component = teacher.component
        common = float(np.median(self.margins))
        component.threshold_offset = common - component.loss.decision_margin
        component.cfg["label_offsets"] = {x: float(t) - common for x, t in zip(self.labels, self.margins)}
        offsets = dict(zip(self.labels, self.offsets.tolist()))
        component.cfg["calibration"] = {"scale": self.scale, "offsets": offsets}
        teacher.nlp.get_pipe_config(component.name)["threshold_offset"] = component.threshold_offset


def choose_thresholds(
    teacher: Teacher,
    examples: Iterable[Example],
    *,
    precision: float | None = None,
    per_label: bool = False,
    shrinkage: float = 32.0,
    on_progress: Callable[[int], None] = lambda n_docs: None,
) -> Thresholds:
    """Thresholds and calibration from completely labelled documents, which the pipeline has not been trained on.

    precision: the lowest cut with at least this precision; None takes the cut with the best F1.
    per_label: whether each label has a threshold of its own; shrinkage: the strength with which it is drawn to the
        common one, in relations.

    Raises ValueError if a document's labels are not complete, if there is no relation to learn from, if higher margins
    do not mean higher probabilities, or if the precision is not reached at any cut.
    """
    folds, n_gold = count_folds(teacher, examples, on_progress)
    if not sum(c[1].sum() for c in folds):
        raise ValueError(Errors.E128)
    whole = np.sum(folds, axis=0)
    strength = shrinkage if per_label else np.inf
    scale, offset, offsets = fit_labels(whole, strength)
    if scale <= 0:
        raise ValueError(Errors.E132.format(scale=scale))
    odds = log_odds(scale, offsets)
    cut, curve = choose_cut(whole, odds, n_gold.sum(), precision)
    before, now = predicted_before(teacher), odds >= cut
    bins = {
        "before": reliability(whole, before, probabilities_before(teacher)),
        "now": reliability(whole, now, sigmoid(odds)),
    }
    checked, error_after = check(folds, n_gold, strength, precision)
    return Thresholds(
        labels=teacher.labels,
        cut=float(sigmoid(cut)),
        margins=lowest_margins(now),
        scale=scale,
        offset=offset,
        offsets=offsets,
        before=score(whole, before, n_gold.sum()),
        after=score(whole, now, n_gold.sum()),
        checked=checked,
        error_before=calibration_error(bins["before"]),
        error_after=error_after,
        curve=curve,
        reliability=bins,
    )


def count_folds(
    teacher: Teacher, examples: Iterable[Example], on_progress: Callable[[int], None]
) -> tuple[list[Counts], NDArray[np.int64]]:
    """Cells by margin and label, in folds of documents, and each fold's relations, predictable or not. Cells that rules
    forbid are never predicted, whatever the threshold: they are not among the first."""
    folds = [np.zeros((2, len(teacher.labels), len(CENTRES)), dtype=np.int64) for _ in range(N_FOLDS)]
    n_gold = np.zeros(N_FOLDS, dtype=np.int64)
    rules = teacher.component.decoder.rules
    for i, (example, margins, cells) in enumerate(labelled_margins(teacher, examples)):
        allowed = np.ones(margins.shape, dtype=bool)
        if rules is not None:
            entities = get_entities(example.predicted)
            allowed = rules.allowed_cells([e.label for e in entities], *off_diagonal(len(entities)))
        add_cells(folds[i % N_FOLDS], margins, cells, allowed)
        n_gold[i % N_FOLDS] += len(set(get_triples(example.reference)))
        on_progress(1)
    return folds, n_gold


def add_cells(counts: Counts, margins: NDArray[np.float32], positive: Cells, allowed: NDArray[np.bool_]) -> None:
    """Count the allowed cells of one document, in place. margins, allowed (n_pairs, n_labels)"""
    true = np.zeros(margins.shape, dtype=bool)
    true[positive] = True
    _, n_labels, n_bins = counts.shape
    place = (true * n_labels + np.arange(n_labels)) * n_bins + margin_bins(margins)
    counts += np.bincount(place[allowed], minlength=counts.size).reshape(counts.shape)


def fit_labels(counts: Counts, shrinkage: float) -> tuple[float, float, Floats]:
    """Scale and offset of all labels together, and the offset of each (n_labels,), by Newton's method.

    An offset is a common one and a deviation; deviations are drawn to 0 by a normal distribution of precision
    `shrinkage`, so that a label with about as many relations is half way (with inf, all have the common one).
    """
    scale, offset = fit(counts.sum(1).astype(float))
    deviations = np.zeros(counts.shape[1])
    total = counts.sum(0)
    for _ in range(N_ITERATIONS * np.isfinite(shrinkage)):
        p = sigmoid(log_odds(scale, offset + deviations))
        residual, weight = total * p - counts[1], total * p * (1 - p)
        x = np.stack([CENTRES, np.ones_like(CENTRES)])  # of scale and common offset (2, n_bins)
        own, both = weight.sum(1) + shrinkage, weight @ x.T  # (n_labels,), (n_labels, 2)
        gradient = residual.sum(1) + shrinkage * deviations
        # scale and offset first, with the deviations eliminated: each label has only its own
        hessian = (x * weight.sum(0)) @ x.T - both.T @ (both / own[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, x @ residual.sum(0) - both.T @ (gradient / own))
        own_step = (gradient - both @ step) / own
        largest = max(np.abs(step).max(), np.abs(own_step).max())
        damping = min(1.0, 1.0 / largest) if largest else 1.0
        scale, offset = scale - damping * step[0], offset - damping * step[1]
        deviations = deviations - damping * own_step
        if largest < 1e-9:
            break
    return float(scale), float(offset), offset + deviations


def log_odds(scale: float, offsets: Floats) -> Floats:
    """At the centre of each bin: (n_labels, n_bins)"""
    return scale * CENTRES + offsets[:, None]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(x, -80, 80)))


def lowest_margins(predicted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The margin above which each label is predicted: (n_labels, n_bins) -> (n_labels,)

    Just below the lowest bin that is predicted. Margins are float32, so the last float32 before that bin.
    """
    first = np.where(predicted.any(1), predicted.argmax(1), len(CENTRES))
    edges = EDGES[first].astype(np.float32)
    return np.where(edges < EDGES[first], edges, np.nextafter(edges, np.float32(-np.inf)))


def predicted_before(teacher: Teacher) -> NDArray[np.bool_]:
    """Which bins are above the pipeline's present thresholds: (n_labels, n_bins)"""
    return teacher.component.decoder.thresholds[:, None] < CENTRES


def probabilities_before(teacher: Teacher) -> Floats:
    """The scores that the pipeline gives at present: (n_labels, n_bins)"""
    n_labels = len(teacher.labels)
    margins = np.tile(CENTRES.astype(np.float32)[:, None], n_labels)  # (n_bins, n_labels)
    bins, labels = np.nonzero(np.ones(margins.shape, dtype=bool))
    return teacher.component.decoder.scores(margins, (bins, labels)).reshape(margins.shape).T.astype(float)


def choose_cut(counts: Counts, odds: Floats, n_gold: int, precision: float | None) -> tuple[float, Floats]:
    """The cut of the log-odds, and precision and recall at every cut that makes a difference (2, n_cuts).

    Raises ValueError, with the highest precision there is, if none has the wanted one.
    """
    total = counts.sum(0)
    seen = total > 0
    order = np.argsort(-odds[seen], kind="stable")
    cuts, last = np.unique(-odds[seen][order], return_index=True)
    ends = np.append(last[1:], seen.sum()) - 1  # the last cell with each of them
    correct, predicted = (np.cumsum(x[seen][order])[ends] for x in (counts[1], total))
    curve = np.stack([correct / predicted, correct / n_gold])
    if precision is None:
        chosen = int(np.argmax(2 * correct / (predicted + n_gold)))
    else:
        enough = np.flatnonzero(curve[0] >= precision)
        if not len(enough):
            raise ValueError(Errors.E133.format(wanted=precision, highest=curve[0].max()))
        chosen = int(enough[-1])
    return float(-cuts[chosen]), curve


def score(counts: Counts, predicted: NDArray[np.bool_], n_gold: int) -> Scores:
    n_correct, n_predicted = counts[1][predicted].sum(), counts.sum(0)[predicted].sum()
    return make_scores(n_correct, n_predicted, n_gold)


def make_scores(correct: int, predicted: int, gold: int) -> Scores:
    return Scores(correct / max(predicted, 1), correct / max(gold, 1), 2 * correct / max(predicted + gold, 1))


def check(
    folds: list[Counts], n_gold: NDArray[np.int64], shrinkage: float, precision: float | None
) -> tuple[Scores, float]:
    """Scores and calibration error on each fold's documents, with thresholds from the other folds; nan if only one fold
    has documents."""
    if sum(bool(counts.any()) for counts in folds) < 2:
        return Scores(math.nan, math.nan, math.nan), math.nan
    correct = predicted = 0
    bins = np.zeros((3, 10))
    whole = np.sum(folds, axis=0)
    for counts, gold in zip(folds, n_gold):
        others = whole - counts
        if not others[1].sum():
            continue
        scale, _, offsets = fit_labels(others, shrinkage)
        odds = log_odds(scale, offsets)
        try:
            cut, _ = choose_cut(others, odds, n_gold.sum() - gold, precision)
        except ValueError:
            continue  # the precision is not reached on these: nothing is predicted
        chosen = odds >= cut
        correct += counts[1][chosen].sum()
        predicted += counts.sum(0)[chosen].sum()
        bins += reliability_sums(counts, chosen, sigmoid(odds))
    return make_scores(correct, predicted, n_gold.sum()), calibration_error(means(bins))


def reliability(counts: Counts, chosen: NDArray[np.bool_], p: Floats) -> Floats:
    """By tenths of the probability: mean probability, share that is true, and number, of predicted relations (3, 10)"""
    return means(reliability_sums(counts, chosen, p))


def reliability_sums(counts: Counts, chosen: NDArray[np.bool_], p: Floats) -> Floats:
    tenth = np.minimum((p[chosen] * 10).astype(int), 9)
    total = counts.sum(0)[chosen]
    weights = (total * p[chosen], counts[1][chosen], total)
    return np.stack([np.bincount(tenth, weights=w, minlength=10) for w in weights])


def means(sums: Floats) -> Floats:
    n = np.maximum(sums[2], 1)
    return np.stack([sums[0] / n, sums[1] / n, sums[2]])


def calibration_error(reliability: Floats) -> float:
    """How far probabilities are from shares, on average over relations (expected calibration error, ten bins)."""
    said, true, n = reliability
    return float((np.abs(said - true) * n).sum() / max(n.sum(), 1))
