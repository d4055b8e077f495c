"""Entities by rules: what groupers say of the mentions that a `ner` has found."""

import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..annotations import MENTIONS_KEY, RELATIONS_KEY, has_mentions, install_extensions, set_entities
from ..components import made_by
from ..errors import Errors, Warnings, warn_once
from ..grouping import EntityGrouper, group_mentions
from ..grouping.names import types_by_name

FINDERS = (  # factories of what finds mentions, and of what these listen to
    *("transformer", "curated_transformer", "tok2vec"),
    *("ner", "beam_ner", "entity_ruler", "span_ruler", "spancat", "span_finder"),
)


class DocREEntities(Pipe):
    def __init__(
        self,
        name: str = "docre_entities",
        *,
        groupers: Mapping[str, EntityGrouper | None],
        spans_key: str | None = None,
        type_map: Mapping[str, str | None] = {},
        one_type_per_name: bool = True,
        overwrite: bool = False,
        predicted_share: float = 0.0,
        ramp_steps: int = 1000,
        scorer: Callable | None = None,
    ) -> None:
        if not 0 <= predicted_share <= 1:
            raise ValueError(Errors.E081.format(name="predicted_share", expected="in [0, 1]", value=predicted_share))
        self.name = name
        self.groupers = {name: grouper for name, grouper in groupers.items() if grouper is not None}
        self.spans_key = spans_key
        self.type_map = dict(type_map)
        self.one_type_per_name = one_type_per_name
        self.overwrite = overwrite
        self.predicted_share = predicted_share
        self.ramp_steps = ramp_steps
        self.scorer = scorer
        self.n_updates = 0
        install_extensions(None)

    def __call__(self, doc: Doc) -> Doc:
        """Set the document's entities, unless it has some. Raises ValueError if the span group is not there."""
        mentions = self.free_mentions(doc)
        if mentions is not None:
            set_entities(doc, group_mentions(doc, mentions, list(self.groupers.values())))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream of documents, one by one."""
        error_handler = self.get_error_handler()
        for doc in stream:
            try:
                yield self(doc)
            except Exception as err:
                error_handler(self.name, self, [doc], err)

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """Warn if found entities are to be learned from, and the components that find them do not annotate."""
        self.n_updates = 0
        training = nlp.config.get("training", {}) if nlp is not None else {}
        if nlp is None or not self.predicted_share or self.name not in nlp.pipe_names:
            return
        until = nlp.pipe_names[: nlp.pipe_names.index(self.name) + 1]
        needed = [x for x in made_by(nlp, *FINDERS, "docre_entities") if x in until]
        missing = [x for x in needed if x not in training.get("annotating_components", ())]
        if missing:
            warnings.warn(Warnings.W015.format(name=self.name, missing=", ".join(missing), needed=needed), stacklevel=2)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Any = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Nothing is learned: some documents lose their annotated entities, and are given found ones after that.

        (spaCy copies the documents of a batch before it calls this, so that the annotated ones come back.)
        """
        share = self.predicted_share * min(1.0, self.n_updates / max(1, self.ramp_steps))
        self.n_updates += 1
        for example in examples:
            if random.random() < share:  # spaCy seeds it
                example.predicted.spans.pop(MENTIONS_KEY, None)
        return {} if losses is None else losses

    def free_mentions(self, doc: Doc) -> list[Span] | None:
        """The mentions to make entities of; None where the document has entities that stay.

        Warns where the component comes too early in the pipeline (nothing was found yet), or too late.
        """
        if has_mentions(doc) and not self.overwrite:
            if any(rel["score"] < 1 for rel in doc.user_data.get(RELATIONS_KEY, ())):  # annotated ones have 1
                warn_once(Warnings.W020.format(name=self.name), stacklevel=3)
            return None
        mentions = self.mentions(doc)
        if len(doc) and not (mentions or self.spans_key or doc.has_annotation("ENT_IOB")):
            warn_once(Warnings.W016.format(name=self.name), stacklevel=3)
        return mentions

    def mentions(self, doc: Doc) -> list[Span]:
        """Mentions in the order of the text, with the types that they will have."""
        if self.spans_key is None:
            found: Sequence[Span] = doc.ents
        elif self.spans_key in doc.spans:
            found = sorted(doc.spans[self.spans_key], key=lambda m: (m.start, m.end))
        else:
            keys = ", ".join(sorted(doc.spans)) or "none"
            raise ValueError(Errors.E131.format(name=self.name, key=self.spans_key, found=keys))
        types = [(m, self.type_map.get(m.label_, m.label_)) for m in found]
        mentions = [Span(doc, m.start, m.end, label=type_, kb_id=m.kb_id_) for m, type_ in types if type_ is not None]
        if self.one_type_per_name:
            for mention, type_ in zip(mentions, types_by_name(mentions, doc.lang_)):
                mention.label_ = type_
        return mentions
