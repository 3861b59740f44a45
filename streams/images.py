"""Image files of a folder in natural order, and how one is read."""

from __future__ import annotations

import re
from pathlib import Path

from mien.engine.types import SourceError
from mien.engine.utils.image_files import decode_image, load_image
from mien.engine.utils.images import fit_within

__all__ = [
    "IMAGE_SUFFIXES",
    "decode_image",
    "fit_within",
    "list_images",
    "list_portraits",
    "load_image",
    "natural_key",
]

ENROLLED_SUFFIX = ".mien"
"""A portrait with further photos, in one file."""

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".ppm",
        ".pgm",
        ".avif",
        ".jp2",
        ".tga",
    }
)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts ``img2`` before ``img10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts if p]


def list_images(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, hidden ones left out, in natural order."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted((p for p in found if p.is_file()), key=natural_key)


def list_portraits(folder: str | Path) -> list[Path]:
    """The portraits in ``folder`` in natural order.

    Raises:
        SourceError: when the folder is missing or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder. Give a folder of portraits (PNG, JPEG, WebP, TIFF).")
    enrolled = (p for p in folder.iterdir() if p.suffix.lower() == ENROLLED_SUFFIX and p.is_file())
    portraits = sorted([*list_images(folder), *enrolled], key=natural_key)
    if not portraits:
        raise SourceError(f"{folder} holds no images. Put PNG, JPEG, WebP or TIFF portraits there.")
    return portraits
