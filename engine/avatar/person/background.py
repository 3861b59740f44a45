"""What is shown behind the person of a portrait."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from mien.engine.types import Image

BLUR = 0.03
"""Standard deviation of a blurred background, in longer sides of the portrait."""


class BackgroundKind(Enum):
    """Kinds of background.

    Attributes:
        KEEP: the portrait's own.
        BLUR: the portrait's own, out of focus, without the person in it.
        COLOUR: one colour (green for a chroma key).
        IMAGE: another image, filling the result.
        NONE: nothing: results carry opacity.
    """

    KEEP = "keep"
    BLUR = "blur"
    COLOUR = "colour"
    IMAGE = "image"
    NONE = "transparent"


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What is shown behind the person.

    Attributes:
        kind: which of the kinds it is.
        colour: red, green and blue in 0..255, of :attr:`BackgroundKind.COLOUR`.
        image: ``(H, W, 3) uint8`` RGB of any size, of :attr:`BackgroundKind.IMAGE`.
    """

    kind: BackgroundKind = BackgroundKind.KEEP
    colour: tuple[int, int, int] = (0, 0, 0)
    image: Image | None = None

    @property
    def kept(self) -> bool:
        """Whether the portrait stays as it is."""
        return self.kind is BackgroundKind.KEEP

    @property
    def transparent(self) -> bool:
        """Whether results carry opacity."""
        return self.kind is BackgroundKind.NONE


KEEP = Background()


def plain(background: Background, size: tuple[int, int]) -> Image:
    """A background that is not the portrait's, ``(height, width, 3)``; black where there is none."""
    width, height = size
    if background.image is not None:
        return filling(background.image, size)
    return np.full((height, width, 3), background.colour, np.uint8)


def filling(image: Image, size: tuple[int, int]) -> Image:
    """``image`` scaled and cut at two sides, so that it fills ``size`` (width, height)."""
    width, height = size
    scale = max(width / image.shape[1], height / image.shape[0])
    inner = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(image, inner, interpolation=how)
    left, top = (inner[0] - width) // 2, (inner[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width], np.uint8)


def out_of_focus(image: Image) -> Image:
    """``image`` blurred, as a background far behind."""
    deviation = BLUR * max(image.shape[:2])
    # A quarter of the size: the blur takes the rest away, and at 1024 x 1024 it is 4 ms, not 200.
    step = max(1, min(4, int(deviation // 2)))
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), deviation / step, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
