"""Interface of all renderer runtimes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mien.engine.types import Floats, Image

if TYPE_CHECKING:
    pass
from mien.engine.avatar.model_io import AvatarCode, Field


class Runtime(ABC):
    """Runs the ``live`` model's encoder and renderer.  Not thread-safe; use it from one thread.

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
        """Number of images that one network call draws; above 1 only for a :class:`BatchRuntime`."""
        return 1

    @property
    def stale(self) -> bool:
        """Whether a newer network result exists, so that rendering the last motion again would be better."""
        return False

    @property
    def paints(self) -> bool:
        """Whether the network runs at all: it paints what the warp of the portrait cannot show."""
        return True

    @abstractmethod
    def encode(self, source: Image) -> AvatarCode:
        """Encode an avatar's ``(256, 256, 3) uint8`` RGB crop.  The code owns its arrays."""

    @abstractmethod
    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        """Compute the field that moves the avatar's points from ``source_points`` to ``driving_points``.

        Args:
            source_points, driving_points: ``(478, 2) float32``, normalised crop coordinates.
            dense: ``(3, 64, 64) float32``, a measured backward flow (x, y; normalised units) and its weight
                in 0..1; it replaces the landmark warp where the weight is 1.  None: landmarks alone.
        """

    def for_driver(self) -> Runtime:
        """A view of this runtime for one driver, when frames of several people alternate."""
        return self

    def close(self) -> None:  # noqa: B027 (most have nothing to free)
        """Free resources outside the process's own memory (a GPU's); it cannot be used afterwards."""
