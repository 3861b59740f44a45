"""Exit status of the commands: errors and interruptions become one line and a status for scripts."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper

from mien.engine.types import MienError
from mien.engine.utils.files import DISK_FULL, disk_full

REFUSED, STOPPED = 2, 130

_DISK = frozenset({errno.EIO, errno.EROFS, errno.EFBIG})


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
        what ``run`` gave; 2 after a :class:`MienError`, for a missing extra, or for a file or disk that the
        system refused (a name too long, a folder in a file's place, no space left), 130 after Ctrl-C.

    Raises:
        Exception: anything else is a bug in Mien and is re-raised.
    """
    # File names need not be text in the terminal's encoding; to say one must not end the program.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return run() or 0
    except MienError as error:
        return _refused(program, str(error))
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").partition(".")[0] not in extra.packages:
            raise
        return _refused(program, f"{extra.what} needs {error.name}: pip install 'mien[{extra.name}]'")
    except (OSError, ValueError) as error:
        reason = _refused_by_the_system(error)
        if reason is None:
            raise
        return _refused(program, reason)
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: {stopped}\n")
        return STOPPED


def _refused(program: str, reason: str) -> int:
    # A file's name may hold line breaks, too.
    line = reason.replace("\n", "\\n")
    sys.stderr.write(f"{program}: {line}\n")
    return REFUSED


def _refused_by_the_system(error: OSError | ValueError) -> str | None:
    """What the user can do about it, in one line; None if the error does not concern their files."""
    if isinstance(error, ValueError):
        # Python's own words, of open() and of the system's calls.
        nul = "embedded null" in str(error)
        return (
            "A file's name holds a NUL character, which no system allows. Check the names." if nul else None
        )
    of = error.filename if isinstance(error.filename, str) else ""
    if error.errno in DISK_FULL:
        return disk_full(of)
    if of:
        return f"{of} cannot be used ({error.strerror}). Check the name, or choose another place."
    return f"A disk cannot be used ({error.strerror}). Check it." if error.errno in _DISK else None
