"""Component `docre_relations`: relations between the entities of whole documents."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate, to_numpy
from thinc.types import Floats2d

from ..annotations import (
    DEFAULT_ATTR,
    DISTANT,
    Entity,
    entities_or_ents,
    has_mentions,
    install_extensions,
    set_entities,
    store_relations,
)
from ..errors import Errors
from ..features.evidence_targets import EvidenceRows
from ..features.pair_batch import PairBatch
from ..features.schema import Schema
from ..features.targets import MixedTargets
from ..losses import MarginLoss
from ..losses.distillation import Objective
from ..memory import MemoryLimit, keep_few_kernels, keep_memory
from ..models.listening import waits_for_encoder
from ..models.reading import Reading, predict_pairs
from ..training.gradient import loss_and_gradient
from ..types import PairLogits
from .batching import MAX_CELLS, batch_by_cost, single_thread_in_workers
from .config import SCORE_WEIGHTS, default_config, require_at_least
from .decisions import forget_decisions
from .decoding import DocPrediction
from .distilling import Distillable
from .evidence import add_evidence
from .labelled import require_numbers, require_pair_model
from .survey import survey, warn_of_another, warn_of_no_entities, warn_of_strange_types, warn_of_strange_weights


@Language.factory(
    "docre_relations",
    assigns=["doc._.relations", "doc._.docre_entities", "doc.spans"],
    default_config=default_config(),
    default_score_weights=SCORE_WEIGHTS,
)
def make_docre_relations(
    nlp: Language,
    name: str,
    model: Model[list[Doc], PairLogits],
    loss: MarginLoss,
    targets: MixedTargets,
    scorer: Callable | None,
    threshold_offset: float,
    max_labels_per_pair: int,
    relations_attr: str,
    distillation: Objective | None,
    loss_weight: float,
    rdrop_alpha: float,
    evidence_weight: float,
    schema: Schema | None,
) -> "DocRERelations":
    """Find the relations between the entities of a document, across sentences.

    model: Docs to PairLogits: spacy-docre.DocRE.v1, or one with the same refs and attrs.
    loss: what it is trained with, and how scores are read off margins.
    targets: how labels become targets, by their status.
    threshold_offset: a label is predicted where its margin is larger than this.
    max_labels_per_pair: at most so many labels for one ordered pair of entities.
    relations_attr: relations are seen as doc._.<relations_attr>.
    distillation: objective between the logits of teachers (spacy docre annotate) and those of this model.
    loss_weight: weight of `loss` beside it.
    rdrop_alpha: R-Drop (Liang et al. 2021): the head runs twice, and this is the weight of how far the two are apart.
    evidence_weight: of the loss by which pairs learn to look at their evidence, where relations have some; then it is
        also chosen by what they look at.
    schema: rules for which relations there can be (spacy-docre.Schema.v1); None for none.
    """
    warn_of_another(nlp, name)
    return DocRERelations(
        nlp.vocab,
        model,
        name,
        loss=loss,
        targets=targets,
        scorer=scorer,
        threshold_offset=threshold_offset,
        max_labels_per_pair=max_labels_per_pair,
        relations_attr=relations_attr,
        distillation=distillation,
        loss_weight=loss_weight,
        rdrop_alpha=rdrop_alpha,
        evidence_weight=evidence_weight,
        schema=schema,
    )


class DocRERelations(Distillable):
    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], PairLogits],
        name: str = "docre_relations",
        *,
        loss: MarginLoss,
        targets: MixedTargets,
        scorer: Callable | None = None,
        threshold_offset: float = 0.0,
        max_labels_per_pair: int = 4,
        relations_attr: str = DEFAULT_ATTR,
        distillation: Objective | None = None,
        loss_weight: float = 1.0,
        rdrop_alpha: float = 0.0,
        evidence_weight: float = 0.0,
        schema: Schema | None = None,
    ) -> None:
        require_at_least(1, max_labels_per_pair=max_labels_per_pair)
        require_at_least(0, loss_weight=loss_weight, rdrop_alpha=rdrop_alpha, evidence_weight=evidence_weight)
        require_pair_model(model, name)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.loss = loss
        self.targets = targets
        self.scorer = scorer
        self.threshold_offset = threshold_offset
        self.max_labels_per_pair = max_labels_per_pair
        self.relations_attr = relations_attr
        self.distillation = distillation
        self.loss_weight = loss_weight
        self.rdrop_alpha = rdrop_alpha
        self.evidence_weight = evidence_weight
        self.schema = schema
        self.memory = MemoryLimit()
        self.cfg: dict[str, Any] = {"labels": []}
        install_extensions(relations_attr)
        single_thread_in_workers()
        keep_memory()
        keep_few_kernels()

    @property
    def counts(self) -> Counter[str]:
        """What was seen and could not be used, since the model was loaded: tokens and mentions without
        a vector, documents without axial attention or without entities, entities of types that are new."""
        return self.model.attrs["vector_check"].counts

    def predict(self, docs: Iterable[Doc]) -> list[DocPrediction]:
        """The relations of each document. Documents with fewer than two entities do not reach the model."""
        docs = list(docs)
        entities = [entities_or_ents(doc) for doc in docs]
        warn_of_no_entities(self.name, docs, entities, self.counts)
        warn_of_strange_types(entities, self.cfg.get("types", ()), self.counts)
        logits, vectors = self._predict_pairs(docs, entities)
        predictions = list(map(self.decoder, entities, logits))
        return add_evidence(self.model if self.knows_evidence else None, docs, predictions, vectors)

    @property
    def knows_evidence(self) -> bool:
        """Whether attention has learned from evidence."""
        return bool(self.evidence_weight) and bool(self.cfg.get("knows_evidence"))

    def predict_logits(self, docs: Sequence[Doc]) -> list[NDArray[np.float32]]:
        """The logits of each document's ordered pairs: (n_pairs, 1 + n_labels), column 0 the threshold."""
        return self._predict_pairs(docs, [entities_or_ents(doc) for doc in docs])[0]

    def _predict_pairs(
        self, docs: Sequence[Doc], entities: Sequence[Sequence[Entity]]
    ) -> tuple[list[NDArray[np.float32]], dict[int, Floats2d]]:
        """The logits of each document's pairs, and the token vectors of those, by number, that the model read."""
        chosen = [i for i, found in enumerate(entities) if len(found) >= 2]
        rows = [np.zeros((0, 1 + len(self.labels)), dtype=np.float32) for _ in docs]
        reading = Reading([docs[i] for i in chosen], [entities[i] for i in chosen])
        if chosen:
            self._require_model()
            logits = to_numpy(predict_pairs(self.model, reading))
            require_numbers(logits, self.name)
            ends = np.cumsum([len(entities[i]) * (len(entities[i]) - 1) for i in chosen])
            for i, found in zip(chosen, np.split(logits, ends[:-1])):
                rows[i] = found
        return rows, dict(zip(chosen, reading.vectors or ()))

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[DocPrediction]) -> None:
        """Write relations with their evidence, and the entities that they are between where the document has none.

        The label status becomes "distant": the labels are a machine's.
        """
        install_extensions(self.relations_attr)
        labels = self.labels
        for doc, prediction in zip(docs, predictions):
            if not has_mentions(doc):
                set_entities(doc, prediction.entities)
            ids = [e.id for e in prediction.entities]
            relations = zip(prediction.relations, prediction.evidence)
            rows = [(ids[h], labels[r], ids[t], score, evidence) for (h, r, t, score), evidence in relations]
            store_relations(doc, rows, status=DISTANT)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream of documents, in batches of similar size and bounded cost."""
        error_handler = self.get_error_handler()
        for docs in minibatch(stream, batch_size):
            try:
                for batch in batch_by_cost(docs, MAX_CELLS):
                    self.set_annotations(batch, self.predict(batch))
                self.memory.check()
                yield from docs
            except Exception as err:
                error_handler(self.name, self, docs, err)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch: one forward and one backward pass of the encoder."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "DocRERelations.update")
        docs = [eg.predicted for eg in examples]
        if not any(len(doc) for doc in docs):
            return losses
        self._require_model()
        set_dropout_rate(self.model, drop)
        self.model.attrs["n_passes"] = n_passes = 2 if self.rdrop_alpha else 1
        if self.evidence_weight:
            rows = EvidenceRows.from_docs(docs, [eg.reference for eg in examples])
            if len(rows):
                self.cfg["knows_evidence"] = True
            self.model.attrs["evidence"].begin(rows, self.evidence_weight / n_passes)
        logits, backprop = self.model.begin_update(docs)
        loss, d_logits = self.get_loss(examples, logits)
        backprop(d_logits)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss + self.model.attrs["evidence"].end()
        return losses

    def get_loss(self, examples: Iterable[Example], scores: PairLogits) -> tuple[float, PairLogits]:
        """Mean loss over the pairs of the batch, with the objective of distillation where teachers' logits stand beside
        the documents, and the gradient of the logits."""
        examples = list(examples)
        predicted, references = [eg.predicted for eg in examples], [eg.reference for eg in examples]
        index = {label: i for i, label in enumerate(self.labels)}
        batch, objective = PairBatch.from_docs(predicted), self.distillation
        targets = self.targets(predicted, references, batch, index, objective=objective is not None)
        self.loss.bind(self.labels)
        return loss_and_gradient(
            self.loss,
            scores,
            targets,
            loss_weight=self.loss_weight,
            objective=objective,
            rdrop_alpha=self.rdrop_alpha,
            learned_threshold=self.learned_threshold,
        )

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Set the labels, from `labels` or else from all examples, and build the model.

        Raises ValueError if there is no label, if no document can teach what does not hold, if rules are to be learned
        from a stream, or if the width of the token vectors is unknown.
        """
        validate_get_examples(get_examples, "DocRERelations.initialize")
        if waits_for_encoder(self.model):
            raise ValueError(Errors.E042.format(name=self.name))
        found = survey(get_examples(), with_schema=self.schema is not None)
        labels = found.labels if labels is None else labels
        if not (self.labels or labels):
            raise ValueError(Errors.E061.format(name=self.name, n_docs=sum(found.statuses.values())))
        if not self.targets.can_learn(found.statuses, taught=found.n_taught > 0, objective=bool(self.distillation)):
            raise ValueError(Errors.E062.format(name=self.name, found=found, mode=self.targets.mode))
        rules = self.learn_rules(found.schema, nlp)
        for label in labels:  # all is well
            self.add_label(label)
        forget_decisions(self.cfg)
        self.cfg |= {"types": sorted(found.types), **rules}
        warn_of_strange_weights(self.name, self.targets.teacher_weights, found)
        self.loss.bind(self.labels)
        self.targets.bind(self.labels)
        self.model.set_dim("nO", 1 + len(self.labels), force=True)
        self.model.initialize(X=found.sample)
