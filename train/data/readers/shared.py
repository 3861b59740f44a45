"""Reader of the shared clips' layout: ``index.csv`` with ``clips/`` and ``stills/`` next to it."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from mien.engine.types import SourceError
from mien.train.data.clips import Clip
from mien.train.data.readers.found import Found
from mien.train.data.split import joined

COLUMNS = ("id", "kind", "repo", "path", "licence", "person_id")


def is_shared(folder: Path) -> bool:
    """Whether ``folder`` has this layout."""
    return (folder / "index.csv").is_file() and (folder / "clips").is_dir()


def read_shared(folder: Path) -> Found:
    """Read clips and stills; clips that share a person or a folder of one repository share a group.

    A still belongs to the group of the clips with which it shares a person or a folder; one that touches
    several groups is left out, since it could lie on both sides of a split.

    Raises:
        SourceError: the index cannot be read or is missing columns.
    """
    index = folder / "index.csv"
    try:
        with index.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{index}: cannot read: {error}. Restore the index.") from error
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise SourceError(f"{index} lacks the columns {', '.join(missing)}. Restore the index.")
    clips = [row for row in rows if row["kind"] == "clip"]
    groups = joined({row["id"]: _marks(row) for row in clips})
    group_of_mark = {mark: groups[row["id"]] for row in clips for mark in _marks(row)}
    found = Found([_clip(folder / "clips" / f"{row['id']}.mp4", row, groups[row["id"]]) for row in clips])
    several = 0
    for row in rows:
        if row["kind"] == "still":
            near = {group_of_mark[mark] for mark in _marks(row) if mark in group_of_mark}
            if len(near) > 1:
                several += 1
                continue
            group = near.pop() if near else _marks(row)[0]
            found.stills.append(_clip(folder / "stills" / f"{row['id']}.jpg", row, group))
    if several:
        found.notes.append(
            f"{several} stills are left out: their person or folder belongs to several groups of clips"
        )
    return found


def _clip(path: Path, row: dict[str, str], group: str) -> Clip:
    return Clip(
        id=row["id"],
        path=path,
        subject=row["person_id"],
        group=group,
        collection=row["repo"],
        licence=row["licence"],
    )


def _marks(row: dict[str, str]) -> tuple[str, str]:
    return f"person {row['person_id']}", f"folder {row['repo']}/{PurePosixPath(row['path']).parent}"
