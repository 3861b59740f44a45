"""Folders that a system gives each user for a program's settings, data and caches.

Linux: XDG Base Directory Specification.  macOS: File System Programming Guide.  Windows: known folders.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

NO_HOME = "there is no home folder (set HOME)"
"""Why there is no such folder, for a message."""

Kind = Literal["cache", "config", "data"]

# By system and kind: the variable that names the folder, and where in the home it is without one.
_FOLDERS: Mapping[str, Mapping[Kind, tuple[str, str]]] = {
    "win32": {
        "cache": ("LOCALAPPDATA", "AppData/Local"),
        "config": ("APPDATA", "AppData/Roaming"),
        "data": ("APPDATA", "AppData/Roaming"),
    },
    "darwin": {
        "cache": ("", "Library/Caches"),
        "config": ("", "Library/Application Support"),
        "data": ("", "Library/Application Support"),
    },
    "linux": {
        "cache": ("XDG_CACHE_HOME", ".cache"),
        "config": ("XDG_CONFIG_HOME", ".config"),
        "data": ("XDG_DATA_HOME", ".local/share"),
    },
}


def user_folder(
    kind: Kind, system: str = sys.platform, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """Mien's folder of one kind; it need not exist yet.

    Args:
        kind: ``"cache"`` for what can be made again, ``"config"`` for settings, ``"data"`` for a user's data.
        system: as :data:`sys.platform`; every other one is taken for Linux.
        environment: the process's variables.

    Returns:
        the folder, or None where the process has no home folder: a service, or a container whose user number
        no one has entered.  Whoever asks goes on without it then, and says so (:data:`NO_HOME`).
    """
    variable, within = _FOLDERS.get(system, _FOLDERS["linux"])[kind]
    named = environment.get(variable) if variable else None
    if named:
        return Path(named) / "mien"
    try:
        return Path.home() / within / "mien"
    except RuntimeError:  # pathlib's: neither a variable nor the system's list of users knows one
        return None
