"""Random augmentation of a sample, the same for source and driving image unless noted otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE
from mien.engine.landmarks import topology
from mien.engine.types import Floats, Image

TINTS = ((1.0, 0.25, -0.9), (0.6, 0.3, -0.6), (-0.7, 0.0, 0.8))
"""Toned photographs: sepia, a warmer paper, cyanotype."""


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Strength of the augmentation.

    Attributes:
        flip: probability of a mirror image (landmarks change sides).
        zoom: range of the zoom; live crops are a quarter wider than the shared clips', hence the low end.
        shift: largest shift, in units of half the crop.
        colour: strength of gain and gamma changes.
        grey: probability of a grey or toned (sepia, blue) photograph.
        grain: probability of film grain on the portrait, and on nothing that is compared with it.
        blur, compress: probabilities.
        noise: standard deviation of driving landmarks, normalised units (0.004 is half a pixel).
        drop_dense: probability of dropping the dense measurement, leaving the landmarks alone.
        patch_dense: probability that part of the dense measurement is missing.
    """

    flip: float = 0.5
    zoom: tuple[float, float] = (0.78, 1.05)
    shift: float = 0.08
    colour: float = 0.15
    grey: float = 0.0
    grain: float = 0.0
    blur: float = 0.1
    compress: float = 0.15
    noise: float = 0.004
    drop_dense: float = 0.12
    patch_dense: float = 0.12


@dataclass(frozen=True, slots=True)
class Change:
    """One random change: mirror, then ``position * zoom + shift``; colour; blur (sigma) and JPEG quality.

    ``tint`` makes a photograph monochrome: by how much its middle tones differ from grey, RGB, 0 for grey.
    ``grain`` is the standard deviation of film grain, grey levels, and ``grain_seed`` makes it repeatable.
    """

    flip: bool = False
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    tint: tuple[float, float, float] | None = None
    grain: float = 0.0
    grain_seed: int = 0
    blur: float = 0.0
    quality: int = 0

    @staticmethod
    def drawn(config: AugmentConfig, rng: np.random.Generator) -> Change:
        """Draw a random change."""
        c = config.colour
        shift = rng.uniform(-config.shift, config.shift, 2)
        gain = rng.uniform(1 - c, 1 + c) * rng.uniform(1 - c / 3, 1 + c / 3, 3)
        return Change(
            flip=bool(rng.random() < config.flip),
            zoom=float(rng.uniform(*config.zoom)),
            shift=(float(shift[0]), float(shift[1])),
            gain=(float(gain[0]), float(gain[1]), float(gain[2])),
            gamma=float(np.exp(rng.uniform(-c, c))),
            blur=float(rng.uniform(0.4, 1.2)) if rng.random() < config.blur else 0.0,
            quality=int(rng.integers(35, 85)) if rng.random() < config.compress else 0,
            **_photograph(config, rng),
        )

    def image(self, image: Image) -> Image:
        """Apply the change to a ``(256, 256, 3) uint8`` image."""
        if self.flip:
            image = np.ascontiguousarray(image[:, ::-1])
        if self.zoom != 1.0 or self.shift != (0.0, 0.0):
            image = self._moved(image, IMAGE_SIZE)
        image = self._coloured(image)
        if self.blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), self.blur), np.uint8)
        if self.quality:
            coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, self.quality))[1]
            image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        return image

    def portrait(self, image: Image) -> Image:
        """As :meth:`image`, with the grain that the portrait alone has."""
        image = self.image(image)
        if self.grain:
            noise = np.random.default_rng(self.grain_seed).normal(0, self.grain, image.shape[:2])
            image = np.asarray(np.clip(image + noise[..., None] + 0.5, 0, 255), np.uint8)
        return image

    def layer(self, layer: Image) -> Image:
        """Apply the change to a ``(256, 256, 4) uint8`` layer: RGB and opacity, sharp as it is."""
        if self.flip:
            layer = np.ascontiguousarray(layer[:, ::-1])
        layer = self._moved(layer, IMAGE_SIZE)
        colours = np.asarray(self._coloured(np.ascontiguousarray(layer[..., :3])), np.uint8)
        return np.dstack([colours, layer[..., 3]])

    def points(self, points: Floats) -> Floats:
        """Apply the change to landmarks ``(478, 2)`` in model coordinates."""
        if self.flip:
            points = points[topology.FLIP] * np.array([-1, 1], np.float32)
        return np.asarray(points * self.zoom + np.array(self.shift), dtype=np.float32)

    def field(self, field: Floats) -> Floats:
        """Apply the change to a flow (x, y) with its weight, ``(3, 64, 64)``."""
        planes = np.ascontiguousarray(field.transpose(1, 2, 0), dtype=np.float32)
        if self.flip:
            planes = planes[:, ::-1] * np.array([-1, 1, 1], np.float32)
        planes = self._moved(np.ascontiguousarray(planes), FIELD_SIZE)
        planes[..., :2] *= self.zoom
        return np.ascontiguousarray(planes.transpose(2, 0, 1))

    def inside(self) -> Floats:
        """``(64, 64)``: 1 where the changed image shows the original, 0 where its border repeats."""
        axis = np.linspace(-1, 1, FIELD_SIZE)
        seen_x = np.abs((axis - self.shift[0]) / self.zoom) <= 1.0
        seen_y = np.abs((axis - self.shift[1]) / self.zoom) <= 1.0
        return (seen_y[:, None] & seen_x[None, :]).astype(np.float32)

    def _moved(self, planes: np.ndarray, size: int) -> np.ndarray:
        half = (size - 1) / 2
        x, y = ((1 - self.zoom + s) * half for s in self.shift)
        matrix = np.array([[self.zoom, 0, x], [0, self.zoom, y]], np.float32)
        return np.asarray(cv2.warpAffine(planes, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE))

    def _coloured(self, image: Image) -> Image:
        if self.gamma != 1.0 or self.gain != (1.0, 1.0, 1.0):
            image = np.asarray(cv2.LUT(image, self._table()), np.uint8)
        if self.tint is not None:
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
            # A toned print is white where it is white and black where it is black.
            middle = grey * (255 - grey) / np.float32(255)
            toned = grey + middle * np.array(self.tint, np.float32)
            image = np.asarray(np.clip(toned + 0.5, 0, 255), np.uint8)
        return image

    def _table(self) -> np.ndarray:
        ramp = (np.arange(256) / 255.0) ** self.gamma
        levels = np.clip(ramp[:, None] * np.array(self.gain) * 255.0 + 0.5, 0, 255)
        return np.asarray(levels, np.uint8).reshape(1, 256, 3)


