"""A portrait's person before a background of the user's choice."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.avatar.crop import Square, continued
from mien.engine.avatar.person.background import Background, BackgroundKind, out_of_focus, plain
from mien.engine.avatar.person.matte import Matte, over
from mien.engine.types import Floats, Image

Before = tuple[Image, Floats, Image]
"""The person before a background, their opacity, and the background; all of one size."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """What a canvas is made of when the portrait's own background is not wanted.

    Attributes:
        matte: the person.
        background: what is behind them.
    """

    matte: Matte
    background: Background

    def whole(self) -> Before:
        """The whole portrait, at its own size."""
        if self.background.kind is BackgroundKind.BLUR:
            behind = out_of_focus(self.matte.background)
        else:
            height, width = self.matte.opacity.shape
            behind = plain(self.background, (width, height))
        return self.matte.over(behind), self.matte.opacity, behind

    def cut(self, wide: Square, size: int, margin: int) -> Before:
        """A square of the portrait, ``size`` pixels a side.

        A background of the user's fills what is inside the margin, whatever part of the portrait that is.

        Args:
            wide: the square, the margin included.
            margin: pixels at each side that are not shown themselves.
        """
        colours, opacity = self._person(wide, size)
        if self.background.kind is BackgroundKind.BLUR:
            behind = continued(out_of_focus(self.matte.background), wide, size)
        else:
            inside = plain(self.background, (size - 2 * margin, size - 2 * margin))
            around = cv2.copyMakeBorder(inside, *(margin,) * 4, cv2.BORDER_REFLECT_101)
            behind = np.asarray(around, np.uint8)
        return over(colours, opacity, behind), opacity, behind

    def _person(self, wide: Square, size: int) -> tuple[Image, Floats]:
        """Colours and opacity of the square; beyond the portrait only what firmly goes on there is kept."""
        colours = continued(self.matte.colours, wide, size)
        shades = np.asarray(np.repeat(255 * self.matte.opacity[..., None] + 0.5, 3, axis=2), np.uint8)
        opacity: Floats = continued(shades, wide, size)[..., 0] / np.float32(255)
        height, width = self.matte.opacity.shape
        axis = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(wide.side / size)
        x, y = axis + np.float32(wide.x), axis + np.float32(wide.y)
        beyond = ((x < 0) | (x > width))[None] | ((y < 0) | (y > height))[:, None]
        if not beyond.any():
            return colours, opacity
        firm = np.where(beyond, np.clip(2 * opacity - 1, 0, 1), opacity)
        left = np.divide(firm, opacity, out=np.zeros_like(firm), where=opacity > 0)
        return np.asarray(colours * left[..., None] + 0.5, np.uint8), np.asarray(firm, np.float32)
