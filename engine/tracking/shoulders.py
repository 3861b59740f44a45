"""The driver's shoulders: how they moved since the reference frame, measured in the image below the chin.

Places of the reference frame that can be found again (Shi and Tomasi's corners, on the person alone) are
followed to each frame by Lucas and Kanade's method in a small grey image of even contrast, and a similarity
is fitted that most of them agree with.  Each frame is compared with the reference, so nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.geometry import FaceGeometry
from mien.engine.landmarks.segmentation import SIDE, segmented
from mien.engine.landmarks.topology import CHIN
from mien.engine.motion.body import CHEST, Body
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp
from mien.engine.utils.vectors import as_complex

WIDE, BELOW, BESIDE = 2.4, 2.1, 0.7
"""Face units beside the chin and below it up to which there are shoulders; and by which they may move."""

ABOVE = 0.1
"""Face units above the chin from which on what is beside the face is looked at: necks, collars, long hair."""

LEAST = 0.2
"""Face units below the chin that a reference must show."""

ACROSS = 144.0
"""Width of the small image, pixels, where the image has as many."""

FINER = 2
"""Times that size at which larger frames are sampled for it."""

EVEN, FAINT = 0.6, 4.0
"""Side of the box, face units, over which contrast is made even; and grey levels that count as none."""

SEEN = 0.5
"""Share of a pixel that is to be the person's."""

CORNERS, QUALITY, APART, AROUND = 40, 0.005, 3, 5
FEWEST = 6
WINDOW, LEVELS, STEPS = (9, 9), 3, 8

UNLIKE = 30.0
"""Mean difference of two windows of even contrast, grey levels, at which a corner counts half."""

AGREE, NEIGHBOURS = 0.08, 0.10
"""Face units within which corners agree with the fit, and with each other before there is one."""

ROUNDS = 3

STIFF = 0.015
"""Weight that holds size and roll, for each corner, face units squared: corners in a row tell little."""

SURE = (0.05, 0.20)
"""Share of the corners that agree up to which a frame tells nothing, and from which on all that it can."""

DOUBT = 2.0
"""Number of corners that the guess from the head's motion counts as much as."""

MOST_SCALE = 0.4


