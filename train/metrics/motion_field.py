"""Dense facial motion in the canonical layout: the data type shared by all motion measures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import EXTENT, GRID, layout, to_pixels
from mien.engine.face.regions import region_maps
from mien.engine.landmarks.topology import FACE_OVAL
from mien.engine.types import Bools, Floats

SIDE = 128
"""Side of the layout image, pixels: about the 128 px faces of published results."""

ROUNDS = 8


@dataclass(frozen=True)
class DenseMotion:
    """A clip's facial motion in the layout, relative to its first frame.

    Attributes:
        field: ``(T, SIDE, SIDE, 2) float32`` displacement in layout pixels, the head's similarity removed.
        mask: ``(SIDE, SIDE) bool``, the face.
    """

    field: Floats
    mask: Bools

    def vectors(self) -> Floats:
        """``(T, P, 2)``: the field on the face's P pixels."""
        return np.asarray(self.field[:, self.mask], dtype=np.float32)

    def courses(self) -> Floats:
        """``(T, K, 2) float32`` time course of every region (``REGIONS``), face units."""
        weights = _region_weights(self.mask)
        means = np.einsum("kp,tpc->tkc", weights, self.vectors())
        return np.asarray(means * np.float32(EXTENT / SIDE), dtype=np.float32)

    def strength(self) -> Floats:
        """``(T,) float32`` mean length of the motion over the face, layout pixels."""
        return np.asarray(np.linalg.norm(self.vectors(), axis=2).mean(axis=1), dtype=np.float32)


def face_mask(shrink: float = 0.95, side: int = SIDE) -> Bools:
    """``(side, side) bool``: inside the face's oval, drawn in a little to keep hair out."""
    oval = layout().points[list(FACE_OVAL)]
    centre = oval.mean(axis=0)
    mask = np.zeros((side, side), np.uint8)
    corners = np.round(to_pixels((oval - centre) * np.float32(shrink) + centre, side)).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,))
    return mask.astype(bool)


def robust_similarity(
    place: NDArray[np.complex128], value: NDArray[np.complex128]
) -> tuple[complex, complex]:
    """Slope and shift of ``value = slope * place + shift``, x + iy, fitted with Cauchy weights."""
    weights = np.ones(len(place))
    slope, shift = 0j, 0j
    for _ in range(ROUNDS):
        share = weights / weights.sum()
        middle, mean = complex(share @ place), complex(share @ value)
        spread = place - middle
        power = (share * np.abs(spread) ** 2).sum() + 1e-12
        slope = complex((share * np.conj(spread)) @ (value - mean) / power)
        shift = mean - slope * middle
        error = np.abs(value - slope * place - shift)
        weights = 1.0 / (1.0 + (error / (1.5 * np.median(error) + 1e-6)) ** 2)
    return slope, shift


def _region_weights(mask: Bools) -> Floats:
    """``(K, P)``: weights of the face's pixels in every region's mean; rows add up to 1."""
    maps = region_maps().at_grid.T.reshape(GRID, GRID, -1)
    large = np.asarray(cv2.resize(maps, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)
    weights = large[mask].T
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
