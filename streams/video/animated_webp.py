"""Animated WebP files as a source: FFmpeg before 8.1 opens them and finds no frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.types import Frame, Image, MienError, SourceError
from mien.engine.utils.images import over_white
from mien.streams.source import Source, SourceInfo

ANIMATION_FLAG = 0x02


def is_animated_webp(path: Path) -> bool:
    """Whether the file is a WebP whose header announces an animation."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & ANIMATION_FLAG)


class AnimationSource(Source):
    """Reads an animation through Pillow, times in seconds from its frame durations.

    Frames are ``(H, W, 3) uint8`` RGB, transparency over white.

    Raises:
        MienError: the file is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.notes = []
        self._path = Path(path)
        with self._open() as image:
            count = int(image.n_frames)
            durations = [_milliseconds(image, i) for i in range(count)]
            width, height = image.size
        self._starts = [sum(durations[:i]) for i in range(count)]
        fps = Fraction(1000 * count, max(1, sum(durations)))
        self._info = SourceInfo(width, height, fps, count, False, False, self._path.name)

    def _open(self) -> Any:
        from PIL import Image as Pil

        try:
            return Pil.open(self._path)
        except OSError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> MienError:
        return SourceError(f"{self._path.name} cannot be read as an animation ({error}). Export it again.")

    @property
    def info(self) -> SourceInfo:
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        with self._open() as image:
            for index, start in enumerate(self._starts):
                yield Frame(self._image(image, index), index, time.monotonic_ns(), start / 1000)

    def _image(self, image: Any, index: int) -> Image:
        try:
            image.seek(index)
            return over_white(np.array(image.convert("RGBA"), np.uint8))
        except (OSError, EOFError, SyntaxError) as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        """Nothing is held open between iterations."""


def _milliseconds(image: Any, index: int) -> int:
    image.seek(index)
    # WebP tells the duration only with the decoded frame. Players show a frame of 0 ms for 100.
    image.load()
    return int(image.info.get("duration") or 100)
