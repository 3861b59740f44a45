"""Folder in which networks are kept, compiled and converted, so that the next start reads them.

Reading takes a third of compiling. OpenVINO finds a file by a hash of the network, its own version and the
processor, compiles again what is damaged, and goes on without a file where the disk is full (all tried).
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from mien.engine.utils.folders import user_folder

LIMIT_MB = 200
"""Files of networks that changed (new weights, another OpenVINO) stay behind; one set takes 36 MB."""

KINDS = ".blob", ".bin", ".xml"
"""Compiled networks; weights and graphs of converted ones (:mod:`mien.engine.utils.converted`)."""


@lru_cache(maxsize=1)
def network_cache() -> str | None:
    """The folder below ``$MIEN_CACHE`` or the user's cache folder, created and tidied once per process.

    Returns:
        None without a home, or where it cannot be written.
    """
    chosen = os.environ.get("MIEN_CACHE")
    parent = Path(chosen) if chosen else user_folder("cache")
    if parent is None:
        return None
    folder = parent / "networks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tidy(folder, LIMIT_MB)
    except OSError:
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


def tidy(folder: Path, limit_mb: float) -> None:
    """Remove the oldest files until the folder takes at most so many megabytes."""
    found = (path for kind in KINDS for path in folder.glob(f"*{kind}"))
    files = sorted(((path.stat(), path) for path in found), key=lambda file: file[0].st_mtime)
    size = sum(about.st_size for about, _ in files)
    for about, path in files:
        if size <= limit_mb * 2**20:
            return
        size -= about.st_size
        with suppress(OSError):  # another process's, or already gone
            path.unlink()
