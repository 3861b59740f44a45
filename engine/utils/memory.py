"""Memory that the C library keeps for itself."""

from __future__ import annotations

import ctypes
import os
import sys

M_ARENA_MAX = -8
"""``mallopt``'s number for the most arenas (glibc's ``malloc.h``)."""

ARENAS = 2


def release_freed() -> None:
    """Give memory that was freed back to the system, after something large (milliseconds).

    glibc keeps what is freed between two blocks that are still in use: 45 MB after a live run's start, most
    of it from compiling networks.  Other systems' libraries need no telling.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)


def share_arenas() -> bool:
    """Let all threads allocate from two arenas; whether that could be arranged (glibc alone has them).

    glibc makes up to eight per core for a process's threads, and what was freed in one is of no use to the
    allocations in another.  A server has some forty threads that hand images on to each other: with 16 arenas
    85 MB lay free in them and more every minute, with two 25 MB.  Call it before the threads are there.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, ARENAS))
