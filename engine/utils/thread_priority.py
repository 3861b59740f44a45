"""Lower priority of background threads, so that rendering is not delayed.

Only for threads that hardly run Python: one preempted while it holds the interpreter's lock delays all.
"""

from __future__ import annotations

import os
import sys
import threading

LOWER = 10
"""Steps of niceness: such a thread gets a tenth of a rendering thread's time while both need it."""


def make_way() -> None:
    """Lower the calling thread's priority, on Linux, where threads have one of their own; else nothing."""
    if sys.platform.startswith("linux"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWER)
        except OSError:
            # Some containers forbid it; then the thread competes as before.
            return
