"""Memory that the C library keeps for itself."""

from __future__ import annotations

import ctypes
import sys


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
