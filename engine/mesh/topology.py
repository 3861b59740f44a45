"""Triangles of the face mesh: skin with cuts for mouth and eyes, and what is seen through the cuts.

Skin is the canonical mesh without the triangles that close its mouth and its eyes.  Those are kept as layers
of their own, *openings*: their corners are copies of the rings' landmarks, so that what they show is theirs.
Lips and lids that move apart then part, and lips and lids that meet hide what is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.landmarks import topology as topo

MOUTH, RIGHT_EYE, LEFT_EYE = range(3)
"""The openings, in the order of their rings."""

RINGS = (topo.LIPS_INNER, topo.RIGHT_EYE, topo.LEFT_EYE)

_UPPER = (topo.LIPS_UPPER_INNER, topo.RIGHT_EYE_UPPER, topo.LEFT_EYE_UPPER)

SKIN_LAYER, FIRST_OPENING_LAYER = 1.0, 2.0
"""What the raster's third channel says: 0 is nothing, then skin, then mouth, right eye, left eye."""

SLOPE = 0.2
"""By how much an opening's layer is less at its upper edge and more at its lower one: so that the raster also
says how far down an opening a pixel lies."""


@dataclass(frozen=True, slots=True)
class FaceTopology:
    """Constants of the mesh; arrays are read-only.

    *Vertices* are the 468 landmarks, then copies of the rings of mouth, right eye and left eye: ``V`` in all.

    Attributes:
        landmark: ``(V,)`` the landmark that each vertex stands on.
        layer: ``(V,) float32`` the layer that each vertex is of.
        triangles: ``(T, 3) int32`` indices of vertices, skin first.
        openings: where each opening's copies begin and end among the vertices.
    """

    landmark: NDArray[np.intp]
    layer: NDArray[np.float32]
    triangles: NDArray[np.int32]
    openings: tuple[slice, ...]


@lru_cache(maxsize=1)
def face_topology() -> FaceTopology:
    """The face mesh, made from the model bundle's triangles when it is first used."""
    every = np.asarray(topo.TRIANGLES)
    closing = [np.isin(every, ring).all(axis=1) for ring in RINGS]
    triangles = [every[~np.any(closing, axis=0)]]
    landmark, layer = [np.arange(468)], [np.full(468, SKIN_LAYER)]
    openings, first = [], 468
    for number, (ring, inside) in enumerate(zip(RINGS, closing, strict=True)):
        copy_of = np.zeros(468, np.int32)
        copy_of[list(ring)] = np.arange(first, first + len(ring))
        triangles.append(copy_of[every[inside]])
        landmark.append(np.array(ring))
        layer.append(np.full(len(ring), FIRST_OPENING_LAYER + number) + _slope(ring, _UPPER[number]))
        openings.append(slice(first, first + len(ring)))
        first += len(ring)
    found = FaceTopology(
        np.concatenate(landmark).astype(np.intp),
        np.concatenate(layer).astype(np.float32),
        np.concatenate(triangles).astype(np.int32),
        tuple(openings),
    )
    for array in (found.landmark, found.layer, found.triangles):
        array.setflags(write=False)
    return found


def _slope(ring: tuple[int, ...], upper: tuple[int, ...]) -> NDArray[np.float64]:
    """-:data:`SLOPE` along a ring's upper edge, :data:`SLOPE` along its lower one, 0 at the corners."""
    slope = np.where(np.isin(ring, upper), -SLOPE, SLOPE)
    slope[np.isin(ring, (upper[0], upper[-1]))] = 0.0
    return slope
