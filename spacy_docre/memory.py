"""Memory that was freed, back to the system."""

import ctypes
from collections.abc import Callable
from functools import lru_cache


def give_back_memory() -> None:
    """Let the C library return what it keeps for later: arrays of many different sizes leave it with gaps.

    Without this, a training process of 1.5 GB grows to several times that within some hundred steps. It takes a tenth
    of a second; other libraries than glibc need no such call.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@lru_cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no glibc; Windows
        return None
