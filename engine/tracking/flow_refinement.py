"""Refinement of a dense flow against an image whose derivatives are known in advance.

One Gauss-Newton step of the combined local-global method (Bruhn, Weickert and Schnoerr, "Lucas/Kanade Meets
Horn/Schunck", IJCV 61(3), 2005, section 2): squared differences in a window as in Lucas-Kanade, plus the
flow's squared gradient as in Horn-Schunck.  Windows and gradients are box filters, so a step is one look-up
and a few sums over the image; all that depends on the reference alone is computed once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

WINDOW = 7
"""Side of the window over which differences are summed, pixels."""

REACH = 5
"""Side of the box towards whose mean the flow at each point is drawn, pixels."""

ROUNDS = 5
"""Smoothing iterations, unless told; smoothness spreads about as many times half the box."""

MOST = 25.0
"""Grey levels beyond which a difference (a closing lid, a highlight) has no more weight."""


class LocalGlobal:
    """Refines flows from one reference image.

    Args:
        reference: ``(H, W) float32`` grey levels without low frequencies.
        smoothness: weight of the flow's gradient against squared grey levels; a textured spot has 100 to 1000
            of these.
        rounds: smoothing iterations.
    """

    def __init__(self, reference: Floats, smoothness: float, rounds: int = ROUNDS) -> None:
        height, width = reference.shape
        self._reference, self._rounds = reference, rounds
        self._x = _slope(reference, (1, 0))
        self._y = _slope(reference, (0, 1))
        self._xx, self._xy = _window(self._x * self._x), _window(self._x * self._y)
        self._yy = _window(self._y * self._y)
        smooth = np.float32(smoothness)
        det = (self._xx + smooth) * (self._yy + smooth) - self._xy * self._xy
        self._inverse = ((self._yy + smooth) / det, -self._xy / det, (self._xx + smooth) / det)
        self._spread = tuple(part * smooth for part in self._inverse)
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        self._place = np.stack(np.meshgrid(x, y), axis=2)

    def difference(self, image: Floats, flow: Floats) -> Floats:
        """``image``, moved back by ``flow`` ``(H, W, 2)``, minus the reference: grey levels ``(H, W)``."""
        moved = sample(image, self._place + flow)
        return np.subtract(moved, self._reference, out=moved)

    def improved(self, image: Floats, flow: Floats) -> Floats:
        """Return a flow that explains ``image`` better and is smoother where there is no texture.

        Args:
            image: ``(H, W) float32``, like the reference.
            flow: ``(H, W, 2) float32`` pixels, correct to one or two of them.
        """
        error = self.difference(image, flow)
        np.clip(error, -MOST, MOST, out=error)
        u, v = (np.ascontiguousarray(flow[..., axis]) for axis in range(2))
        right_x = self._xx * u + self._xy * v - _window(error * self._x)
        right_y = self._xy * u + self._yy * v - _window(error * self._y)
        a, b, c = self._inverse
        own_u, own_v = a * right_x + b * right_y, b * right_x + c * right_y
        a, b, c = self._spread
        spare = right_x
        for _ in range(self._rounds):
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
