"""What every landmarker does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

import numpy as np

from mien.engine.types import Face, Image

_Self = TypeVar("_Self", bound="Landmarker")

MAX_FACES = 4
"""How many faces :meth:`Landmarker.detect` gives at most."""


class Landmarker(ABC):
    """Finds faces and their 478 landmarks in pictures.

    One landmarker follows one face through one stream of pictures and belongs to one thread at a time.
    It is a context manager; :meth:`close` frees its networks.

    Attributes:
        faces_seen: how many faces the detector saw when it last ran (0 before it ever ran).
    """

    faces_seen: int = 0

    @abstractmethod
    def track(self, image: Image) -> Face | None:
        """The face that is being followed, in the next picture of a stream.

        The face of the last picture is looked for where it was, without the detector; when it is lost,
        or there was none, the detector runs and the largest face is taken up.

        Args:
            image: ``(H, W, 3) uint8`` RGB.

        Returns:
            The face, its landmarks unsmoothed, or None when no face is seen.
        """

    @abstractmethod
    def detect(self, image: Image) -> list[Face]:
        """Every face in a single picture, the largest first, four at most.

        It neither uses nor changes what :meth:`track` follows.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
        """

    @abstractmethod
    def follow(self, face: Face) -> None:
        """Follow ``face``, one of :meth:`detect`'s: the next :meth:`track` looks for it where it is."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the followed face: the next :meth:`track` runs the detector."""

    @abstractmethod
    def close(self) -> None:
        """Free the networks.  A second call does nothing; using a closed landmarker is a MienError."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_image(image: Image) -> None:
    """Raise ValueError unless ``image`` is a non-empty ``(H, W, 3) uint8`` array."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"an image is (H, W, 3) uint8 RGB, not {image.shape} {image.dtype}")
