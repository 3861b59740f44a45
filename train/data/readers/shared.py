"""``index.csv`` with ``clips/`` and ``stills/`` beside it: the shared clips' layout."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from engine.types import MienError
from train.data.clips import Clip
from train.data.split import joined

COLUMNS = ("id", "kind", "repo", "path", "licence", "person_id")


def is_shared(folder: Path) -> bool:
    """Whether ``folder`` has this layout."""
    return (folder / "index.csv").is_file() and (folder / "clips").is_dir()


def read_shared(folder: Path) -> list[Clip]:
    """Its clips (stills are left out); clips that share a person or a folder of one repository share a group.

    Raises:
        MienError: the index is missing columns.
    """
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise MienError(f"{folder / 'index.csv'} lacks the columns {', '.join(missing)}. Restore the index.")
    rows = [row for row in rows if row["kind"] == "clip"]
    groups = joined({row["id"]: _marks(row) for row in rows})
    return [
        Clip(
            id=row["id"],
            path=folder / "clips" / f"{row['id']}.mp4",
            subject=row["person_id"],
            group=groups[row["id"]],
            collection=row["repo"],
            licence=row["licence"],
        )
        for row in rows
    ]


def _marks(row: dict[str, str]) -> tuple[str, str]:
    return f"person {row['person_id']}", f"folder {row['repo']}/{PurePosixPath(row['path']).parent}"
