"""Where the person is in a portrait (:mod:`mien.engine.landmarks.segmentation`)."""

from __future__ import annotations

import numpy as np

from mien.engine.avatar.crop import Square, cut
from mien.engine.landmarks.segmentation import SIDE, segmented
from mien.engine.types import Floats, Image
from mien.engine.utils.sampling import stretch

ROOM = 1.3
"""Side of the square that is looked at, in sides of the avatar's crop, where the image has as much."""


def looked_at(crop: Square, size: tuple[int, int], room: float = ROOM) -> Square:
    """The square around a crop that is looked at, within an image of this height and width if it has room.

    Beyond an image there is nothing to see: of 81 portraits, most of them close-ups, of which the network
    knew nothing where they filled half of the square, it knows 40 where they fill it.
    """
    side = min(room * crop.side, float(max(size)))
    start = []
    for begin, length in ((crop.x, size[1]), (crop.y, size[0])):
        at = begin + 0.5 * (crop.side - side)
        start.append(0.5 * (length - side) if side > length else min(max(at, 0.0), length - side))
    return Square(start[0], start[1], side)


def person_in(image: Image, crop: Square, room: float = ROOM) -> Floats:
    """``(H, W) float32`` in 0..1: where the person is, as sharp as the model's 256 x 256 pixels are.

    The square around the avatar's crop is looked at; beyond it nothing is the person.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        crop: the avatar's.
        room: side of the square, in sides of the crop, as far as the image has it.
    """
    square = looked_at(crop, image.shape[:2], room)
    found = segmented(cut(image, square, SIDE))
    height, width = image.shape[:2]
    scale = SIDE / square.side
    to_found = [[scale, 0, (0.5 - square.x) * scale - 0.5], [0, scale, (0.5 - square.y) * scale - 0.5]]
    grown = stretch(found, (width, height), np.array(to_found, np.float32))
    return np.clip(grown, 0.0, 1.0)