def _photograph(config: AugmentConfig, rng: np.random.Generator) -> dict[str, Any]:
    """Tint and grain.  Without them no number is drawn, so that the batches stay the same."""
    found: dict[str, Any] = {}
    if config.grey and rng.random() < config.grey:
        strength = rng.uniform(0.0, 0.35) if rng.random() < 0.5 else 0.0
        found["tint"] = tuple(float(strength * v) for v in TINTS[rng.integers(len(TINTS))])
    if config.grain and rng.random() < config.grain:
        found |= {"grain": float(rng.uniform(2.0, 9.0)), "grain_seed": int(rng.integers(2**31))}
    return found


def worse_tracking(
    points: Floats, dense: Floats, config: AugmentConfig, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Driving landmarks and dense flow as from a tracker under bad conditions."""
    sigma = rng.uniform(0, config.noise)
    points = points + rng.normal(0, sigma, points.shape).astype(np.float32)
    chance = rng.random()
    if chance < config.drop_dense:
        dense = dense * np.array([1, 1, 0], np.float32)[:, None, None]
    elif chance < config.drop_dense + config.patch_dense:
        x, y = np.meshgrid(np.linspace(-1, 1, FIELD_SIZE), np.linspace(-1, 1, FIELD_SIZE))
        cx, cy = rng.uniform(-0.5, 0.5, 2)
        radius = rng.uniform(0.1, 0.4)
        keep = np.clip((np.hypot(x - cx, y - cy) - radius) / 0.15, 0, 1)
        dense = dense.copy()
        dense[2] *= keep.astype(np.float32)
    return points, dense
