"""Memory that was freed: kept for the next batch, or back to the system."""

import ctypes
import os
from collections.abc import Callable
from functools import lru_cache

LARGEST = 32 << 20  # bytes of one array that is taken from what is kept; the most that glibc allows
KEPT = 512 << 20  # bytes
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096  # bytes
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


@lru_cache
def keep_memory() -> bool:
    """Let the C library keep up to 512 MB that were freed, and whether it does.

    By default glibc gives the arrays of each batch back to the system, which hands them out again page by page for the
    next one: an eighth to a quarter of the time of a prediction in bfloat16. Environment variables for glibc's
    allocator (MALLOC_…_ or GLIBC_TUNABLES) come first; nothing is done where there are any.
    """
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    set_option = None if chosen else _from_libc("mallopt")
    if set_option is None:
        return False
    return bool(set_option(M_MMAP_THRESHOLD, LARGEST)) and bool(set_option(M_TRIM_THRESHOLD, KEPT))


def give_back_memory() -> None:
    """Let the C library return what it keeps for later: arrays of many different sizes leave it with gaps.

    Without this, a training process of 1.5 GB grows to several times that within some hundred steps. It takes a tenth
    of a second; other libraries than glibc need no such call.
    """
    trim = _from_libc("malloc_trim")
    if trim is not None:
        trim(0)


def keep_few_kernels() -> None:
    """Let oneDNN, which does matrix products in bfloat16 on CPU, keep the kernels of 128 shapes instead of 1,024.

    Documents have many lengths, so that most kernels are used in one step, which has about 120, and never again. What
    they hold keeps the memory of that step in pieces: with 1,024, training takes longer, and several hundred MB more
    (benchmarks/kernels.py). It has to be said before the first product; a value of yours in the environment is left
    alone.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")


class MemoryLimit:
    """Gives memory back where the process has grown by more than what is to be kept, since it was last looked at."""

    def __init__(self, kept: int = KEPT) -> None:
        """kept: bytes"""
        self.kept = kept
        self.start: int | None = None

    def check(self) -> bool:
        """To be called between batches; a few microseconds. Whether memory was given back."""
        size = resident_bytes()
        if self.start is None or size < self.start:
            self.start = size
        if size <= self.start + self.kept:
            return False
        give_back_memory()
        self.start = resident_bytes()
        return True


def resident_bytes() -> int:
    """What the process has in memory, on Linux; 0 elsewhere."""
    try:
        with open("/proc/self/statm", "rb") as file_:
            return int(file_.read().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


@lru_cache
def _from_libc(name: str) -> Callable[..., int] | None:
    """One of glibc's functions."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # no glibc; Windows
        return None
