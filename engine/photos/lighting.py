"""A photo in the portrait's light: a smooth factor in linear light, measured on skin that both show."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.photos.photo import Photo
from mien.engine.types import Floats, Image
from mien.engine.utils.light import linear, lit
from mien.engine.utils.sampling import sample

AROUND = 0.10
"""Width of the window (face units) in which light is averaged."""

LIMIT = 4.0
"""Times that light may be stronger or weaker; beyond it a photo's light cannot be matched."""

UNLIKE = 0.35
"""Root mean square of what no smooth factor explains, logarithms; beyond it light cannot be matched."""

RIDGE = 0.02
"""Regularisation of the slopes."""


def relit(photo: Photo, portrait: Image, points: Floats, unit: float) -> tuple[Image, float]:
    """The photo's image in the portrait's light.

    Args:
        portrait: ``(H, W, 3) uint8`` RGB.
        points: ``(468+, 2)`` its landmarks, pixels.
        unit: pixels per face unit there.

    Returns:
        ``(H, W, 3) uint8`` RGB, and how far the light could not be matched (see :data:`UNLIKE`).
    """
    skin = _skin()
    ours = _light(portrait, points[skin], unit)
    theirs = _light(photo.image, photo.landmarks[skin, :2], photo.unit)
    logs = np.log(ours / theirs)
    basis = _basis(layout().points[skin])
    weights = np.ones(len(skin))
    found = np.zeros((basis.shape[1], 3))
    for _ in range(4):
        left = basis.T @ (weights[:, None] * basis) + RIDGE * len(skin) * np.diag([0, 1, 1, 2, 2, 2])
        found = np.linalg.solve(left, basis.T @ (weights[:, None] * logs))
        off = np.abs(logs - basis @ found).mean(axis=1)
        weights = 1 / (1 + (off / 0.15) ** 2)
    unlike = float(np.sqrt((weights * off**2).sum() / weights.sum()))
    if np.abs(found[0]).max() > np.log(LIMIT):
        unlike = np.inf
    return _lit(photo, found), unlike


def _lit(photo: Photo, found: np.ndarray) -> Image:
    """The image times the factor, which is interpolated between where the layout's points lie in it."""
    flat = layout().points.astype(np.float64)
    there = np.column_stack([np.ones(N_MESH), photo.landmarks[:N_MESH, :2]])
    # Where a pixel lies in the layout: the factor is smooth, an affine map says it well enough.
    to_flat, *_ = np.linalg.lstsq(there, flat, rcond=None)
    height, width = photo.image.shape[:2]
    side = 24
    x, y = np.meshgrid(np.linspace(0, width, side), np.linspace(0, height, side))
    nodes = np.column_stack([np.ones(x.size), x.ravel(), y.ravel()]) @ to_flat
    low, high = flat.min(axis=0), flat.max(axis=0)
    factor = np.exp(_basis(np.clip(nodes, low, high)) @ found)
    coarse = factor.reshape(side, side, 3).astype(np.float32)
    grown: Any = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return lit(photo.image, grown)


def _light(image: Image, at: Floats, unit: float) -> np.ndarray:
    """``(N, 3)`` mean linear light around places."""
    scale = min(1.0, 6 / (AROUND * unit))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    window = max(1, round(AROUND * unit * scale))
    mean = np.asarray(cv2.blur(linear(np.asarray(small, np.uint8)), (window, window)), np.float32)
    found = sample(mean, np.asarray(at * scale - 0.5, np.float32).reshape(-1, 1, 2))
    return np.asarray(found.reshape(-1, 3), np.float64) + 0.004


def _basis(points: Floats) -> np.ndarray:
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64) - 0.3
    return np.column_stack([np.ones(len(x)), x, y, x * x, x * y, y * y])


def _skin() -> np.ndarray:
    """Landmarks on skin, away from eyes, brows, lips and the face's outline."""
    flat = layout().points
    away = [*topo.LIPS_OUTER, *topo.RIGHT_EYE, *topo.LEFT_EYE, *topo.FACE_OVAL]
    apart = np.linalg.norm(flat[:, None] - flat[None, away], axis=2).min(axis=1)
    return np.flatnonzero(apart > 0.11)
