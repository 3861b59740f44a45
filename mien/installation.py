"""State of the installation, and the command that repairs it.

Version 0.1 installed the rooms of Mien as top-level packages (``engine``, ``streams``, ...); now they are
installed inside ``mien``.  This module imports the standard library alone, so that it can speak where nothing
else can be imported.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions, packages_distributions
from importlib.util import find_spec
from pathlib import Path

ROOMS = ("cli", "engine", "export", "streams", "train")
FORMER = (*ROOMS, "run_live")
"""Top-level names that version 0.1 installed."""

_SIGN = Path("engine", "assets", "face_landmarker.task")
"""A file that tells Mien's former package from a user's own ``engine``."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Former top-level packages of Mien in one place.

    Attributes:
        place: folder of installed packages that they stand in (or are mapped from, in an editable install).
        names: the packages.
        known: whether pip knows them, so that it can remove them.
    """

    place: Path
    names: tuple[str, ...]
    known: bool

    def __str__(self) -> str:
        return (
            f"an older version of Mien, with the top-level packages {', '.join(self.names)}, in {self.place}"
        )


def problem() -> str | None:
    """Why this installation cannot run, in one line with the command that repairs it; None if it can."""
    if all(find_spec(f"mien.{room}") is not None for room in ROOMS):
        return None
    old = next(leftovers(), None)
    if old is None:
        return f"Mien is not installed for this Python. Run: {install_command()}"
    if old.known:
        # pip removes the older version itself.
        return f"This Python has {old}. Replace it: {install_command()}"
    return f"This Python has {old}. {_removal(old)}, then run: {install_command()}"


def warning() -> str | None:
    """Former packages beside Mien, in one line with how to remove them; None if there are none."""
    old = next(leftovers(), None)
    if old is None:
        return None
    return f"This Python still has {old}; scripts that import them run the old code. {_removal(old)}."


def require_installation() -> None:
    """End the program with one line if Mien cannot run (``python -m engine.benchmark`` and similar).

    Raises:
        SystemExit: status 2.
    """
    if (reason := problem()) is not None:
        sys.stderr.write(f"mien: {reason}\n")
        raise SystemExit(2)


def checkout() -> Path | None:
    """The checkout that this package stands in; None for an installed package."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "run_live.py").is_file() and (root / "pyproject.toml").is_file() else None


def install_command() -> str:
    """The command that installs this checkout, or the package where there is none."""
    root = checkout()
    return _pip("install", "-e", str(root)) if root else _pip("install", "--force-reinstall", "mien")


def leftovers() -> Iterator[Leftover]:
    """Find former top-level packages: first those known to pip, then files without its records."""
    told = set()
    for found in distributions(name="mien"):
        place = Path(str(found.locate_file("")))
        names = set((found.read_text("top_level.txt") or "").split())
        # A checkout's own egg-info tells of its last build, not of what is installed.
        if names & set(FORMER) and place.resolve() != checkout():
            told.add(place)
            yield Leftover(place, tuple(name for name in FORMER if name in names), known=True)
    for place in map(Path, dict.fromkeys(sys.path)):
        if place not in told and (place / _SIGN).is_file() and not (place / "pyproject.toml").exists():
            yield Leftover(place, _forgotten(place), known=False)


def _forgotten(place: Path) -> tuple[str, ...]:
    """The former packages in ``place`` that no other distribution has installed (PyPI has a ``train``)."""
    others = packages_distributions()
    there = (name for name in FORMER if (place / name).is_dir() or (place / f"{name}.py").is_file())
    return tuple(name for name in there if name not in others)


def _removal(old: Leftover) -> str:
    if old.known:
        again = f"{_pip('uninstall', '--yes', 'mien')}, until it finds none, then {install_command()}"
        return f"Remove them: {again}"
    paths = (old.place / (f"{name}.py" if name == "run_live" else name) for name in old.names)
    return f"Delete {', '.join(map(str, paths))}"


def _pip(*words: str) -> str:
    return shlex.join((sys.executable, "-m", "pip", *words))
