"""Component `docre_entities`: the entities that relations are between, from the mentions that a `ner` has found."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from thinc.api import Model

from .linked_entities import LinkedEntities
from .ruled_entities import DocREEntities

DEFAULT_CONFIG: dict[str, Any] = {
    "groupers": {
        "knowledge_base": {"@misc": "spacy-docre.KnowledgeBaseGrouper.v1"},
        "names": {"@misc": "spacy-docre.NameGrouper.v1", "normalise": True},
        "coreference": {"@misc": "spacy-docre.CoreferenceGrouper.v1", "prefix": "coref_clusters"},
        "aliases": {"@misc": "spacy-docre.AliasGrouper.v1"},
    },
    "spans_key": None,
    "type_map": {},
    "one_type_per_name": True,
    "overwrite": False,
    "predicted_share": 0.0,
    "ramp_steps": 1000,
    "model": None,
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
    one_type_per_name: bool,
    overwrite: bool,
    predicted_share: float,
    ramp_steps: int,
    model: Model | None,
    scorer: Callable | None,
) -> Pipe:
    """Put the mentions of a document into entities.

    groupers: who says which mentions are the same, by name; the first is believed first, null leaves one out.
    spans_key: span group with the mentions, doc.spans[spans_key]; None takes doc.ents.
    type_map: mention type to entity type, for a relation model that knows others; null leaves mentions out.
    one_type_per_name: whether all mentions of a name get the type that most of them have, times and numbers excepted.
    overwrite: whether entities that a document has already are replaced.
    predicted_share: in training, the share of documents whose annotated entities are replaced by found ones; it grows
        from 0 within the first `ramp_steps` updates. The encoder, the component that finds mentions and this one must
        be among [training] annotating_components then.
    model: model that says which names are one entity (spacy-docre.MentionLinker.v1), learned from annotated entities;
        None goes by rules alone.
    """
    rules = DocREEntities(
        name,
        groupers=groupers,
        spans_key=spans_key,
        type_map=type_map,
        one_type_per_name=one_type_per_name,
        overwrite=overwrite,
        predicted_share=predicted_share,
        ramp_steps=ramp_steps,
        scorer=scorer,
    )
    if model is None:
        return rules
    return LinkedEntities(nlp.vocab, model, name, rules)


def create_ontonotes_types_v1() -> dict[str, str]:
    """OntoNotes' mention types, which spaCy's English pipelines find, to those of DocRED."""
    return dict(ONTONOTES)
