"""Dense sub-pixel alignment of a stabilised face with its reference frame.

MediaPipe's landmarks locate the face but are too noisy to measure movements of half a pixel.  Here the
image itself is aligned with the reference image, both resampled into the canonical layout, by dense
inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016; OpenCV's
``DISOpticalFlow``).  It is always measured against the one reference (or against a key frame tied to it,
:mod:`mien.engine.tracking.key_frames`), so it cannot drift.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import EXTENT, GRID, grow
from mien.engine.tracking.flow_refinement import LocalGlobal
from mien.engine.types import Floats, Image
from mien.engine.utils.sampling import sample

LIVE_SIDE = 120
"""Side of the layout image in pixels: 2 ms a frame.

On ten subtle passages the measured field correlates with the driver's motion by 0.889 (files 0.907); at 96 px
with patches 4 px apart, which takes a tenth of a millisecond less, by 0.872, at 144 px with the same, which
takes 1.5 ms more, by another 0.005 on four of them."""

SOFTNESS = 0.36
"""Live: standard deviation of the filter before the sampling, in the layout's pixels.

Twelve faces under known smooth fields of 0.5 and 1 px of 256: correlations of 0.894 and 0.922, gains of 0.97
and 0.93, with noise of 2 grey levels 0.880 and 0.918, 0.95 and 0.92; sampled at 192 px and reduced, which
takes 0.9 ms more, they are 0.890 and 0.922, 0.98 and 0.93, 0.878 and 0.922, 0.98 and 0.94."""

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
    x0, x1 = _span(positions[:, 0], width)
    y0, y1 = _span(positions[:, 1], height)
    gray = np.asarray(cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY), np.uint8)
    reduction = pixels_per_unit / (side / EXTENT)
    small, ratio = _softened(gray, reduction) if side <= LIVE_SIDE else _reduced(gray, reduction)
    local = (positions - np.array([x0, y0], np.float32)) * np.array(ratio, np.float32)
    return sample(small, grow((local - np.float32(0.5)).reshape(GRID, GRID, 2), side), cubic=True)


def _span(positions: Floats, end: int) -> tuple[int, int]:
    """First index and the one after the last of the pixels that positions on an axis need; one at least."""
    first = min(max(math.floor(positions.min()) - 4, 0), end - 1)
    last = min(max(math.ceil(positions.max()) + 5, 1), end)
    return first, max(last, first + 1)


_Scaled = tuple[NDArray[np.uint8], tuple[float, float]]
"""An image and its scales along x and y."""


def _reduced(gray: NDArray[np.uint8], reduction: float) -> _Scaled:
    """A large face at the layout's resolution."""
    if reduction <= 1.4:
        return gray, (1.0, 1.0)
    height, width = gray.shape
    size = max(1, round(width / reduction)), max(1, round(height / reduction))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), (size[0] / width, size[1] / height)


def _softened(gray: NDArray[np.uint8], reduction: float) -> _Scaled:
    """A large face without detail finer than the layout's pixels, at twice their resolution at least.

    Reduced to just their resolution, it would be seen worse: with noise of 2 grey levels, the correlation
    with fields of half a pixel is 0.857 in place of 0.880.
    """
    whole = max(1, int(min(reduction / 2, *gray.shape)))
    scale = 1 / whole, 1 / whole
    if whole > 1:  # by an integer, 30 times as fast
        height, width = (side - side % whole for side in gray.shape)
        size = width // whole, height // whole
        gray = np.asarray(cv2.resize(gray[:height, :width], size, interpolation=cv2.INTER_AREA), np.uint8)
        reduction /= whole
    if reduction > 1.0:
        gray = np.asarray(cv2.GaussianBlur(gray, (0, 0), SOFTNESS * reduction), np.uint8)
    return gray, scale


LIVE_REFINEMENT, FILE_REFINEMENT = (120.0, 3), (60.0, 5)
"""Weight of the flow's gradient in the refinement, and its rounds.

Two frames of six faces of 256 px under known smooth fields of 0.5 and 1 px: files have a gain of 0.89 without
refinement and 0.91 at 60 (correlation 0.946 and 0.951).  The live measurement of ten subtle passages
correlates with the driver's motion by 0.003 more at 120 in three rounds than at 40 in five, with a gain of
0.90 for 0.92.
"""

EQUALISED = 2.0, (4, 4)
"""Limit and tiles of the equalisation (CLAHE; Zuiderveld, Graphics Gems IV, 1994) before the search.

On the fields above files see a correlation of 0.963 (worst case 0.90) with it, 0.951 (0.85) without, the live
measurement 0.92 (0.79) and 0.91 (0.76).
"""

LIVE_NARROW, FILE_NARROW, NEAR = 0.3, 0.4, 15
"""Shares of a displacement's difference from the mean around it that are given back, and side of that mean's
box, nodes.

What the search smooths away is narrow: without it, files see known fields of half a pixel of 256 with gains
of 0.78, 0.95 and 1.01 where these are smooth over 10, 20 and 40 px.  Four faces with noise of 1 grey level:
0.90, 0.98 and 1.02 at 0.2, 0.96, 1.00 and 1.02 at 0.4; live 0.86, 1.00 and 1.05 at 0.2, 0.89, 1.01 and 1.06
at 0.3."""

