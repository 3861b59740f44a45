"""Reader of folders of videos, one per person, like VoxCeleb's (``id10270/5r0dWxy17C8/00001.mp4``)."""

from __future__ import annotations

from pathlib import Path

from mien.train.data.clips import Clip
from mien.train.data.readers.found import Found

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg"})


def read_folders(folder: Path) -> Found:
    """Find all videos and, as stills, all images below ``folder``; the topmost folder names the person.

    Files directly in ``folder`` count as one person each.  Folders of people without any video are
    reported.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    clips = [_clip(folder, path) for path in files if path.suffix.lower() in VIDEOS]
    stills = [_clip(folder, path) for path in files if path.suffix.lower() in IMAGES]
    people = {clip.subject for clip in (*clips, *stills)}
    empty = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in people]
    return Found(clips, stills, [f"{folder / name} holds no videos" for name in empty])


def _clip(folder: Path, path: Path) -> Clip:
    parts = path.relative_to(folder).with_suffix("").parts
    return Clip("-".join(parts), path, subject=parts[0], group=parts[0], collection=folder.resolve().name)
