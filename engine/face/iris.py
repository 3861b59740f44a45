"""Gaze: motion of the irises as a whole, within lids that move on their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mien.engine.face.head_pose import Similarity, parallax
from mien.engine.face.layout import GRID, N_MESH, inverse2, layout, to_pixels
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

_RINGS = np.array([topo.RIGHT_EYE, topo.LEFT_EYE])
"""``(2, 16)``: the lids' points of the right and the left eye."""

_CORNERS = np.array(
    [
        (topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER),
        (topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER),
    ]
)


def iris_axes(axes: Floats) -> Floats:
    """``(2, 2, 2)`` local maps at the right and the left eye, averaged over the eye's two corners.

    Args:
        axes: ``(N, 2, 2)`` local maps at the layout's nodes.
    """
    return np.asarray(axes[_CORNERS].mean(axis=1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Irises:
    """The reference frame's irises; right eye, left eye.

    Attributes:
        rest: ``(2, 2)`` their centres in the image, pixels.
        solid: ``(2, 3)`` the eyes' centres relative to the head's, pixels.
        to_layout: ``(2, 2, 2)`` local maps, face units per pixel.
        lookup: ``(34, 1, 2)`` grid indices of the two irises, then of the eyes' rings.
    """

    rest: Floats
    solid: Floats
    to_layout: Floats
    lookup: Floats

    @staticmethod
    def of(points: Floats, solid: Floats, axes: Floats) -> Irises:
        """Create from ``(478, 2)`` landmarks, ``(N, 3)`` solid nodes and ``(N, 2, 2)`` local maps."""
        rest = points[N_MESH:].reshape(2, 5, 2).mean(axis=1)
        to_layout = inverse2(iris_axes(axes))
        offset = rest - points[_RINGS].mean(axis=1)
        places = _ring_places().mean(axis=1) + np.einsum("eij,ej->ei", to_layout, offset)
        everywhere = np.concatenate([places, _ring_places().reshape(-1, 2)]).astype(np.float32)
        lookup = to_pixels(everywhere, GRID).reshape(-1, 1, 2)
        return Irises(rest, solid[_RINGS].mean(axis=1), to_layout, lookup)

    def motion(
        self, landmarks: Floats, head: Similarity, turn: tuple[float, float], grid: Floats, noise: float
    ) -> tuple[Floats, Floats]:
        """Displacements of the ten iris points ``(10, 2)`` and of the gaze within the lids ``(2, 2)``.

        Small movements are taken from the aligned image, large ones from the landmarks.

        Args:
            landmarks: ``(478, 2)`` the driver's current landmarks, pixels.
            head, turn: the head's motion.
            grid: ``(GRID, GRID, 2)`` displacement field, face units.
            noise: face units up to which the landmarks' difference from the field counts as noise.
        """
        now = head.inverse().apply(landmarks[N_MESH:].reshape(2, 5, 2).mean(axis=1))
        shift = now - self.rest - parallax(self.solid, turn)
        seen = np.einsum("eij,ej->ei", self.to_layout, shift)
        field = sample(grid, self.lookup, cubic=True).reshape(-1, 2)
        aligned, lids = field[:2], field[2:].reshape(2, -1, 2).mean(axis=1)
        apart = seen - aligned
        length = np.hypot(apart[:, :1], apart[:, 1:])
        moved = aligned + apart * np.clip(1.0 - noise / np.maximum(length, 1e-9), 0.0, 1.0)
        return np.repeat(moved, 5, axis=0).astype(np.float32), (moved - lids).astype(np.float32)


@lru_cache(maxsize=1)
def _ring_places() -> Floats:
    """``(2, 16, 2)`` layout positions of the eyes' rings."""
    return np.asarray(layout().points[_RINGS], dtype=np.float32)
