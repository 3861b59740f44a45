"""Users' files: written atomically, read with one clear line for each failure."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mien.engine.types import SinkError, SourceError

PART = ".part-"
"""What the names of unfinished files have in common, before the process's number."""

DISK_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""Error numbers of a file that found no room: a full disk, a used-up quota."""


def beside(path: Path) -> Path:
    """A hidden name in the same folder, for what becomes ``path`` when it is finished.

    In the same folder, because only there a rename is one step; with the process's number, because two
    processes may write one file.
    """
    return path.with_name(f".{path.name}{PART}{os.getpid()}")


def clear_unfinished(path: Path) -> None:
    """Remove what processes that were killed while they wrote ``path`` have left beside it."""
    prefix = f".{path.name}{PART}"
    with suppress(OSError):
        for left in [entry for entry in path.parent.iterdir() if entry.name.startswith(prefix)]:
            if is_running(left.name.removeprefix(prefix)):
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def is_running(process: str) -> bool:
    """Whether a process of this number runs; where that cannot be asked (Windows), it counts as running."""
    if not (process.isascii() and process.isdecimal()):
        return False
    if os.name == "nt":
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside its place, then put it there; until then an older one stays as it is.

    Of a link, what it leads to is replaced.  A pipe or a device is written to directly: nobody wants that
    replaced.

    Yields:
        where to write; the file does not exist yet.  When the block raises, nothing is left of it.

    Raises:
        OSError: the file cannot be put into its place, or what the block raises.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    place = Path(os.path.realpath(path))
    part = beside(place)
    clear_unfinished(place)
    try:
        part.unlink(missing_ok=True)  # a process of the same number may have died here
        yield part
        part.replace(place)
    finally:
        with suppress(OSError):  # a name that cannot be written cannot be removed, for the same reason
            part.unlink()


def write_atomic(path: Path, content: bytes | str | Callable[[BinaryIO], object]) -> None:
    """Write a file with :func:`replacing`.

    Args:
        path: its place.
        content: bytes, text (written as UTF-8), or a function that writes into the open file.

    Raises:
        SinkError: it cannot be written; nothing is left behind then.
    """
    try:
        with replacing(path) as part, part.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise SinkError(disk_full(str(path))) from error
        raise SinkError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error


def read_user_file(path: Path, wanted: str, missing: str = "") -> bytes:
    """The content of a file that a user has named.

    Args:
        path: the file.
        wanted: what to give instead of a folder, a sentence.
        missing: what to do where there is no such file; without it, how the name was understood.

    Raises:
        SourceError: a folder, no such file, or one that cannot be read.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder. {wanted}")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(no_such_file(path, missing)) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error


def no_such_file(path: Path, remedy: str = "") -> str:
    """The line about a file that is not there; ``remedy`` in the place of how its name was understood."""
    return f"{path} does not exist. {remedy or _how_understood(path)}"


def _how_understood(path: Path) -> str:
    text = str(path)
    if text.lower().startswith("file:"):
        return "Give a plain path, without file:// before it."
    if text.startswith("~"):
        return "Inside quotes ~ is not your home folder: write the path out, or leave the quotes off."
    return f"Check the spelling; relative paths start at {Path.cwd()}."


def disk_full(what: str = "") -> str:
    """The line about a disk without room; ``what`` names what was not written."""
    return f"The disk is full{what and f': {what} was not written'}. Free some space or write elsewhere."
