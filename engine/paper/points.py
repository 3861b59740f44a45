"""The paper's 18 points, from MediaPipe's 478 landmarks.

The paper takes twelve of dlib's 68 points (0-based: 19 24 27 38 41 43 46 48 54 55 57 59) and six on the
cheeks: 31 moved left, 35 right, 41 and 46 down, 48 left, 54 right, by half of the distance between the
inner eye corners (``x42 - x39``), along the image's axes.

:data:`DLIB` says which landmarks stand for which of dlib's points.  It was chosen on 67 portraits: the
landmark, or the middle of two, that lies nearest to dlib's own point (its public 68-point predictor); the
median distance is 0.01 to 0.03 of the distance between the outer eye corners.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

DLIB: dict[int, tuple[int, ...]] = {
    19: (105, 66),  # right brow, its middle
    24: (334, 296),  # left brow, its middle
    27: (168,),  # root of the nose
    31: (240, 75),  # right nostril, outside
    35: (460, 305),  # left nostril, outside
    38: (158,),  # right eye, upper lid, inner
    39: (155,),  # right eye, inner corner
    41: (144,),  # right eye, lower lid, outer
    42: (382,),  # left eye, inner corner
    43: (385,),  # left eye, upper lid, inner
    46: (373,),  # left eye, lower lid, outer
    48: (61,),  # right corner of the mouth
    54: (291,),  # left corner of the mouth
    55: (405, 321),  # lower lip, left
    57: (17,),  # lower lip, middle
    59: (181, 91),  # lower lip, right
}
"""dlib's point -> the landmarks whose mean stands for it."""

POINTS = (19, 24, 27, 38, 41, 43, 46, 48, 54, 55, 57, 59)
CHEEKS = ((31, (-1, 0)), (35, (1, 0)), (41, (0, 1)), (46, (0, 1)), (48, (-1, 0)), (54, (1, 0)))
"""A cheek point's base and the direction (x, y) in which it is moved away from it."""

N_POINTS = len(POINTS) + len(CHEEKS)

FLIP: NDArray[np.intp] = np.array([1, 0, 2, 5, 6, 3, 4, 8, 7, 11, 10, 9, 13, 12, 15, 14, 17, 16])
"""``(18,)``: the point on the other side of the face; ``mirrored_points[FLIP]`` are in order again."""


def given_points(landmarks: Floats) -> Floats:
    """The 18 points of a face.

    Args:
        landmarks: ``(..., 478, 2)`` in any coordinates whose axes are the image's and whose units are
            alike.

    Returns:
        ``(..., 18, 2) float32`` in the same coordinates.
    """

    def at(number: int) -> Floats:
        return cast(Floats, landmarks[..., list(DLIB[number]), :].mean(axis=-2))

    reach = (at(42)[..., :1] - at(39)[..., :1]) / 2
    found = [at(number) for number in POINTS]
    for base, direction in CHEEKS:
        found.append(at(base) + np.asarray(reach * np.array(direction, np.float32), np.float32))
    return np.stack(found, axis=-2).astype(np.float32)
