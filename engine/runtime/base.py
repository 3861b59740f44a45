"""What a renderer runtime does, whatever computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mien.engine.types import Floats, Image

if TYPE_CHECKING:
    pass
from mien.engine.avatar.model_io import AvatarCode, Field


class Runtime(ABC):
    """Runs the ``live`` model's encoder and renderer.  Not thread-safe: one thread per runtime.

    Example:
        >>> runtime = default_runtime(threads=1)
        >>> code = runtime.encode(crop)  # (256, 256, 3) uint8 RGB
        >>> field = runtime.render(code, source_points, driving_points)
        >>> field.flow.shape
        (64, 64, 2)
    """

    name: str

    @property
    def batch(self) -> int:
        """How many pictures one call of the network makes; above 1 only for a :class:`BatchRuntime`."""
        return 1

    @property
    def stale(self) -> bool:
        """Whether the last motion, rendered once more, would come out better: more is known about it now."""
        return False

    @abstractmethod
    def encode(self, source: Image) -> AvatarCode:
        """The code of an avatar's ``(256, 256, 3) uint8`` RGB crop.  Owns its arrays."""

    @abstractmethod
    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        """The field that makes the avatar's points move from ``source_points`` to ``driving_points``.

        Args:
            source_points, driving_points: ``(478, 2) float32``, normalised crop coordinates.
            dense: ``(3, 64, 64) float32``, a measured backward flow (x, y; normalised units) and its weight
                in 0..1; it takes the landmark warp's place where the weight is 1.  None: landmarks alone.
        """

    def for_driver(self) -> Runtime:
        """This runtime as one driver's renderer is to use it, where several people's frames come in turn."""
        return self

    def close(self) -> None:  # noqa: B027 (most have nothing to give back)
        """Give back what is not the process's own memory (a card's); the runtime is of no use after that."""
