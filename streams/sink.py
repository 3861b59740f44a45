"""Base class of sinks, which take finished frames, and what all of them check about their place."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType

from mien.engine.types import Image, MienError, SinkError
from mien.engine.utils.files import DISK_FULL, disk_full


class Sink(ABC):
    """Takes frames in order; a context manager that finishes on success and aborts on an exception.

    Attributes:
        notes: remarks on what could not be kept (one line each); complete after :meth:`close`.
    """

    notes: list[str]

    @abstractmethod
    def write(self, image: Image, time: float) -> None:
        """Take one ``(H, W, 3) uint8`` RGB image that belongs at ``time`` seconds.

        A sink that was opened for opacity takes ``(H, W, 4)`` RGBA.  The array is copied before this returns.

        Raises:
            MienError: when the frame cannot be delivered (full disk, ...).
        """

    @abstractmethod
    def close(self) -> None:
        """Finish and put the result in its place. Closing twice is allowed."""

    @abstractmethod
    def abort(self) -> None:
        """Drop everything written; nothing is left behind and an existing result stays as it was."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def same_file(first: str | Path, second: str | Path) -> bool:
    """Whether two paths name one file, also through links and different spellings."""
    try:
        return Path(first).samefile(second)
    except OSError:
        return Path(first).resolve() == Path(second).resolve()


def check_writable_parent(path: Path) -> None:
    """Raise :class:`MienError` unless a file can be made beside ``path``."""
    parent = path.parent
    if not parent.exists():
        raise SinkError(
            f"The folder {parent} does not exist, so {path.name} cannot be written. Make it first."
        )
    if not parent.is_dir():
        raise SinkError(f"{parent} is a file, not a folder, so {path.name} cannot be written there.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise SinkError(f"The folder {parent} is not writable. Choose another place for {path.name}.")


def write_failure(path: Path, error: Exception) -> MienError:
    """The one line for an operating system or FFmpeg error met while writing ``path``."""
    code = getattr(error, "errno", None)
    if code in DISK_FULL:
        return SinkError(disk_full(str(path)))
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SinkError(f"No permission to write {path}. Choose another place.")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SinkError(f"{path} could not be written ({reason}). Choose another place or format.")
