"""A triangle rasterizer with a depth buffer: OpenCV's, made orthographic."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

FAR = 1000.0
"""Distance of the mesh from the camera; ``cv2.triangleRasterize`` knows perspective alone, so points are
moved away from the axis by as much as it will move them back."""

FLAT = 0.01
"""Depth per pixel of depth: only its order counts, and flat triangles are interpolated linearly in the image
(OpenCV interpolates in perspective; so it is exact to 0.004 px)."""


class Rasterizer:
    """Draws triangles into a buffer of its own, that of ``width`` x ``height`` pixels.

    >>> values = Rasterizer(256, 256).draw(positions, depth, colours, triangles)    # doctest: +SKIP
    """

    def __init__(self, width: int, height: int) -> None:
        self._values = np.empty(0, np.float32)
        self.resize(width, height)
        # OpenCV's stubs do not know this part yet.
        module: Any = cv2
        self._settings = module.TriangleRasterizeSettings()
        self._settings.setCullingMode(module.RASTERIZE_CULLING_NONE)
        self._settings.setShadingType(module.RASTERIZE_SHADING_SHADED)
        self._draw = module.triangleRasterize
        self._camera = np.eye(4, dtype=np.float32)

    def resize(self, width: int, height: int) -> None:
        """Draw into a buffer of this size from now on; memory that was enough before is used again."""
        pixels = width * height
        if len(self._values) < 4 * pixels:
            self._values = np.empty(4 * pixels, np.float32)
        self._out = self._values[: 3 * pixels].reshape(height, width, 3)
        self._depth = self._values[3 * pixels : 4 * pixels].reshape(height, width)
        self._view = float(2 * np.arctan(height / 2 / FAR))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the buffer."""
        return self._out.shape[1], self._out.shape[0]

    def draw(self, positions: Floats, depth: Floats, colours: Floats, triangles: NDArray[np.int32]) -> Floats:
        """Values of the nearest triangle at each pixel.

        Args:
            positions: ``(V, 2) float32`` pixel indices (0 is the first pixel's centre); may lie outside.
            depth: ``(V,) float32`` pixels; smaller is nearer.
            colours: ``(V, 3) float32`` any values, interpolated linearly over each triangle.
            triangles: ``(T, 3) int32``.

        Returns:
            ``(height, width, 3) float32``, 0 where nothing is: the buffer, valid until the next call.
        """
        width, height = self.size
        away = FAR + FLAT * depth
        vertices = np.empty((len(positions), 3), np.float32)
        vertices[:, 0] = (positions[:, 0] + (0.5 - width / 2)) * away / FAR
        vertices[:, 1] = ((height / 2 - 0.5) - positions[:, 1]) * away / FAR
        vertices[:, 2] = -away
        self._out.fill(0.0)
        self._depth.fill(2 * FAR)
        self._draw(
            vertices.reshape(-1, 1, 3),
            triangles.reshape(-1, 1, 3),
            np.ascontiguousarray(colours, np.float32).reshape(-1, 1, 3),
            self._out,
            self._depth,
            self._camera,
            self._view,
            1.0,
            2 * FAR,
            self._settings,
        )
        return self._out
