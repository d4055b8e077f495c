"""Grouper by the clusters that a coreference component has left in the document."""

from collections.abc import Iterable, Iterator, Sequence

from spacy.tokens import Doc, Span

from .base import EntityGrouper

SPAN_GROUPS = "coref_clusters"  # spacy-experimental: doc.spans["coref_clusters_1"], …
ATTRIBUTE = "coref_clusters"  # fastcoref: doc._.coref_clusters, lists of (start, end) in characters
CHAINS = "coref_chains"  # coreferee: doc._.coref_chains, tokens


def build_coreference_grouper_v1(prefix: str = SPAN_GROUPS) -> EntityGrouper:
    """Mentions that stand in one cluster of spacy-experimental, fastcoref or coreferee.

    A mention is a cluster's if it is one of its spans, or what is left of one without lower-case words in front and a
    possessive at the end, or, for coreferee, if it ends in one of its tokens. prefix: of spacy-experimental's groups.
    """

    def group(doc: Doc, mentions: Sequence[Span]) -> Iterator[tuple[int, int]]:
        by_place = {(m.start, m.end): i for i, m in reversed(list(enumerate(mentions)))}
        by_last = {m.end - 1: i for i, m in reversed(list(enumerate(mentions)))}
        for spans in span_clusters(doc, prefix):
            found = (by_place.get(place) for span in spans for place in places(doc, span))
            yield from chain_up(found)
        for tokens in token_clusters(doc):
            yield from chain_up(by_last.get(token) for token in tokens)

    return group


def chain_up(found: Iterable[int | None]) -> Iterator[tuple[int, int]]:
    """Links from the first to all others."""
    rows = [i for i in found if i is not None]
    for i in rows[1:]:
        if i != rows[0]:
            yield rows[0], i


def span_clusters(doc: Doc, prefix: str) -> Iterator[list[tuple[int, int]]]:
    """Clusters as places (start, end) in tokens."""
    for key in doc.spans:
        if key.startswith(prefix):
            yield [(span.start, span.end) for span in doc.spans[key]]
    if doc.has_extension(ATTRIBUTE):
        for cluster in getattr(doc._, ATTRIBUTE) or ():
            spans = (doc.char_span(start, end, alignment_mode="expand") for start, end in cluster)
            yield [(span.start, span.end) for span in spans if span is not None]


def token_clusters(doc: Doc) -> Iterator[list[int]]:
    if doc.has_extension(CHAINS):
        for chain in getattr(doc._, CHAINS) or ():
            yield [index for mention in chain for index in mention.token_indexes]


def places(doc: Doc, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The span, and what is left of it without determiners and a possessive: "his wife Mary's" holds "Mary"."""
    start, end = span
    yield start, end
    if end - start > 1 and doc[end - 1].text in ("'s", "’s", "'", "’"):
        end -= 1
        yield start, end
    while start < end - 1 and doc[start].text.islower():
        start += 1
    yield start, end
