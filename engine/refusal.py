"""How a program ends that was refused something, or stopped: in one line, with a status for scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from engine.types import MienError

REFUSED, STOPPED = 2, 130


@dataclass(frozen=True, slots=True)
class Extra:
    """What a program needs beyond the base install.

    Attributes:
        what: the program, as a user would name it.
        name: of the extra.
        packages: modules whose absence means that the extra is not installed.
    """

    what: str
    name: str
    packages: tuple[str, ...]


def status_of(
    run: Callable[[], int | None],
    program: str = "mien",
    *,
    stopped: str = "stopped.",
    extra: Extra | None = None,
) -> int:
    """Run a program to its exit status.

    Args:
        run: gives its status; None is 0.
        program: the name before the line on the error stream.
        stopped: what is said after Ctrl-C.
        extra: what ``run`` needs; a missing package of it is a line with the command that installs it.

    Returns:
        what ``run`` gave; 2 after a :class:`MienError` or for a missing extra, 130 after Ctrl-C.
    """
    try:
        return run() or 0
    except MienError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return REFUSED
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").partition(".")[0] not in extra.packages:
            raise
        sys.stderr.write(f"{program}: {extra.what} needs {error.name}: pip install 'mien[{extra.name}]'\n")
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: {stopped}\n")
        return STOPPED
