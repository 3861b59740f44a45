"""Folders of videos, one folder for each person, as VoxCeleb's are (``id10270/5r0dWxy17C8/00001.mp4``)."""

from __future__ import annotations

from pathlib import Path

from train.data.clips import Clip

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg"})


def read_folders(folder: Path) -> list[Clip]:
    """Every video below ``folder``; the first folder on the way is the person.

    Videos that lie in ``folder`` itself count as one person each.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS and path.is_file())
    clips = []
    for path in files:
        parts = path.relative_to(folder).with_suffix("").parts
        clips.append(
            Clip("-".join(parts), path, subject=parts[0], group=parts[0], collection=folder.resolve().name)
        )
    return clips
