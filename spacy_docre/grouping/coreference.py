"""Grouper by the clusters that a coreference component has left in the document."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc, Span

from .base import EntityGrouper
from .words import words_of

ATTRIBUTE = "coref_clusters"  # fastcoref: doc._.coref_clusters, lists of (start, end) in characters
CHAINS = "coref_chains"  # coreferee: doc._.coref_chains, tokens
Place = tuple[int, int]  # start and end in tokens


@dataclass(frozen=True)
class CoreferenceGrouper:
    """Mentions that stand in one cluster of spacy-experimental, fastcoref or coreferee.

    A mention is a cluster's if it is one of its spans, or what is left of one without a possessive at the end and the
    words before the name, unless a preposition is among them: "his wife Mary's" is Mary, "the president of France" is
    not France. For coreferee, if it ends in one of its tokens.
    """

    prefix: str

    def __call__(self, doc: Doc, mentions: Sequence[Span]) -> Iterator[tuple[int, int]]:
        by_place = {(m.start, m.end): i for i, m in reversed(list(enumerate(mentions)))}
        by_last = {m.end - 1: i for i, m in reversed(list(enumerate(mentions)))}
        for spans in span_clusters(doc, self.prefix):
            yield from chain_up(by_place.get(place) for span in spans for place in places(doc, span))
        for tokens in token_clusters(doc):
            yield from chain_up(by_last.get(token) for token in tokens)


def build_coreference_grouper_v1(prefix: str = "coref_clusters") -> EntityGrouper:
    """Clusters of others. prefix: of spacy-experimental's span groups, doc.spans["coref_clusters_1"], …"""
    return CoreferenceGrouper(prefix)


def chain_up(found: Iterable[int | None]) -> Iterator[tuple[int, int]]:
    """Links from the first to all others."""
    first, *others = dict.fromkeys(i for i in found if i is not None) or [None]
    for i in others:
        if first is not None and i is not None:
            yield first, i


def span_clusters(doc: Doc, prefix: str) -> Iterator[list[Place]]:
    for key in doc.spans:
        if key.startswith(prefix):
            yield [(span.start, span.end) for span in doc.spans[key]]
    if doc.has_extension(ATTRIBUTE):
        for cluster in getattr(doc._, ATTRIBUTE) or ():
            spans = (doc.char_span(start, end, alignment_mode="expand") for start, end in cluster)
            yield [(span.start, span.end) for span in spans if span is not None]


def token_clusters(doc: Doc) -> Iterator[list[int]]:
    """Heads of the mentions of each chain; "Bill and Mary", which has two, is neither of them."""
    if doc.has_extension(CHAINS):
        for chain in getattr(doc._, CHAINS) or ():
            yield [mention.token_indexes[0] for mention in chain if len(mention.token_indexes) == 1]


def places(doc: Doc, span: Place) -> Iterator[Place]:
    """The span, and what is left of it as a name."""
    words = words_of(doc.lang_)
    start, end = span
    yield start, end
    if end - start > 1 and doc[end - 1].text.replace("’", "'") in words.possessives:
        end -= 1
        yield start, end
    name = start
    while name < end - 1 and (doc[name].text.islower() or doc[name].lower_ in words.articles):
        name += 1
    before = {doc[i].lower_ for i in range(start, name)} - words.articles
    if name > start and words.small and not before & words.small:
        yield name, end
