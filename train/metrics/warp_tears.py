"""Folds of a warp, and stretching beyond that of skin, measured on a renderer's backward map.

The map says for every pixel of the moving part which pixel of the portrait it shows.  On the face,
outside the openings of mouth and eyes, its Jacobian (relative to the head's scale: the median of sqrt
|det|) is looked at:

- *folded*: the determinant is not positive: the portrait is seen mirrored;
- *stretched*: the smaller singular value is below 1 / :data:`MOST`: a strip of the portrait is drawn
  out;
- *squeezed*: the larger one is above :data:`MOST`;
- *doubled*: a patch of the portrait (3 x 3 pixels) is shown in places further apart than its own size
  explains.

A clean cut, as between lips, at lids, or at an outline that hides what is behind, is none of these:
derivatives are taken on the side of each pixel on which the map changes least, so both sides of a cut
count as smooth, while in a torn place neither side is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.types import Bools, Floats

MOST = 4.0
"""How many times skin may be drawn out or pressed together; wide open mouths draw it out by less than 2."""

FOLD = 0.02
"""Determinant up to which the map is folded."""

CELL = 3
"""Side of a patch, pixels of the portrait."""

OPENINGS = (topo.LIPS_INNER, topo.LEFT_EYE, topo.RIGHT_EYE)

AREAS = {
    "mouth": (*topo.LIPS_OUTER, 2, 18, 200, 43, 273, 57, 287, 164),
    "eyes": (*topo.LEFT_EYE, *topo.RIGHT_EYE, *topo.LEFT_EYEBROW, *topo.RIGHT_EYEBROW),
    "nose": topo.NOSE,
}
"""Regions: the hulls of these landmarks, with a margin."""


@dataclass(frozen=True, slots=True)
class WarpTears:
    """Shares of the face, 0..1.

    Attributes:
        folded, stretched, squeezed, doubled: see the module's text.
        torn: any of them.
        areas: share of ``torn`` within each of :data:`AREAS`.
    """

    folded: float
    stretched: float
    squeezed: float
    doubled: float
    torn: float
    areas: dict[str, float]


def warp_tears(backward: Floats, landmarks: Floats) -> WarpTears:
    """Measure how much of the face a warp tears.

    Args:
        backward: ``(H, W, 2)`` place in the portrait, pixels, of every pixel of the moving part.
        landmarks: ``(468+, 2)`` where the avatar's landmarks went, pixels of the moving part.
    """
    face = _face(backward.shape[:2], landmarks)
    area = int(face.sum())
    if area == 0:
        return WarpTears(0.0, 0.0, 0.0, 0.0, 0.0, dict.fromkeys(AREAS, 0.0))
    determinant, large, small = _stretch(backward)
    scale = float(np.sqrt(np.median(np.abs(determinant[face])))) or 1.0
    parts = {
        "folded": (determinant < FOLD * scale**2) & face,
        "stretched": (small < scale / MOST) & face,
        "squeezed": (large > scale * MOST) & face,
        "doubled": _doubled(backward, face),
    }
    torn = np.logical_or.reduce(list(parts.values()))
    shares = {name: float(found.sum()) / area for name, found in parts.items()}
    return WarpTears(**shares, torn=float(torn.sum()) / area, areas=_by_area(torn, face, landmarks))


def _face(shape: tuple[int, int], landmarks: Floats) -> Bools:
    """The face's hull without the openings, one pixel drawn in."""
    face, holes = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    points = np.round(landmarks[:, :2]).astype(np.int32)
    cv2.fillConvexPoly(face, cv2.convexHull(points[:N_MESH]), (1,))
    for ring in OPENINGS:
        cv2.fillPoly(holes, [points[list(ring)]], (1,))
    return np.asarray((face > 0) & (cv2.dilate(holes, np.ones((3, 3), np.uint8)) == 0), dtype=np.bool_)


def _stretch(backward: Floats) -> tuple[Floats, Floats, Floats]:
    """Determinant, larger and smaller singular value of the map's Jacobian, ``(H, W)`` each."""
    along_x, along_y = _derivative(backward, 1), _derivative(backward, 0)
    determinant = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
    square = (along_x**2).sum(axis=2) + (along_y**2).sum(axis=2)
    root = np.sqrt(np.maximum(square**2 - 4 * determinant**2, 0))
    return determinant, np.sqrt((square + root) / 2), np.sqrt(np.maximum(square - root, 0) / 2)


def _derivative(backward: Floats, axis: int) -> Floats:
    """One-sided derivative along an axis, on the side that is nearer to no warp at all."""
    step = np.diff(backward, axis=axis)
    before = np.concatenate([step.take([0], axis), step], axis=axis)
    after = np.concatenate([step, step.take([-1], axis)], axis=axis)
    unit = np.array([1.0, 0.0] if axis == 1 else [0.0, 1.0], np.float32)
    nearer = ((after - unit) ** 2).sum(axis=2) <= ((before - unit) ** 2).sum(axis=2)
    return np.where(nearer[..., None], after, before)


def _doubled(backward: Floats, face: Bools) -> Bools:
    """Face pixels whose patch of the portrait is also shown elsewhere."""
    cells = np.floor(backward[face] / CELL).astype(np.int64)
    cells -= cells.min(axis=0)
    keys = cells[:, 1] * (cells[:, 0].max() + 1) + cells[:, 0]
    _, patch, count = np.unique(keys, return_inverse=True, return_counts=True)
    spread = np.zeros(len(count))
    for place in np.nonzero(face):
        mean = np.bincount(patch, place) / count
        spread += np.bincount(patch, (place - mean[patch]) ** 2) / count
    # Pixels in one piece, even one drawn out four to one, spread by no more than this.
    doubled = (spread > count + 6) & (count > CELL)
    found = np.zeros(face.shape, np.bool_)
    found[face] = doubled[patch]
    return found


def _by_area(torn: Bools, face: Bools, landmarks: Floats) -> dict[str, float]:
    size = float(np.ptp(landmarks[:N_MESH, 0]))
    shares = {}
    for name, members in AREAS.items():
        hull = np.zeros(face.shape, np.uint8)
        cv2.fillConvexPoly(
            hull, cv2.convexHull(np.round(landmarks[list(members), :2]).astype(np.int32)), (1,)
        )
        margin = max(1, round(size / 25))
        here = (cv2.dilate(hull, np.ones((2 * margin + 1,) * 2, np.uint8)) > 0) & face
        shares[name] = float(torn[here].mean()) if here.any() else 0.0
    return shares
