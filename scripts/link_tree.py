"""Package tree ``.typing/mien`` for tools that read packages from disk: mypy and import-linter.

The rooms stand at the top of the repository and are installed inside ``mien`` by a mapping in
``pyproject.toml``, which neither tool sees.  The tree has real folders and links to the files (import-linter
does not follow links to folders); where links are not allowed, as on some Windows machines, copies.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / ".typing"
ROOMS = ("cli", "engine", "export", "streams", "train")


def build(tree: Path = TREE) -> None:
    """Make ``tree/mien`` anew: a file that was moved or removed must not stay behind in it."""
    package = tree / "mien"
    shutil.rmtree(package, ignore_errors=True)
    for folder, into in ((ROOT / "mien", package), *((ROOT / room, package / room) for room in ROOMS)):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".typed"):
                _link(path, into / path.relative_to(folder))


def _link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(os.path.relpath(path, place.parent.resolve()))
    except OSError:
        shutil.copyfile(path, place)


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:2]))
