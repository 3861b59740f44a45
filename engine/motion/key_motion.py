"""Motion of a network's own key points since the reference frame, after FOMM's relative motion transfer.

First order motion model (Siarohin et al., NeurIPS 2019): each key point has a position and a local affine
frame.  This module is independent of the network that finds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.types import Floats


@dataclass(frozen=True, slots=True)
class Keys:
    """Key points of one image.

    Attributes:
        points: ``(K, 2) float32`` positions in the crop, -1..1.
        jacobians: ``(K, 2, 2) float32`` local affine frames.
    """

    points: Floats
    jacobians: Floats

    @property
    def size(self) -> float:
        """Square root of the area of the points' convex hull."""
        hull = cv2.convexHull(np.ascontiguousarray(self.points, np.float32))
        return float(np.sqrt(cv2.contourArea(hull)))


@dataclass(frozen=True, slots=True)
class KeyMotion:
    """Change of the key points since the reference frame.

    Attributes:
        shifts: ``(K, 2) float32`` displacements in the driver's crop, whose sides span -1..1.
        affines: ``(K, 2, 2) float32`` change of the local frames (identity when nothing moves).
        size: extent of the driver's face, as :attr:`Keys.size` of the reference frame.
    """

    shifts: Floats
    affines: Floats
    size: float

    @staticmethod
    def between(reference: Keys, now: Keys) -> KeyMotion:
        """The change from ``reference`` to ``now`` (FOMM's relative movement and relative Jacobians)."""
        # The pseudoinverse equals the inverse where there is one; a singular frame must not end a live run.
        affines = now.jacobians @ np.linalg.pinv(reference.jacobians)
        return KeyMotion(now.points - reference.points, affines.astype(np.float32), reference.size)

    def applied(self, source: Keys) -> Keys:
        """Apply this motion to the source's key points, scaled to the size of the source's face."""
        scale = np.float32(source.size / max(self.size, 1e-6))
        return Keys(source.points + self.shifts * scale, self.affines @ source.jacobians)

    def scaled(self, gain: float) -> KeyMotion:
        """Return this motion, ``gain`` times as strong."""
        identity = np.eye(2, dtype=np.float32)
        affines = identity + (self.affines - identity) * np.float32(gain)
        return KeyMotion(self.shifts * np.float32(gain), affines, self.size)


def mixed(one: KeyMotion | None, other: KeyMotion | None, share: float) -> KeyMotion | None:
    """``one`` with ``share`` (0..1) of ``other`` mixed in; None stands for no motion."""
    if one is None or other is None:
        if one is not None:
            return one.scaled(1.0 - share)
        return None if other is None else other.scaled(share)
    rest = np.float32(1.0 - share)
    return KeyMotion(
        rest * one.shifts + np.float32(share) * other.shifts,
        rest * one.affines + np.float32(share) * other.affines,
        one.size,
    )
