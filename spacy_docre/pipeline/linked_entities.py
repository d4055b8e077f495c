"""`docre_entities` with a trained grouper: which names of a document are one entity."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate, to_numpy, torch2xp, xp2torch
from thinc.types import Floats1d
from torch.nn.functional import binary_cross_entropy_with_logits

from ..annotations import copy_mentions, get_entities, has_mentions, set_entities
from ..grouping import group_mentions
from ..grouping.aliases import AliasGrouper
from ..grouping.candidates import Candidates, find_candidates
from ..models.lazy_head import is_built
from ..models.listening import not_built
from .ruled_entities import DocREEntities

N_SAMPLE = 10


class LinkedEntities(TrainablePipe):
    """The groupers of `rules` make names of mentions; the model says which names are one entity.

    The grouper by aliases only proposes: what it would link is a feature of the pair.
    """

    def __init__(self, vocab: Vocab, model: Model[list[Candidates], Floats1d], name: str, rules: DocREEntities) -> None:
        self.vocab = vocab
        self.model = model
        self.name = name
        self.rules = rules
        self.scorer = rules.scorer
        self.sure = [grouper for grouper in rules.groupers.values() if not isinstance(grouper, AliasGrouper)]
        self.cfg: dict[str, object] = {}

    def predict(self, docs: Iterable[Doc]) -> list[list[list[Span]] | None]:
        """The entities of each document; None where it has some and they are to stay."""
        docs = list(docs)
        free = [self.rules.free_mentions(doc) for doc in docs]
        batch = [self.candidates(doc, mentions) for doc, mentions in zip(docs, free) if mentions is not None]
        scores = iter(self.logits(batch))
        found = iter(batch)
        return [None if mentions is None else link(next(found), next(scores)) for mentions in free]

    def logits(self, batch: Sequence[Candidates]) -> list[np.ndarray]:
        """One array for each document (n_pairs,). Documents without a pair do not reach the model."""
        with_pairs = [x for x in batch if len(x.pairs)]
        if with_pairs:
            self._require_model()
        flat = to_numpy(self.model.predict(with_pairs)) if with_pairs else np.zeros(0)
        return np.split(flat, np.cumsum([len(x.pairs) for x in batch])[:-1]) if batch else []

    def candidates(self, doc: Doc, mentions: Sequence[Span]) -> Candidates:
        return find_candidates(doc, mentions, self.sure)

    def set_annotations(self, docs: Iterable[Doc], entities: Sequence[list[list[Span]] | None]) -> None:
        for doc, found in zip(docs, entities):
            if found is not None:
                set_entities(doc, found)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from the references' entities; then some documents lose theirs (`DocREEntities.update`)."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        learned = [self.annotated(eg) for eg in examples]
        set_dropout_rate(self.model, drop)
        if any(len(x.doc) for x, _ in learned):
            self._require_model()
            # Without any pair too: the encoder waits for this gradient before it passes on the others'.
            logits, backprop = self.model.begin_update([x for x, _ in learned])
            loss, d_logits = self.get_loss([y for _, y in learned], logits)
            backprop(d_logits)
            losses[self.name] += loss
            if sgd is not None:
                self.finish_update(sgd)
        self.rules.update(examples)
        return losses

    def annotated(self, example: Example) -> tuple[Candidates, np.ndarray]:
        """The pairs of the reference's mentions, and which of them are one entity (n_pairs,)."""
        doc = example.predicted
        if has_mentions(example.reference):  # the predicted ones may be what an earlier component has found
            doc = doc.copy()
            copy_mentions(example.reference, doc)
        owner = {(m.start, m.end): (e.id, m) for e in reversed(get_entities(doc)) for m in e.mentions}
        places = sorted(owner)
        found = self.candidates(doc, [owner[place][1] for place in places])
        ids = [owner[place][0] for place in places]
        of_name = [Counter(ids[i] for i in group).most_common(1)[0][0] for group in found.names]
        same = [of_name[i] == of_name[j] for i, j in found.pairs.tolist()]
        return found, np.array(same, dtype=np.float32)

    def get_loss(self, targets: Sequence[np.ndarray], logits: Floats1d) -> tuple[float, Floats1d]:
        """Mean binary cross entropy over the pairs of the batch, and its gradient (n_pairs,)."""
        leaf = xp2torch(logits, requires_grad=True)
        wanted = torch.from_numpy(np.concatenate(targets)).to(leaf.device)
        loss = binary_cross_entropy_with_logits(leaf, wanted, reduction="sum") / max(1, len(wanted))
        (gradient,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), torch2xp(gradient)  # type: ignore[return-value]

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """Build the model. Raises ValueError if the width of the token vectors is unknown."""
        validate_get_examples(get_examples, "LinkedEntities.initialize")
        sample = [self.annotated(eg)[0] for eg, _ in zip(get_examples(), range(N_SAMPLE))]
        self.model.initialize(X=sample)
        self.rules.initialize(get_examples, nlp=nlp)

    def _require_model(self) -> None:
        """Say what is missing before the first prediction or update."""
        if not is_built(self.model.get_ref("head")):
            raise not_built(self.model, self.name)


def link(candidates: Candidates, logits: np.ndarray) -> list[list[Span]]:
    """Mentions of each entity: names that links lead to from each other, the surest first, never two ids of a knowledge
    base."""
    names, pairs = candidates.names, candidates.pairs.tolist()
    within = [(group[0], i) for group in names for i in group[1:]]
    surest = (pairs[row] for row in np.argsort(-logits, kind="stable") if logits[row] > 0)
    between = [(names[first][0], names[second][0]) for first, second in surest]
    return group_mentions(candidates.doc, candidates.mentions, [lambda doc, mentions: [*within, *between]])
