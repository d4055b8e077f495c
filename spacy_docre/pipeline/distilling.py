"""Learning from a teacher pipe that is in memory, with the names of spaCy v4's distillation API."""

from collections.abc import Iterable
from typing import Any

import torch
from spacy.training import Example, validate_examples
from thinc.api import Optimizer, set_dropout_rate, torch2xp, xp2torch

from ..annotations import entities_or_ents, get_title, match_entities
from ..errors import Errors, some
from ..losses.distillation import LogitMSE, Objective
from ..training.gradient import only_margins
from ..types import PairLogits
from .decisions import Deciding


class Distillable(Deciding):
    """Adds `distill` and `get_teacher_student_loss`.

    For large corpora write the teacher's logits to files first: `python -m spacy docre annotate`.
    """

    distillation: Objective | None
    rdrop_alpha: float

    def get_teacher_student_loss(
        self, teacher_scores: PairLogits, student_scores: PairLogits
    ) -> tuple[float, PairLogits]:
        """The objective of the config (LogitMSE where there is none) and its gradient for the student.

        teacher_scores, student_scores (n_pairs, 1 + n_labels). Raises ValueError if the shapes differ.
        """
        leaf = xp2torch(student_scores, requires_grad=True)
        objective = self.distillation or LogitMSE(weight=1.0)
        teacher = xp2torch(teacher_scores).to(leaf.device)
        value = objective(leaf, teacher if self.learned_threshold else only_margins(teacher))
        (gradient,) = torch.autograd.grad(value, leaf)
        return float(value.detach()), torch2xp(gradient)  # type: ignore[return-value]

    def distill(
        self,
        teacher_pipe: "Distillable",
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from what the teacher predicts for the references, whose entities are those of the predicted documents.

        Raises ValueError, with the labels, if the two have different labels, and with the title if a document has not
        the same entities, in the same order, on both sides.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "DocRERelations.distill")
        if tuple(teacher_pipe.labels) != tuple(self.labels):
            differing = some(set(teacher_pipe.labels) ^ set(self.labels)) or "only their order"
            raise ValueError(Errors.E115.format(first=teacher_pipe.name, second=self.name, labels=differing))
        docs: list[Any] = [eg.predicted for eg in examples]
        if not any(len(doc) for doc in docs):
            return losses
        for eg in examples:
            require_same_entities(eg)
        self._require_model()
        teacher_pipe._require_model()
        teacher_scores = teacher_pipe.model.predict([eg.reference for eg in examples])
        set_dropout_rate(self.model, drop)
        self.model.attrs["n_passes"] = 1
        self.model.attrs["evidence"].end()  # of an update that failed
        student_scores, backprop = self.model.begin_update(docs)
        loss, d_scores = self.get_teacher_student_loss(teacher_scores, student_scores)
        backprop(d_scores)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses


def require_same_entities(example: Example) -> None:
    """Raise ValueError, with the title, unless both sides have the same entities in the same order."""
    found, wanted = (entities_or_ents(doc) for doc in (example.predicted, example.reference))
    same = match_entities(example.predicted, found, example.reference, wanted, strict=False)
    if [same.get(e.id) for e in found] != [e.id for e in wanted]:
        title = get_title(example.reference)
        raise ValueError(Errors.E146.format(title=title, n_found=len(found), n_wanted=len(wanted)))
