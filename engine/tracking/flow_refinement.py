"""A dense flow made finer and smoother at once, against a picture whose derivatives are known beforehand.

One Gauss-Newton step of the combined local-global method (Bruhn, Weickert and Schnoerr, "Lucas/Kanade Meets
Horn/Schunck", IJCV 61(3), 2005, section 2): the squared differences in a window, as Lucas and Kanade have
them, plus the flow's squared slope, as Horn and Schunck have it.  Windows and slopes are box filters, so a
step is one look-up and a few sums over the picture; what depends on the reference alone is computed once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

WINDOW = 7
"""Side of the window in which differences are added up, pixels."""

SMOOTHNESS = 200.0
"""Weight of the flow's slope beside squared grey levels: a textured place has 100 to 1000 of these."""

REACH = 5
"""Side of the box whose mean a place's flow is drawn to, pixels."""

ROUNDS = 5
"""Rounds in which the smoothness spreads; it reaches about as many times half of the box."""

MOST = 25.0
"""Differences beyond this many grey levels (a closing lid, a shine) pull no harder."""


class LocalGlobal:
    """Improves flows from one reference picture.

    Args:
        reference: ``(S, S) float32`` grey levels without their slow shading.
    """

    def __init__(self, reference: Floats) -> None:
        side = len(reference)
        self._reference = reference
        self._x = _slope(reference, (1, 0))
        self._y = _slope(reference, (0, 1))
        self._xx, self._xy = _window(self._x * self._x), _window(self._x * self._y)
        self._yy = _window(self._y * self._y)
        smooth = np.float32(SMOOTHNESS)
        det = (self._xx + smooth) * (self._yy + smooth) - self._xy * self._xy
        self._inverse = ((self._yy + smooth) / det, -self._xy / det, (self._xx + smooth) / det)
        self._spread = tuple(part * smooth for part in self._inverse)
        axis = np.arange(side, dtype=np.float32)
        self._place = np.stack(np.meshgrid(axis, axis), axis=2)

    def difference(self, picture: Floats, flow: Floats) -> Floats:
        """``picture``, moved back by ``flow`` ``(S, S, 2)``, less the reference: grey levels ``(S, S)``."""
        moved = sample(picture, self._place + flow)
        return np.subtract(moved, self._reference, out=moved)

    def improved(self, picture: Floats, flow: Floats) -> Floats:
        """A flow that explains ``picture`` better, and is smoother where nothing is to be seen.

        Args:
            picture: ``(S, S) float32``, as the reference.
            flow: ``(S, S, 2) float32`` pixels, right to one or two of them.
        """
        error = self.difference(picture, flow)
        np.clip(error, -MOST, MOST, out=error)
        u, v = (np.ascontiguousarray(flow[..., axis]) for axis in range(2))
        right_x = self._xx * u + self._xy * v - _window(error * self._x)
        right_y = self._xy * u + self._yy * v - _window(error * self._y)
        a, b, c = self._inverse
        own_u, own_v = a * right_x + b * right_y, b * right_x + c * right_y
        a, b, c = self._spread
        spare = right_x
        for _ in range(ROUNDS):
            near_u, near_v = _near(u), _near(v)
            u = np.multiply(a, near_u)
            u += np.multiply(b, near_v, out=spare)
            u += own_u
            near_u *= b
            near_v *= c
            near_v += near_u
            near_v += own_v
            v = near_v
        return np.asarray(cv2.merge([u, v]), dtype=np.float32)


def _slope(values: Floats, order: tuple[int, int]) -> Floats:
    slope = cv2.Sobel(values, cv2.CV_32F, *order, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(slope, dtype=np.float32)


def _window(values: Floats) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE), np.float32)


def _near(values: Floats) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(values, (REACH, REACH), borderType=cv2.BORDER_REPLICATE), np.float32)
