"""Dense sub-pixel alignment of a stabilised face with its reference frame.

MediaPipe's landmarks locate the face but are too noisy to measure movements of half a pixel.  Here the
image itself is aligned with the reference image, both resampled into the canonical layout, by dense
inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016; OpenCV's
``DISOpticalFlow``).  It is always measured against the one reference (or against a key frame tied to it,
:mod:`mien.engine.tracking.key_frames`), so it cannot drift.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import EXTENT, GRID, grow
from mien.engine.tracking.flow_refinement import LocalGlobal
from mien.engine.types import Floats, Image
from mien.engine.utils.sampling import sample

LIVE_SIDE = 192
"""Side of the layout image in pixels: about the resolution of a face 145 px wide; 2 ms a frame."""

WHOLE_FROM = 1.7
"""Live: a face larger than the layout by this factor is reduced by an integer factor, 30 times as fast."""

FILE_SIDE = 240
"""Side for offline use: 5 ms a frame, and narrow movements lose a fifth less to smoothing."""


def sample_layout(image: Image, positions: Floats, pixels_per_unit: float, side: int) -> NDArray[np.uint8]:
    """Resample a face into the layout.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        positions: ``(GRID * GRID, 2) float32`` image positions of the layout's grid nodes, pixels.
        pixels_per_unit: size of the face in the image; a large face is reduced first, so that
            detail finer than the layout's pixels does not turn into false motion.
        side: side of the result, pixels.

    Returns:
        ``(side, side) uint8`` grey; pixels outside the image repeat its border.
    """
    height, width = image.shape[:2]
    low = np.floor(positions.min(axis=0)).astype(int) - 4
    high = np.ceil(positions.max(axis=0)).astype(int) + 5
    x0, x1 = int(np.clip(low[0], 0, width - 1)), int(np.clip(high[0], 1, width))
    y0, y1 = int(np.clip(low[1], 0, height - 1)), int(np.clip(high[1], 1, height))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    ratio_x = ratio_y = 1.0
    reduction = pixels_per_unit / (side / EXTENT)
    whole = round(reduction) if side <= LIVE_SIDE and reduction > WHOLE_FROM else 1
    if 1 < whole <= min(x1 - x0, y1 - y0):
        x1, y1 = x1 - (x1 - x0) % whole, y1 - (y1 - y0) % whole
    gray = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
    if reduction > 1.4:
        reduction = whole if whole > 1 else reduction
        size = max(1, round((x1 - x0) / reduction)), max(1, round((y1 - y0) / reduction))
        ratio_x, ratio_y = size[0] / (x1 - x0), size[1] / (y1 - y0)
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    local = (positions - np.array([x0, y0], np.float32)) * np.array([ratio_x, ratio_y], np.float32)
    lookup = grow((local - 0.5).astype(np.float32).reshape(GRID, GRID, 2), side)
    return sample(np.asarray(gray, dtype=np.uint8), lookup, cubic=True)


LIVE_SMOOTHNESS, FILE_SMOOTHNESS = 50.0, 60.0
"""Weight of the flow's gradient in the refinement.

Two frames of six faces of 256 px under known smooth fields of 0.5 and 1 px: the live measurement has a gain
of 0.85 at 200 and 0.90 at 50 (correlation 0.92 and 0.91); that of files 0.89 without refinement and 0.91 at
60 (correlation 0.946 and 0.951).
"""

EQUALISED = 2.0, (4, 4)
"""Limit and tiles of the equalisation (CLAHE; Zuiderveld, Graphics Gems IV, 1994) before the search.

On the fields above files see a correlation of 0.963 (worst case 0.90) with it, 0.951 (0.85) without, the live
measurement 0.92 (0.79) and 0.91 (0.76).
"""


class Aligner:
    """Measures the displacement of a face, resampled into the layout, from a reference face.

    The search is followed by one step of :class:`mien.engine.tracking.flow_refinement.LocalGlobal`, which
    returns strength that the search smooths away.  At the live side it also replaces the preset's smoothing
    over the whole image (2 to 3 ms), at half size, the finest level of the search itself.
    """

    def __init__(self, reference: NDArray[np.uint8]) -> None:
        self.side = len(reference)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        live = self.side <= LIVE_SIDE
        self._working = self.side // 2 if live else self.side
        if live:
            self._flow.setFinestScale(0)
            self._flow.setPatchStride(4)
            self._flow.setGradientDescentIterations(6)
            self._flow.setVariationalRefinementIterations(0)
        # Of the local contrasts, bare cheeks and forehead have the least: equalised, they speak, too.
        self._equal = cv2.createCLAHE(*EQUALISED)
        small = self._reduced(reference)
        self._reference = self._equal.apply(small)
        detail = self._detail(small)
        self._fine = LocalGlobal(detail, LIVE_SMOOTHNESS if live else FILE_SMOOTHNESS)
        self._last: tuple[NDArray[np.uint8], tuple[Floats, Floats]] | None = None
        # A difference below camera noise is no evidence; so flat skin is not distrusted for its noise.
        self._contrast = _blocks(np.abs(detail)) + np.float32(5.0 if self._working == self.side else 4.0)

    def align(self, gray: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Measure the displacement of ``gray`` from the reference; of a repeated image only once.

        Args:
            gray: ``(side, side) uint8``.

        Returns:
            ``(GRID, GRID, 2) float32`` displacements in face units, given at reference positions, and
            ``(GRID, GRID) float32`` trust in 0..1: how well the moved image explains the reference.
        """
        if self._last is None or not np.array_equal(self._last[0], gray):
            self._last = gray, self._measured(gray)
        return self._last[1]

    def _measured(self, gray: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        start: Any = None
        small = self._reduced(gray)
        flow = np.asarray(self._flow.calc(self._reference, self._equal.apply(small), start), np.float32)
        detail = self._detail(small)
        flow = self._fine.improved(detail, flow)
        misfit = _blocks(np.abs(self._fine.difference(detail, flow))) / self._contrast
        trust = np.clip((1.15 - misfit) / 0.45, 0.0, 1.0)
        scale = np.float32(EXTENT / self._working)
        coarse = cv2.resize(flow, (GRID, GRID), interpolation=cv2.INTER_AREA) * scale
        even = cv2.blur(trust.astype(np.float32), (3, 3))
        found = np.asarray(coarse, np.float32), np.asarray(even, np.float32)
        for values in found:
            values.setflags(write=False)  # it may be returned again
        return found

    def _reduced(self, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image at the working side."""
        side = self._working
        if side == self.side:
            return gray
        return np.asarray(cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA), np.uint8)

    def _detail(self, small: NDArray[np.uint8]) -> Floats:
        """The reduced image without its low frequencies: a flickering lamp is not motion."""
        values = small.astype(np.float32)
        window = 25 * self._working // self.side | 1
        return np.asarray(values - cv2.blur(values, (window, window)), dtype=np.float32)


def _blocks(values: NDArray[np.float32]) -> Floats:
    """Local mean on the layout's grid."""
    return np.asarray(
        cv2.blur(cv2.resize(values, (GRID, GRID), interpolation=cv2.INTER_AREA), (5, 5)), dtype=np.float32
    )
