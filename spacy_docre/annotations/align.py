"""Carry mentions from one tokenisation of a text to another, with their ids."""

from collections.abc import Sequence

from spacy.tokens import Doc, Span

from .entities import MENTIONS_KEY, has_mentions


def copy_mentions(source: Doc, target: Doc) -> int:
    """Set `source`'s mentions on `target`, by tokens where they are the same, else by characters.

    Keeps `id_`, `label_` and `kb_id_` (spaCy's own alignment loses the ids). Returns the number of
    mentions whose boundaries are not token boundaries in `target`: those are left out.
    """
    if not has_mentions(source):
        return 0
    mentions = source.spans[MENTIONS_KEY]
    if same_tokens(source, target):
        target.spans[MENTIONS_KEY] = [_copy(target, m, m.start, m.end) for m in mentions]
        return 0
    offsets = char_offsets(source)
    visible = [(i, start, end) for i, (start, end) in enumerate(char_offsets(target)) if start < end]
    first_token = {start: i for i, start, _ in visible}
    end_token = {end: i + 1 for i, _, end in visible}
    kept = []
    for m in mentions:
        start, end = first_token.get(offsets[m.start][0]), end_token.get(offsets[m.end - 1][1])
        if start is not None and end is not None and start < end:
            kept.append(_copy(target, m, start, end))
    target.spans[MENTIONS_KEY] = kept
    return len(mentions) - len(kept)


def same_tokens(source: Doc, target: Doc) -> bool:
    return len(source) == len(target) and all(a.orth == b.orth for a, b in zip(source, target))


def char_offsets(doc: Doc) -> Sequence[tuple[int, int]]:
    """(start, end) of every token, counting only characters that are not white space.

    So two Docs of one text that differ in spaces still align.
    """
    offsets = []
    position = 0
    for token in doc:
        start = position
        position += len("".join(token.text.split()))
        offsets.append((start, position))
    return offsets


def _copy(doc: Doc, m: Span, start: int, end: int) -> Span:
    return Span(doc, start, end, label=m.label_, kb_id=m.kb_id_, span_id=m.id_)
