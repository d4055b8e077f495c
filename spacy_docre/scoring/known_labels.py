"""Labels of data against those that a pipeline knows: names here and ids there are a common mistake."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from spacy.tokens import Doc

from ..annotations import get_triples
from ..errors import Errors, Warnings, some, warn_once


def require_known_labels(known: Iterable[str], docs: Iterable[Doc], path: Any) -> None:
    """Raise ValueError if the documents have relations, and none of their labels is known."""
    if given := strange_labels(known, docs):
        raise ValueError(Errors.E142.format(path=path, given=some(given), known=some(known) or "none"))


def warn_of_unknown_labels(known: Iterable[str], docs: Iterable[Doc]) -> None:
    """Labels that a teacher does not know: its students will not learn them."""
    unknown = {label for doc in docs for _, label, _ in get_triples(doc)} - set(known)
    if unknown:
        warn_once(Warnings.W025.format(unknown=some(sorted(unknown))), stacklevel=3)


def require_labels_to_score(known: Iterable[str], docs: Iterable[Doc], path: Any) -> None:
    """As `require_known_labels`, for documents to score on; with a warning where some labels are not known, or where
    there is no relation."""
    counts = Counter(label for doc in docs for _, label, _ in get_triples(doc))
    if not counts:
        warn_once(Warnings.W030.format(path=path), stacklevel=3)
    unknown = counts.keys() - set(known)
    if unknown and len(unknown) == len(counts):
        raise ValueError(Errors.E142.format(path=path, given=some(unknown), known=some(known) or "none"))
    if unknown:
        n = sum(counts[label] for label in unknown)
        text = Warnings.W028.format(path=path, n=n, n_all=counts.total(), unknown=some(sorted(unknown)))
        warn_once(text, stacklevel=3)


def warn_of_strange_labels(known: Iterable[str], docs: Iterable[Doc]) -> None:
    """The same as a warning, of documents to score on."""
    if given := strange_labels(known, docs):
        warn_once(Warnings.W018.format(given=some(given), known=some(known) or "none"), stacklevel=2)


def strange_labels(known: Iterable[str], docs: Iterable[Doc]) -> set[str]:
    """The labels of the documents' relations if none of them is known."""
    given = {label for doc in docs for _, label, _ in get_triples(doc)}
    return given if given.isdisjoint(known) else set()
