"""Puts results into their places, whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mien.engine.types import MienError


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file beside its place, then put it there: until then an older one stays as it is.

    Raises:
        MienError: where it cannot be written; nothing is left behind then.
    """
    try:
        if path.exists() and not path.is_file():
            # A pipe or a device: nobody wants that replaced.
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)  # of a link, what it leads to
    except OSError as error:
        raise MienError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        with suppress(OSError):  # a name that cannot be written cannot be removed, for the same reason
            part.unlink()
