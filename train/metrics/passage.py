"""Clips as named on the command line of the measures: whole, or a passage of frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.engine.types import Image, SourceError


@dataclass(frozen=True)
class Passage:
    """A clip's frames from ``first`` to before ``last``; None is the end."""

    path: Path
    first: int = 0
    last: int | None = None

    @property
    def name(self) -> str:
        whole = self.first == 0 and self.last is None
        return self.path.stem if whole else f"{self.path.stem}:{self.first}-{self.last}"

    @staticmethod
    def parse(text: str) -> Passage:
        """``clip.mp4`` or ``clip.mp4:100-140``."""
        found = re.fullmatch(r"(.+):(\d+)-(\d+)", text)
        if not found:
            return Passage(Path(text))
        return Passage(Path(found[1]), int(found[2]), int(found[3]))

    def images(self) -> Iterator[Image]:
        """The images one after the other, RGB.

        Raises:
            MienError: unreadable.
        """
        from mien.streams.factory import open_source

        with open_source(str(self.path)) as source:
            for frame in source:
                if self.last is not None and frame.index >= self.last:
                    break
                if frame.index >= self.first:
                    yield frame.image

    def frames(self) -> list[Image]:
        """The images, RGB.

        Raises:
            MienError: unreadable, or fewer than three frames.
        """
        images = list(self.images())
        if len(images) < 3:
            raise SourceError(f"{self.name} has {len(images)} frames; at least three are needed.")
        return images
