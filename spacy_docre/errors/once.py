"""Warnings that a process gives once (Python would show them again each time that spaCy has changed a filter)."""

import warnings

_given: set[str] = set()


def warn_once(message: str, *, stacklevel: int = 1) -> None:
    """As warnings.warn, the first time that this message comes."""
    if message not in _given:
        _given.add(message)
        warnings.warn(message, stacklevel=stacklevel + 1)
