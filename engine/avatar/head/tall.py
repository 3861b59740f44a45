"""The square in which an avatar moves, where its head is taller than most: a hat, hair that is put up.

Motion fades out towards the square's border.  A fez that reached beyond it stood still at its top while the
rest of it moved: it had a horn.
"""

from __future__ import annotations

import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats

ABOVE, MOST = 0.13, 0.3
"""Room above a head, most of which is where motion fades out; and by how much a square grows at most; sides
of the square."""

ENDS = 0.5
"""Share of a row above the face that is the person's from which on it is the head's."""


def with_tall_head(crop: Square, points: Floats, person: Floats) -> Square:
    """``crop``, or a larger one that reaches above the head, where it cuts the head and the image has more.

    Args:
        crop: the square around a face.
        points: ``(468+, 2)`` the face's landmarks, pixels.
        person: ``(H, W)`` in 0..1 where the person is.
    """
    top = _top_of_head(points, person)
    if crop.y <= top:
        return crop
    more = min(crop.y - top + ABOVE * crop.side, MOST * crop.side)
    return Square(crop.x - more / 2, crop.y - more, crop.side + more)


def _top_of_head(points: Floats, person: Floats) -> int:
    """The row at which what is right above the face ends."""
    height, width = person.shape
    face = points[list(topo.FACE_OVAL)]
    forehead, middle = points[topo.FOREHEAD_TOP], face[:, 0].mean()
    reach = 0.25 * np.ptp(face[:, 0])
    left, right = (int(np.clip(middle + side * reach, 0, width - 1)) for side in (-1, 1))
    start = int(np.clip(forehead[1], 0, height - 1))
    above = person[: start + 1, left : right + 1].mean(axis=1)[::-1] < ENDS
    return start - int(above.argmax()) + 1 if above.any() else 0
