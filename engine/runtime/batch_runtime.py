"""Interface of runtimes that draw the finished images of several avatars in one call, on a GPU."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.engine.types import Floats, Image

if TYPE_CHECKING:
    from mien.engine.avatar.canvas.canvas import Canvas
    from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.model_io import AvatarCode
from mien.engine.runtime.base import Runtime


@dataclass(frozen=True, slots=True)
class Drawing:
    """One image to draw.

    Attributes:
        code, source_points, driving_points, dense: the arguments of :meth:`Runtime.render`.
        canvas: the canvas to draw on.
        warp: the mesh's warp of the canvas.
    """

    code: AvatarCode
    source_points: Floats
    driving_points: Floats
    dense: Floats | None
    canvas: Canvas
    warp: Warp


class BatchRuntime(Runtime):
    """A runtime that also draws the finished images, where the model's results already are: on the GPU."""

    @abstractmethod
    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        """Draw images, in order, as ``engine.avatar.composition.compose`` does from each one's field.

        A turned head's outline is left as the map has it: ``show_outline`` of the same module softens it.

        Several drawings, of one avatar or of several, take one call of the network.

        Returns:
            ``(H, W, 3) uint8`` RGB each, new arrays.
        """


def halves(batch: list[Drawing]) -> list[list[Drawing]]:
    """Split a batch into two."""
    half = (len(batch) + 1) // 2
    return [batch[:half], batch[half:]]