@dataclass(frozen=True, slots=True)
class Shoulders:
    """A reference frame's shoulders, ``P`` corners.

    Attributes:
        gray: ``(h, w) uint8`` the small image of even contrast.
        box: left, top, right and bottom of what it shows of the frame, pixels.
        corners: ``(P, 2) float32`` in it.
        places: ``(P,)`` complex, relative to the chest, face units.
        per_unit: ``(2,)`` pixels of the small image in a face unit, across and down.
    """

    gray: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    corners: Floats
    places: NDArray[np.complex128]
    per_unit: Floats

    @staticmethod
    def of(image: Image, geometry: FaceGeometry) -> Shoulders | None:
        """Of a reference frame (9 ms); None where it shows too little of them.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            geometry: of the face in it.
        """
        unit, chin = geometry.unit, float(geometry.points[CHIN, 1])
        across = 0.5 * float(geometry.centre[0] + geometry.points[CHIN, 0])
        box = _within(
            image,
            (across - (WIDE + BESIDE) * unit, chin - (ABOVE + BESIDE) * unit),
            (across + (WIDE + BESIDE) * unit, chin + (BELOW + BESIDE) * unit),
        )
        left, top, right, bottom = box
        if bottom - chin < LEAST * unit or right - left < unit:
            return None
        scale = min(ACROSS / (right - left), 1.0)
        size = round((right - left) * scale), round((bottom - top) * scale)
        per_pixel = np.array([size[0] / (right - left), size[1] / (bottom - top)], np.float32)
        gray = _even(image, box, size, scale * unit)
        rows = (np.arange(size[1]) + 0.5) / per_pixel[1] + top - chin
        there = _person(image, geometry, box, size) >= SEEN
        there &= ((rows > -ABOVE * unit) & (rows < BELOW * unit))[:, None]
        found: Any = cv2.goodFeaturesToTrack(
            gray, CORNERS, QUALITY, APART, mask=there.astype(np.uint8), blockSize=AROUND
        )
        if found is None or len(found) < FEWEST:
            return None
        corners = np.asarray(found, np.float32).reshape(-1, 2)
        at = ((corners + 0.5) / per_pixel + np.array([left, top]) - 0.5 - geometry.centre) / unit
        return Shoulders(gray, box, corners, at[:, 0] + 1j * (at[:, 1] - CHEST), per_pixel * np.float32(unit))

    def seen(self, image: Image, start: tuple[float, float]) -> Body:
        """Their motion in a frame (0.3 ms).

        Args:
            image: ``(H, W, 3) uint8`` RGB, as large as the reference.
            start: shift that is looked at first, face units.
        """
        height, width = self.gray.shape
        gray = _even(image, self.box, (width, height), float(self.per_unit[0]))
        begin = self.corners + np.asarray(start, np.float32) * self.per_unit
        criteria = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, STEPS, 0.03
        there, found, unlike = cv2.calcOpticalFlowPyrLK(
            self.gray,
            gray,
            self.corners,
            begin,
            winSize=WINDOW,
            maxLevel=LEVELS,
            criteria=criteria,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        good = np.flatnonzero(found)
        if len(good) < FEWEST:
            return Body()
        moved = (there[good] - self.corners[good]) / self.per_unit
        alike = 1 / (1 + np.square(unlike.ravel()[good].astype(np.float64) / UNLIKE) ** 2)
        return _agreed(self.places[good], as_complex(moved), alike, len(self.places))


def _agreed(
    places: NDArray[np.complex128], moved: NDArray[np.complex128], alike: NDArray[np.float64], count: int
) -> Body:
    """The motion that most places agree with, of ``count`` that were looked for.

    Args:
        alike: ``(n,)`` in 0..1, how much what was found looks like what was looked for.
    """
    apart = _square(moved[:, None] - moved, NEIGHBOURS)
    error = apart[int((alike / (1 + apart)).sum(axis=1).argmax())] / 4
    growth = shift = 0j
    for _ in range(ROUNDS):
        error += 1
        weights = alike / (error * error)
        weighted = weights * places
        total, middle, mean = weights.sum(), weighted.sum(), np.dot(weights, moved)
        spread = np.vdot(weighted, places).real - abs(middle) ** 2 / total + STIFF * len(places)
        growth = complex((np.vdot(weighted, moved) - middle.conjugate() * mean / total) / spread)
        shift = complex((mean - growth * middle) / total)
        error = _square(shift + growth * places - moved, AGREE)
    agreeing = float((alike / (1 + error)).sum())
    trust = ramp(agreeing / count, SURE) * agreeing / (agreeing + DOUBT)
    a = 1 + growth
    scale = float(np.clip(abs(a), 1 - MOST_SCALE, 1 + MOST_SCALE))
    return Body((float(shift.real), float(shift.imag)), scale, float(np.angle(a)), trust)


def _square(apart: NDArray[np.complex128], unit: float) -> NDArray[np.float64]:
    found = apart.real * apart.real
    found += apart.imag * apart.imag
    found /= unit * unit
    return found


def _within(image: Image, start: tuple[float, float], end: tuple[float, float]) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    left, top = (max(0, int(value)) for value in start)
    return left, top, min(width, int(end[0])), min(height, int(end[1]))


def _even(
    image: Image, box: tuple[int, int, int, int], size: tuple[int, int], per_unit: float
) -> NDArray[np.uint8]:
    """``(h, w) uint8`` grey image of a box of a frame, whose contrast is alike everywhere."""
    left, top, right, bottom = box
    # Means of all pixels of a large frame took twice as long as everything else.
    finer = FINER if right - left > FINER * size[0] else 1
    small = cv2.resize(image[top:bottom, left:right], (finer * size[0], finer * size[1]))
    fine = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    gray = (cv2.resize(fine, size, interpolation=cv2.INTER_AREA) if finer > 1 else fine).astype(np.float32)
    side = int(EVEN * per_unit) | 1
    gray -= cv2.blur(gray, (side, side))
    square = cv2.blur(gray * gray, (side, side))
    spread = cv2.sqrt(np.maximum(square, 0, out=square))  # running sums end slightly below 0
    spread += np.float32(FAINT)
    even: Any = cv2.divide(gray, spread, scale=40.0)
    even += np.float32(128.0)
    return np.asarray(np.clip(even, 0, 255), np.uint8)


def _person(
    image: Image, geometry: FaceGeometry, box: tuple[int, int, int, int], size: tuple[int, int]
) -> Floats:
    """``(h, w)`` in 0..1: where the person is in a box."""
    centre, unit = geometry.centre, geometry.unit
    reach = np.array([WIDE + BESIDE, 2.2], np.float32) * np.float32(unit)
    left, top, _, _ = _within(image, tuple(centre - reach), tuple(centre))
    _, _, right, bottom = _within(image, (0.0, 0.0), (float(centre[0] + reach[0]), float(box[3])))
    seen = cv2.resize(image[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    found = segmented(np.ascontiguousarray(seen))
    there = cv2.resize(found, (right - left, bottom - top))
    whole = np.zeros(image.shape[:2], np.float32)
    whole[top:bottom, left:right] = there
    left, top, right, bottom = box
    return np.asarray(cv2.resize(whole[top:bottom, left:right], size, interpolation=cv2.INTER_AREA))
