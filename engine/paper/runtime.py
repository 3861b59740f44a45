"""Interface of the ``paper`` preset's runtimes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mien.engine.avatar.model_io import AvatarCode
from mien.engine.motion.key_motion import Keys
from mien.engine.types import Floats, Image


class PaperRuntime(ABC):
    """Runs the published network.

    ``detect`` may run beside the others in another thread, and ``encode`` likewise; otherwise one thread at
    a time.

    Attributes:
        points: how many key points there are.
        given_points: whether they are given (the paper) or the detector finds them (FOMM).
    """

    name: str
    points: int
    given_points: bool

    @abstractmethod
    def encode(self, source: Image) -> AvatarCode:
        """The code of a portrait's ``(256, 256, 3) uint8`` RGB crop; made once.  Owns its arrays."""

    @abstractmethod
    def detect(self, image: Floats, points: Floats | None) -> Keys:
        """The key points of a face crop.

        Args:
            image: ``(1, 3, 256, 256) float32``, RGB in 0..1.
            points: ``(18, 2) float32`` pixel indices (x, y) of the given points; ignored where none are
                given.
        """

    @abstractmethod
    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        """The portrait moved to ``driving``.

        Returns:
            ``(256, 256, 3) float32`` RGB in 0..1, valid until the next call.
        """

    def close(self) -> None:  # noqa: B027 (most have nothing to give back)
        """Free memory outside the process, such as a GPU's; the runtime cannot be used afterwards."""
