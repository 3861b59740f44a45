"""Rotated square crops: from landmarks to the next crop, and between crop and image coordinates."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import FaceCrop, Floats, Image

CROP_SCALE = 1.5
"""Side of the landmark network's crop, in units of the face's bounding box."""

NEAR = 0.006
"""As a fraction of a crop's side (1.5 of 256 pixels).  The network's points jitter by 0.2 pixels, and so
does a crop computed from them; in bfloat16 the two would never settle in front of a static image."""

_EYE_RIGHT_OUTER, _EYE_LEFT_OUTER = 33, 263


def crop_of_landmarks(landmarks: Floats) -> FaceCrop:
    """The square around ``landmarks`` (``(478, 3)`` px) in which the next frame is searched."""
    # By columns: numpy's reduction along the rows of a narrow array takes five times as long.
    x, y = landmarks[:, 0], landmarks[:, 1]
    left, right, top, bottom = x.min(), x.max(), y.min(), y.max()
    along = landmarks[_EYE_LEFT_OUTER] - landmarks[_EYE_RIGHT_OUTER]
    return FaceCrop(
        x=float(left + right) / 2,
        y=float(top + bottom) / 2,
        size=float(max(right - left, bottom - top)) * CROP_SCALE,
        angle=math.atan2(float(along[1]), float(along[0])),
    )


def near(one: FaceCrop, other: FaceCrop) -> bool:
    """Whether two crops are interchangeable: no pixel of the second lies further than :data:`NEAR` away."""
    away = math.hypot(one.x - other.x, one.y - other.y)
    turned = abs(math.remainder(one.angle - other.angle, math.tau))
    corner = math.sqrt(0.5) * (abs(one.size - other.size) + turned * other.size)
    return away + corner < NEAR * other.size


def crop_to_image(crop: FaceCrop, side: int) -> NDArray[np.float64]:
    """The ``(2, 3)`` matrix from pixel coordinates of a ``side`` x ``side`` crop to image coordinates."""
    scale = crop.size / side
    cos, sin = math.cos(crop.angle) * scale, math.sin(crop.angle) * scale
    half = side / 2
    return np.array(
        [
            [cos, -sin, crop.x - (cos - sin) * half],
            [sin, cos, crop.y - (sin + cos) * half],
        ]
    )


def cut(image: Image, crop: FaceCrop, out: Image, border: int) -> None:
    """Sample ``crop`` from ``image`` into ``out`` (``(S, S, 3) uint8``), bilinearly.

    As in MediaPipe, array indices serve as coordinates on both sides (no half-pixel shift).

    Args:
        border: OpenCV border mode for pixels outside the image.
    """
    side = out.shape[0]
    cv2.warpAffine(
        image,
        crop_to_image(crop, side),
        (side, side),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    )


def project(points: Floats, crop: FaceCrop, side: int) -> Floats:
    """Map points ``(N, 3)`` from pixels of a ``side`` x ``side`` crop to image pixels (z likewise)."""
    matrix = crop_to_image(crop, side)
    result = np.empty_like(points)
    np.matmul(points[:, :2], matrix[:, :2].T.astype(np.float32), out=result[:, :2])
    result[:, :2] += matrix[:, 2].astype(np.float32)
    np.multiply(points[:, 2], np.float32(crop.size / side), out=result[:, 2])
    return result
