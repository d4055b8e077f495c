"""The relations of a document as lines of text."""

import textwrap
from collections.abc import Iterator

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
        yield from (title, "=" * len(title))
    yield from textwrap.wrap(" ".join(doc.text.split()), WIDTH)
    relations = sorted(get_relations(doc), key=lambda r: -r.score)
    yield from ("", f"{len(get_entities(doc))} entities, {len(relations)} relations")
    for relation in relations:
        yield f"  {relation.head.name} —{relation.label_}→ {relation.tail.name}   {relation.score:.2f}"
        quoted = " … ".join(" ".join(span.text.split()) for span in relation.evidence)
        if quoted:
            yield from textwrap.wrap(f"“{quoted}”", WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
