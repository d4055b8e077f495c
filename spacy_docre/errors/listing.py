"""Many names in one message."""

from collections.abc import Iterable

N_SHOWN = 5


def some(names: Iterable[str]) -> str:
    """The first of them, and how many there are if not all are shown."""
    found = sorted(names)
    return ", ".join(found[:N_SHOWN]) + (f", … ({len(found)} in all)" if len(found) > N_SHOWN else "")
