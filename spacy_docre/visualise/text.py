"""The relations of a document as lines of text."""

import re
import textwrap
from collections.abc import Iterator
from unicodedata import category

from spacy.tokens import Doc

from ..annotations import get_entities, get_relations, get_title

WIDTH = 110  # columns


def render_text(doc: Doc) -> str:
    """Title, text, and every relation with its score and its evidence, the surest first.

    Ada Lovelace —place of birth→ London   0.97
        “Ada Lovelace was born in London.”
    """
    return "\n".join(_lines(doc))


def _lines(doc: Doc) -> Iterator[str]:
    title = get_title(doc)
    if title:
        yield from (_line(title), "=" * len(_line(title)))
    yield from textwrap.wrap(_line(doc.text), WIDTH)
    relations = sorted(get_relations(doc), key=lambda r: -r.score)
    n_entities, n_relations = len(get_entities(doc)), len(relations)
    yield ""
    yield f"{_count(n_entities, 'entity', 'entities')}, {_count(n_relations, 'relation', 'relations')}"
    for relation in relations:
        head, tail = _line(relation.head.name), _line(relation.tail.name)
        yield f"  {head} —{relation.label_}→ {tail}   {relation.score:.2f}"
        quoted = " … ".join(_line(span.text) for span in relation.evidence)
        if quoted:
            yield from textwrap.wrap(f"“{quoted}”", WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _line(text: str) -> str:
    """On one line, and without the blanks that DocRED's tokens leave before punctuation."""
    text = "".join(c for c in " ".join(text.split()) if category(c) != "Cc")  # nothing that a terminal would obey
    return re.sub(r" (?=[,.;:!?)\]’”]|'s\b)|(?<=[(\[“]) ", "", text)
