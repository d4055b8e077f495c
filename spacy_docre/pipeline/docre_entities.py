"""Component `docre_entities`: the entities that relations are between, from the mentions that a `ner` has found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span

from ..annotations import has_mentions, install_extensions, set_entities
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
) -> "DocREEntities":
    """Put the mentions of a document into entities.

    groupers: who says which mentions are the same, by name; the first is believed first, null leaves one out.
    spans_key: span group with the mentions, doc.spans[spans_key]; None takes doc.ents.
    type_map: mention type to entity type, for a relation model that knows others; null leaves mentions out.
    overwrite: whether entities that a document has already are replaced.
    """
    return DocREEntities(name, groupers=groupers, spans_key=spans_key, type_map=type_map, overwrite=overwrite)


class DocREEntities(Pipe):
    def __init__(
        self,
        name: str = "docre_entities",
        *,
        groupers: Mapping[str, EntityGrouper | None],
        spans_key: str | None = None,
        type_map: Mapping[str, str | None] = {},
        overwrite: bool = False,
    ) -> None:
        self.name = name
        self.groupers = {name: grouper for name, grouper in groupers.items() if grouper is not None}
        self.spans_key = spans_key
        self.type_map = dict(type_map)
        self.overwrite = overwrite
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
