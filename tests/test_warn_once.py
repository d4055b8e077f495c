"""A warning that a process gives once, and whose place is the caller's."""

import warnings
from pathlib import Path

from spacy_docre.errors import warn_once


def gives(message: str) -> None:
    warn_once(message, stacklevel=2)


def test_each_message_comes_once_from_where_it_was_called():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for message in ("first", "first", "second", "first"):
            gives(message)
    assert [str(w.message) for w in caught] == ["first", "second"]
    assert {w.filename for w in caught} == {__file__}
    assert len({w.lineno for w in caught}) == 1, "the line in the test, not that of gives()"
    line = Path(__file__).read_text(encoding="utf8").splitlines()[caught[0].lineno - 1]
    assert line.strip() == "gives(message)"
