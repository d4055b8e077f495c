"""Many names in one message."""

from collections.abc import Iterable, Sequence

N_SHOWN = 5


def some(names: Iterable[str]) -> str:
    """The first of them, and how many there are if not all are shown. What has no order is sorted."""
    found = names if isinstance(names, Sequence) else sorted(names)
    return ", ".join(found[:N_SHOWN]) + (f", … ({len(found)} in all)" if len(found) > N_SHOWN else "")
