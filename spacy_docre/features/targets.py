"""Labels, label status and teachers to targets: nothing is 0 only because nobody labelled it."""

import math
import warnings
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotations import (
    COMPLETE,
    DISTANT,
    INCOMPLETE,
    entities_or_ents,
    get_entities,
    get_label_status,
    get_triples,
    match_entities,
)
from ..errors import Errors, Warnings, some
from ..label_files import read_priors
from .pair_batch import PairBatch
from .teachers import TeacherView, ask_teachers

MODES = ("teacher_soft", "teacher_union", "positives_only", "closed_world")
CERTAIN = 4.0  # a teacher's margin for what people labelled, at least
MAX_LOG_ODDS = 20.0  # of a label that is trusted wholly, unless the teacher is surer
MAX_COMPLETENESS = 0.95  # so that what nobody labelled is never 0


@dataclass(frozen=True)
class PairTargets:
    """values: in [0, 1] (n_pairs, n_labels)
    known: which of them say something (n_pairs, n_labels), None for all
    teacher: logits of the teachers, averaged, and corrected by labels where they are part of the targets
        (n_pairs, 1 + n_labels), nan for pairs that none has seen; None without
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_] | None
    teacher: NDArray[np.float32] | None = None

    @property
    def soft(self) -> bool:
        """Whether any target is neither 0 nor 1."""
        return bool(((self.values > 0) & (self.values < 1)).any())

    @property
    def taught(self) -> NDArray[np.bool_]:
        """Pairs that a teacher has seen: (n_pairs,)"""
        if self.teacher is None:
            return np.zeros(len(self.values), dtype=bool)
        return ~np.isnan(self.teacher[:, 0])


class MixedTargets:
    """Targets of a batch. What a missing label means depends on the document's label status.

    In `complete` documents, that the relation does not hold, in every mode. In others:

    teacher_soft: p, the probability of the teachers, and 1 for the labels of `incomplete` documents; in `distant` ones
        the mix trust · label + (1 - trust) · p.
    teacher_union: the same, as 0 or 1: whether the margin is above 0 (whatever threshold the teachers predict with).
    positives_only: nothing; the labels that are there are 1.
    closed_world: that it does not hold, whatever the status (the paper's choice for distant labels).

    Pairs that no teacher has seen are as in positives_only in both teacher modes. p is the teachers' calibrated
    probability (`spacy docre annotate --calibrate`), and teacher_scale multiplies its log odds; the mean over teachers
    is one of log odds. In both teacher modes the objective of distillation sees what the labels say too: in
    `incomplete` documents the margin of a labelled fact is at least CERTAIN, in `distant` ones the mix's.

    priors: how complete the labels of `incomplete` documents are. Of a label that people mostly give, it says much that
    they did not give it: with completeness c = labelled / true prior, p(1 - c) / (1 - pc), which lowers the log odds
    by -log(1 - c) (Elkan & Noto 2008, "Learning classifiers from only positive and unlabeled data", eq. 3).
    """

    def __init__(
        self,
        *,
        mode: str,
        trust: float = 0.0,
        teacher_scale: float = 1.0,
        teacher_weights: Mapping[str, float] = {},
        priors: Path | None = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(Errors.E064.format(mode=mode, expected=", ".join(MODES)))
        if not 0 <= trust <= 1:
            raise ValueError(Errors.E081.format(name="trust", expected="in [0, 1]", value=trust))
        negative = [name for name, weight in teacher_weights.items() if weight < 0]
        if negative:
            raise ValueError(Errors.E081.format(name="teacher_weights", expected=">= 0", value=negative))
        if teacher_scale <= 0:
            raise ValueError(Errors.E081.format(name="teacher_scale", expected="> 0", value=teacher_scale))
        self.mode = mode
        self.trust = trust
        self.teacher_scale = teacher_scale
        self.teacher_weights = dict(teacher_weights)
        self.priors = priors
        self._penalties: tuple[tuple[str, ...], NDArray[np.float32]] | None = None
        self.counts: Counter[str] = Counter()  # untaught documents by status if not complete, and relations "lost"

    def __call__(
        self,
        predicted: Sequence[Doc],
        references: Sequence[Doc],
        batch: PairBatch,
        label_index: Mapping[str, int],
        *,
        objective: bool = True,
    ) -> PairTargets:
        """Targets for the pairs of the predicted documents, from what is known of their references.

        objective: whether the logits of teachers are learned from too, so that they are wanted in every mode.

        Raises ValueError if a teacher lacks one of the labels, or the file of priors has none.
        """
        penalties = self.bind(tuple(label_index))
        shape = (int(batch.n_pairs.sum()), len(label_index))
        values, known = np.zeros(shape, dtype=np.float32), np.ones(shape, dtype=bool)
        teacher = np.full((shape[0], 1 + shape[1]), np.nan, dtype=np.float32)
        first_row = 0
        for doc, reference, n_pairs in zip(predicted, references, batch.n_pairs):
            ids = reference_ids(doc, reference)
            pairs, labels = positive_cells(ids, reference, label_index)
            self._count_lost(reference, label_index, len(get_triples(reference)) - len(pairs))
            rows = slice(first_row, first_row + n_pairs)
            values[rows][pairs, labels] = 1
            status = get_label_status(reference)
            view = None
            if objective or (self.mode.startswith("teacher") and status != COMPLETE):
                view = ask_teachers(reference, ids, list(label_index), self.teacher_weights)
            if view is not None:
                teacher[rows] = view.logits
            if n_pairs:
                self._complete(status, view, penalties, values[rows], known[rows], teacher[rows])
            first_row += n_pairs
        taught = not np.isnan(teacher[:, 0]).all()
        return PairTargets(values, None if known.all() else known, teacher if taught else None)

    def can_learn(self, statuses: Container[str], *, taught: bool, objective: bool = False) -> bool:
        """Whether documents of these label statuses say anywhere that a relation does not hold.

        taught: whether some of them have soft labels; objective: whether those are learned from whatever the mode.
        """
        by_teachers = taught and (objective or self.mode.startswith("teacher"))
        return COMPLETE in statuses or self.mode == "closed_world" or by_teachers

    def _complete(
        self,
        status: str,
        view: TeacherView | None,
        penalties: NDArray[np.float32],
        values: NDArray[np.float32],
        known: NDArray[np.bool_],
        teacher: NDArray[np.float32],
    ) -> None:
        """Targets of one document's cells, in place: values are its labels before, teacher the teachers' logits."""
        if status == COMPLETE or self.mode == "closed_world":
            return
        taught = ~np.isnan(teacher[:, 0])
        if self.mode == "positives_only" or view is None or not taught.any():
            self._count_untaught(status)
            known[:] = values > 0
            return
        labelled = values[taught]
        before = now = self.teacher_scale * view.log_odds[taught]
        if status == INCOMPLETE:
            now = before - penalties
        elif status == DISTANT and self.trust:
            now = mixed_log_odds(labelled, before, self.trust)
        margins = view.margins[taught] + (now - before) / (self.teacher_scale * view.slope[taught])
        soft = _sigmoid(now)
        if status == INCOMPLETE:
            margins = np.where(labelled > 0, np.maximum(view.margins[taught], CERTAIN), margins)
            soft = np.maximum(soft, labelled)
        values[taught] = margins > 0 if self.mode == "teacher_union" else soft
        teacher[taught, 1:] = teacher[taught, :1] + margins
        known[~taught] = values[~taught] > 0

    def bind(self, labels: tuple[str, ...]) -> NDArray[np.float32]:
        """-log(1 - completeness) of each label: (n_labels,), zeros without a file of priors, and for
        labels that are not in it.

        Raises ValueError for a file that can't be read, or has none of the labels."""
        if self._penalties is None or self._penalties[0] != labels:
            true, labelled = np.zeros((2, len(labels)))
            if self.priors is not None:
                true, labelled = read_priors(self.priors, labels, all_needed=False).numpy()
            complete = np.divide(labelled, true, out=np.zeros(len(labels)), where=true > 0)
            self._penalties = labels, -np.log1p(-complete.clip(0, MAX_COMPLETENESS)).astype(np.float32)
        return self._penalties[1]

    def _count_lost(self, reference: Doc, label_index: Mapping[str, int], n_lost: int) -> None:
        if not n_lost:
            return
        if not self.counts["lost"]:
            unknown = some({label for _, label, _ in get_triples(reference)} - label_index.keys())
            reason = "an entity is not in the document"
            if unknown:
                reason = f"the component does not know {unknown} (was all converted with the same --labels?)"
            warnings.warn(Warnings.W008.format(n_relations=n_lost, reason=reason), stacklevel=4)
        self.counts["lost"] += n_lost

    def _count_untaught(self, status: str) -> None:
        self.counts[status] += 1
        if self.counts[status] == 1 and self.mode != "positives_only":
            warnings.warn(Warnings.W007.format(status=status), stacklevel=5)


def create_mixed_targets_v1(
    mode: str = "teacher_soft",
    trust: float = 0.0,
    teacher_scale: float = 1.0,
    teacher_weights: dict[str, float] = {},
    priors: Path | None = None,
) -> MixedTargets:
    """How labels and teachers become targets, by the label status of their document.

    mode: "teacher_soft", "teacher_union", "positives_only" or "closed_world", see MixedTargets.
    trust: share of the labels of distant documents in the mix with the teachers.
    teacher_scale: p = σ(teacher_scale · log odds); 2 for teachers trained with ZLPR that were not calibrated.
    teacher_weights: of teachers by name, 1 where not given; 0 leaves one out.
    priors: JSON file of true and labelled shares (`spacy docre priors`), for how complete incomplete documents are.
    """
    return MixedTargets(
        mode=mode,
        trust=trust,
        teacher_scale=teacher_scale,
        teacher_weights=teacher_weights,
        priors=priors,
    )


def reference_ids(doc: Doc, reference: Doc) -> list[str]:
    """For each entity of `doc`, the id of the same entity in `reference`; "" where there is none."""
    entities = entities_or_ents(doc)
    matches = match_entities(doc, entities, reference, get_entities(reference), strict=False)
    return [matches.get(e.id, "") for e in entities]


def positive_cells(
    ids: Sequence[str], reference: Doc, label_index: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair (row-major, without the diagonal) and label of every relation of `reference`: each (n,).

    ids: the reference's ids of the entities, in order. Relations whose label is unknown, or whose entities are not
    among them, are left out.
    """
    index = {id_: i for i, id_ in enumerate(ids) if id_}
    cells = [
        (index[h] * (len(ids) - 1) + index[t] - (index[t] > index[h]), label_index[label])
        for h, label, t in get_triples(reference)
        if h in index and t in index and label in label_index
    ]
    array = np.array(cells, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -80, 80))), dtype=np.float32)


def mixed_log_odds(labelled: NDArray[np.float32], log_odds: NDArray[np.float32], trust: float) -> NDArray[np.float32]:
    """Of the mix p = trust · labelled + (1 - trust) · σ(log_odds), labelled 0 or 1 and trust above 0."""
    sign = np.where(labelled > 0, -1, 1).astype(np.float32)
    x = sign * log_odds  # as if nothing were labelled: p = (1 - trust) · σ(x), 1 - p = trust + (1 - trust) · σ(-x)
    if trust == 1:
        return -sign * np.maximum(np.abs(x), MAX_LOG_ODDS)
    log_rest = math.log1p(-trust)
    odds = log_rest - np.logaddexp(0, -x) - np.logaddexp(math.log(trust), log_rest - np.logaddexp(0, x))
    return np.asarray(sign * odds, dtype=np.float32)