NOISE = 0.0035
"""Length of such a difference of which half counts as noise, face units.

Without it, noisy and compressed pushes of half a pixel are seen with errors a fifteenth larger; with it, a
fiftieth, and those of two pixels with smaller ones."""

LARGE = 0.015
"""Length of such a difference from which on less than half is given back, face units: in large motion it
may as well be an error."""


BESIDE, ABOVE = 4, 2
"""Live: nodes at the layout's left and right, and at its top and bottom, that take the field of those next to
them: no face is there.

A fifth of the alignment's time.  On six subtle passages, drawn on other faces and on their own first frames,
correlations are 0 to 0.003 higher without those at the sides.  Two more on each side are too many: known
fields are seen with a correlation of 0.926 in place of 0.946."""


class Aligner:
    """Measures the displacement of a face, resampled into the layout, from a reference face.

    The search is followed by one step of :class:`mien.engine.tracking.flow_refinement.LocalGlobal`, which
    returns strength that the search smooths away.  At the live side it also replaces the preset's smoothing
    over the whole image (2 to 3 ms), and the search goes down to the finest level.
    """

    def __init__(self, reference: NDArray[np.uint8]) -> None:
        self.side = len(reference)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        live = self.side <= LIVE_SIDE
        self._window = 13 if live else 25
        self._narrow = LIVE_NARROW if live else FILE_NARROW
        if live:
            self._flow.setFinestScale(0)
            # Patches of 8 px.  A stride of 6 takes 0.2 ms less and loses 0.004 of correlation.
            self._flow.setPatchStride(5)
            self._flow.setGradientDescentIterations(6)
            self._flow.setVariationalRefinementIterations(0)
        # Of the local contrasts, bare cheeks and forehead have the least: equalised, they speak, too.
        self._equal = cv2.createCLAHE(*EQUALISED)
        self._unseen = above, beside = (ABOVE, BESIDE) if live else (0, 0)
        self._nodes = GRID - 2 * beside, GRID - 2 * above
        self._reference = self._part(self._equal.apply(reference))
        detail = self._detail(self._part(reference))
        self._fine = LocalGlobal(detail, *(LIVE_REFINEMENT if live else FILE_REFINEMENT))
        self._last: tuple[NDArray[np.uint8], tuple[Floats, Floats]] | None = None
        # A difference below camera noise is no evidence; so flat skin is not distrusted for its noise.
        self._contrast = _blocks(np.abs(detail), self._nodes) + np.float32(4.0 if live else 5.0)

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
        equal = self._part(self._equal.apply(gray))
        flow = np.asarray(self._flow.calc(self._reference, equal, start), np.float32)
        detail = self._detail(self._part(gray))
        flow = self._fine.improved(detail, flow)
        misfit = _blocks(np.abs(self._fine.difference(detail, flow)), self._nodes) / self._contrast
        trust = np.clip((1.15 - misfit) / 0.45, 0.0, 1.0)
        scale = np.float32(EXTENT / self.side)
        coarse = cv2.resize(flow, self._nodes, interpolation=cv2.INTER_AREA) * scale
        coarse = _sharpened(np.asarray(coarse, np.float32), self._narrow)
        even = cv2.blur(trust.astype(np.float32), (3, 3))
        found = self._whole(coarse), self._whole(even)
        for values in found:
            values.setflags(write=False)  # it may be returned again
        return found

    def _part(self, gray: NDArray[np.uint8] | Any) -> NDArray[np.uint8]:
        """The rows and columns of a layout image that are measured."""
        y, x = (nodes * self.side // GRID for nodes in self._unseen)
        return np.ascontiguousarray(gray[y : self.side - y, x : self.side - x])

    def _whole(self, field: Any) -> Floats:
        """A field of the measured nodes on all of the grid."""
        y, x = self._unseen
        return np.asarray(cv2.copyMakeBorder(field, y, y, x, x, cv2.BORDER_REPLICATE), np.float32)

    def _detail(self, gray: NDArray[np.uint8]) -> Floats:
        """The image without its low frequencies: a flickering lamp is not motion."""
        values = gray.astype(np.float32)
        return np.asarray(values - cv2.blur(values, (self._window, self._window)), dtype=np.float32)


def _sharpened(field: Floats, most: float) -> Floats:
    """A ``(H, W, 2)`` field with ``most`` more of what is narrow, small, and stands out of the noise."""
    narrow = field - cv2.blur(field, (NEAR, NEAR))
    power = cv2.blur(np.einsum("ijk,ijk->ij", narrow, narrow), (5, 5))
    share = np.float32(most) * power / (power + np.float32(NOISE**2)) / (1 + power / np.float32(LARGE**2))
    return np.asarray(field + share[..., None] * narrow, np.float32)


def _blocks(values: NDArray[np.float32], nodes: tuple[int, int]) -> Floats:
    """Local mean on so many nodes, columns and rows, of the layout's grid."""
    return np.asarray(
        cv2.blur(cv2.resize(values, nodes, interpolation=cv2.INTER_AREA), (5, 5)), dtype=np.float32
    )
