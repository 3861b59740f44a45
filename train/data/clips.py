"""The training clip, common to all data sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.engine.types import Image, SourceError


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of one person, as found on disk.

    Attributes:
        id: unique in its data set; names the packed folder.
        path: a video file, a folder of images, or one image (a still).
        subject: the person.
        group: clips of one group never lie on both sides of a split (a person, or a folder that may contain
            the same person under another name).
        collection: data set or repository, for the model card.
        licence: as far as known.
        onset, apex, offset: of a micro-expression, as file numbers; -1 if the data set gives none.
        emotion, action_units: as coded in the data set.
    """

    id: str
    path: Path
    subject: str
    group: str
    collection: str
    licence: str = ""
    onset: int = -1
    apex: int = -1
    offset: int = -1
    emotion: str = ""
    action_units: str = ""


def read_images(clip: Clip, limit: int = 0) -> list[Image]:
    """Read the clip's images ``(H, W, 3) uint8`` RGB, in order.

    Args:
        limit: largest number of images, evenly spaced (0: all); a long video is thinned while it is read.

    Raises:
        MienError: the clip cannot be read.
    """
    kept: list[Image] = []
    stride = 1
    for index, image in enumerate(iterate_images(clip)):
        if index % stride:
            continue
        kept.append(image)
        if limit and len(kept) > limit:
            kept = kept[::2]
            stride *= 2
    if not kept:
        raise SourceError(f"{clip.path} contains no images. Leave it out or replace the file.")
    return kept


def iterate_images(clip: Clip) -> Iterator[Image]:
    """Iterate over the clip's images, as :func:`read_images`."""
    from mien.streams.folder import FrameFolderSource
    from mien.streams.images import load_image
    from mien.streams.video import VideoFileSource

    path = clip.path
    if path.is_dir():
        with FrameFolderSource(path) as folder:
            yield from (frame.image for frame in folder)
    elif path.suffix.lower() in {".jpg", ".jpeg", ".png", ".bmp", ".webp"}:
        yield load_image(path)
    else:
        with VideoFileSource(path) as video:
            yield from (frame.image for frame in video)
