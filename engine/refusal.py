"""How a program ends that was refused something, or stopped: in one line, with a status for scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable

from engine.types import MienError

REFUSED, STOPPED = 2, 130


def status_of(run: Callable[[], int | None], program: str = "mien") -> int:
    """Run a program to its exit status.

    Args:
        run: gives its status; None is 0.
        program: the name before the line on the error stream.

    Returns:
        what ``run`` gave; 2 after a :class:`MienError`, 130 after Ctrl-C.
    """
    try:
        return run() or 0
    except MienError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: stopped.\n")
        return STOPPED
