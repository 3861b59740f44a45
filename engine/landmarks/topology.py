"""Names for the 478 landmarks: index groups, left-right mirror, triangles, blendshapes.

*Left* and *right* are always the person's own sides: the right eye is on the left of an unmirrored image.
Rows across the face run from the person's right to their left (from small to large x in an upright
image), rows of one eye or brow from its outer to its inner end.  Rings are closed and do not repeat
their first point.

``FLIP`` and ``TRIANGLES`` are read from the model bundle on first use (which raises MienError if the
bundle is missing or damaged).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.landmarks.bundle import N_MESH, face_geometry
from mien.engine.types import N_LANDMARKS

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Ring around the face, from the middle of the forehead over the left cheek."""

LIPS_UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIPS_LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
LIPS_UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LIPS_LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIPS_OUTER = LIPS_UPPER_OUTER + LIPS_LOWER_OUTER[-2:0:-1]
"""Ring around the lips, from the right corner over the upper lip."""
LIPS_INNER = LIPS_UPPER_INNER + LIPS_LOWER_INNER[-2:0:-1]
"""Ring around the mouth opening, from the right corner over the upper lip."""

MOUTH_RIGHT_CORNER = 61
MOUTH_LEFT_CORNER = 291
MOUTH_CORNERS = (MOUTH_RIGHT_CORNER, MOUTH_LEFT_CORNER)

RIGHT_EYE_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_EYE_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_EYE_UPPER = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_EYE_LOWER = (263, 249, 390, 373, 374, 380, 381, 382, 362)
RIGHT_EYE = RIGHT_EYE_UPPER + RIGHT_EYE_LOWER[-2:0:-1]
"""Ring around the eye, from the outer corner over the upper lid."""
LEFT_EYE = LEFT_EYE_UPPER + LEFT_EYE_LOWER[-2:0:-1]
"""Ring around the eye, from the outer corner over the upper lid."""

RIGHT_EYE_OUTER_CORNER = 33
RIGHT_EYE_INNER_CORNER = 133
LEFT_EYE_OUTER_CORNER = 263
LEFT_EYE_INNER_CORNER = 362

RIGHT_EYEBROW_UPPER = (70, 63, 105, 66, 107)
RIGHT_EYEBROW_LOWER = (46, 53, 52, 65, 55)
LEFT_EYEBROW_UPPER = (300, 293, 334, 296, 336)
LEFT_EYEBROW_LOWER = (276, 283, 282, 295, 285)
RIGHT_EYEBROW = RIGHT_EYEBROW_UPPER + RIGHT_EYEBROW_LOWER
LEFT_EYEBROW = LEFT_EYEBROW_UPPER + LEFT_EYEBROW_LOWER

RIGHT_IRIS = (468, 469, 470, 471, 472)
"""Centre, then the edge points towards larger x, top, smaller x, bottom of an upright image."""
LEFT_IRIS = (473, 474, 475, 476, 477)
"""Centre, then the edge points towards larger x, top, smaller x, bottom of an upright image."""

NOSE_BRIDGE = (168, 6, 197, 195, 5)
"""From between the eyes down to above the tip."""
NOSE_TIP = 4
NOSE_UNDERSIDE = (1, 19, 94, 2)
"""From the tip down to where the nose meets the lip."""
RIGHT_NOSE_WING = (220, 115, 48, 64, 98)
"""From next to the tip, around the nostril, to its base."""
LEFT_NOSE_WING = (440, 344, 278, 294, 327)
"""From next to the tip, around the nostril, to its base."""
NOSE = (*NOSE_BRIDGE, NOSE_TIP, *NOSE_UNDERSIDE, *RIGHT_NOSE_WING, *LEFT_NOSE_WING)

FOREHEAD_TOP = 10
CHIN = 152

BLENDSHAPE_POINTS = np.array(
    sorted(
        {
            *FACE_OVAL,
            *LIPS_OUTER,
            *LIPS_INNER,
            *RIGHT_EYE,
            *LEFT_EYE,
            *RIGHT_EYEBROW,
            *LEFT_EYEBROW,
            *RIGHT_IRIS,
            *LEFT_IRIS,
            *NOSE_BRIDGE,
            NOSE_TIP,
            1,
            8,
        }
    ),
    np.intp,
)
"""``(146,)``: input landmarks of the blendshape network, in its order."""

BLENDSHAPE_NAMES = (
    "_neutral",
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight"),
    *("eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"),
    *("eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight"),
    *("mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""The 52 blendshapes, in the order of :attr:`mien.engine.types.Face.blendshapes`."""

FLIP: NDArray[np.intp]
"""``(478,)``: index of the mirrored landmark; ``mirrored_landmarks[FLIP]`` is in standard order again."""

TRIANGLES: NDArray[np.int32]
"""``(T, 3)``: the canonical mesh's triangles, indices into the first 468 landmarks."""


@lru_cache(maxsize=1)
def _flip() -> NDArray[np.intp]:
    """Pair every mesh point with the point nearest to its mirror image; the irises are paired by hand."""
    mesh = face_geometry().mesh
    mirrored = mesh * np.array([-1, 1, 1], np.float32)
    distance = np.square(mirrored[:, None] - mesh[None]).sum(axis=-1)
    flip = np.arange(N_LANDMARKS)
    flip[:N_MESH] = distance.argmin(axis=1)
    flip[list(RIGHT_IRIS)] = [473, 476, 475, 474, 477]
    flip[list(LEFT_IRIS)] = [468, 471, 470, 469, 472]
    flip.setflags(write=False)
    return flip


def __getattr__(name: str) -> Any:
    if name == "FLIP":
        return _flip()
    if name == "TRIANGLES":
        return face_geometry().triangles
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
