"""Component `docre_entities`: the entities that relations are between, from the mentions that a `ner` has found."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Model

from ..annotations import MENTIONS_KEY, has_mentions, install_extensions, set_entities
from ..errors import Errors
from ..grouping import EntityGrouper, group_mentions

DEFAULT_CONFIG: dict[str, Any] = {
    "groupers": {
        "knowledge_base": {"@misc": "spacy-docre.KnowledgeBaseGrouper.v1"},
        "names": {"@misc": "spacy-docre.NameGrouper.v1", "normalise": True},
        "coreference": {"@misc": "spacy-docre.CoreferenceGrouper.v1", "prefix": "coref_clusters"},
        "aliases": {"@misc": "spacy-docre.AliasGrouper.v1"},
    },
    "spans_key": None,
    "type_map": {},
    "overwrite": False,
    "predicted_share": 0.0,
    "ramp_steps": 1000,
    "linker": None,
    "scorer": {"@scorers": "spacy-docre.entity_scorer.v1"},
}
ONTONOTES = {
    **{"PERSON": "PER", "NORP": "LOC", "FAC": "LOC", "GPE": "LOC"},
    **{"PRODUCT": "MISC", "EVENT": "MISC", "WORK_OF_ART": "MISC", "LAW": "MISC", "LANGUAGE": "MISC"},
    **{"DATE": "TIME", "CARDINAL": "NUM", "ORDINAL": "NUM", "QUANTITY": "NUM", "PERCENT": "NUM", "MONEY": "NUM"},
}


@Language.factory(
    "docre_entities",
    assigns=["doc._.docre_entities", "doc.spans"],
    default_config=DEFAULT_CONFIG,
    default_score_weights={"conll_f": None},
)
def make_docre_entities(
    nlp: Language,
    name: str,
    groupers: dict[
        str, Any
    ],  # EntityGrouper; before they are resolved, confection shows their blocks to the type check
    spans_key: str | None,
    type_map: dict[str, str | None],
    overwrite: bool,
    predicted_share: float,
    ramp_steps: int,
    linker: Model | None,
    scorer: Callable | None,
) -> Pipe:
    """Put the mentions of a document into entities.

    groupers: who says which mentions are the same, by name; the first is believed first, null leaves one out.
    spans_key: span group with the mentions, doc.spans[spans_key]; None takes doc.ents.
    type_map: mention type to entity type, for a relation model that knows others; null leaves mentions out.
    overwrite: whether entities that a document has already are replaced.
    predicted_share: in training, the share of documents whose annotated entities are replaced by found ones; it grows
        from 0 within the first `ramp_steps` updates. The encoder, the component that finds mentions and this one must
        be among [training] annotating_components then.
    linker: model that says which names are one entity (spacy-docre.MentionLinker.v1), learned from annotated entities;
        None goes by rules alone.
    """
    rules = DocREEntities(
        name,
        groupers=groupers,
        spans_key=spans_key,
        type_map=type_map,
        overwrite=overwrite,
        predicted_share=predicted_share,
        ramp_steps=ramp_steps,
        scorer=scorer,
    )
    if linker is None:
        return rules
    from .linked_entities import LinkedEntities

    return LinkedEntities(nlp.vocab, linker, name, rules)


class DocREEntities(Pipe):
    def __init__(
        self,
        name: str = "docre_entities",
        *,
        groupers: Mapping[str, EntityGrouper | None],
        spans_key: str | None = None,
        type_map: Mapping[str, str | None] = {},
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
        self.overwrite = overwrite
        self.predicted_share = predicted_share
        self.ramp_steps = ramp_steps
        self.scorer = scorer
        self.n_updates = 0
        install_extensions(None)

    def __call__(self, doc: Doc) -> Doc:
        """Set the document's entities, unless it has some. Raises ValueError if the span group is not there."""
        if self.overwrite or not has_mentions(doc):
            set_entities(doc, group_mentions(doc, self.mentions(doc), list(self.groupers.values())))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream of documents, one by one."""
        error_handler = self.get_error_handler()
        for doc in stream:
            try:
                yield self(doc)
            except Exception as err:
                error_handler(self.name, self, [doc], err)

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
        return [Span(doc, m.start, m.end, label=type_, kb_id=m.kb_id_) for m, type_ in types if type_ is not None]


def create_ontonotes_types_v1() -> dict[str, str]:
    """OntoNotes' mention types, which spaCy's English pipelines find, to those of DocRED."""
    return dict(ONTONOTES)
