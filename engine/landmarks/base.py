"""Interface of all landmarkers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

import numpy as np

from mien.engine.types import Face, Image

_Self = TypeVar("_Self", bound="Landmarker")

MAX_FACES = 4
"""Largest number of faces returned by :meth:`Landmarker.detect`."""


class Landmarker(ABC):
    """Finds faces and their 478 landmarks in images.

    A landmarker follows one face through one stream of frames and may be used by one thread at a time.
    It is a context manager; :meth:`close` frees its networks.

    Attributes:
        name: key in :data:`mien.engine.landmarks.LANDMARKERS`.
        faces_seen: number of faces found when the detector last ran (0 before its first run).
    """

    name: str = ""
    faces_seen: int = 0

    @abstractmethod
    def track(self, image: Image) -> Face | None:
        """Find the followed face in the next frame of a stream.

        The face is first looked for where the previous frame showed it, without the detector.  If it is
        lost, or none was followed, the detector runs and the largest face is followed from then on.

        Args:
            image: ``(H, W, 3) uint8`` RGB.

        Returns:
            The face with its landmarks unsmoothed, or None when no face is found.
        """

    def begin(self, image: Image) -> Face | None:
        """The same as :meth:`track`, but the face's blendshapes may be those of an earlier frame still.

        What is left of them is computed meanwhile in another thread; :meth:`complete` has it.
        """
        return self.track(image)

    def complete(self, face: Face) -> Face:
        """The face that :meth:`begin` has just returned, with its own blendshapes."""
        return face

    @abstractmethod
    def detect(self, image: Image) -> list[Face]:
        """Find all faces in a single image, the largest first, at most :data:`MAX_FACES`.

        Neither uses nor changes the face that :meth:`track` follows.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
        """

    @abstractmethod
    def follow(self, face: Face) -> None:
        """Follow ``face``, one of :meth:`detect`'s: the next :meth:`track` looks for it where it is."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the followed face; the next :meth:`track` runs the detector."""

    def twin(self, *, live: bool = False) -> Landmarker | None:
        """A stateless copy for another thread that shares the networks; None where they cannot be shared.

        Args:
            live: as for :func:`mien.engine.landmarks.make_landmarker`.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Free the networks.  Idempotent; any other use of a closed landmarker raises MienError."""

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
