"""The person of a portrait as a layer before a background, without loss."""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.types import Floats, Image

GLOW = 20.0
"""Grey levels by which the layer may be lighter than its opacity has it.  So grain stays on a white wall, but
what an outline missed of a white thing is no glowing line along the jaw that passes before it."""


def person_layer(still: Image, opacity: Floats, background: Image) -> Image:
    """The person's layer that gives ``still`` over this background, to the grey level.

    Where the person is half transparent, opacity is as high as it has to be for its colours to be colours,
    neither below black nor far beyond white.

    Args:
        still: ``(H, W, 3) uint8`` RGB, the portrait.
        opacity: ``(H, W)`` in 0..1 the person's.
        background: ``(H, W, 3) uint8`` RGB, what is behind them.

    Returns:
        ``(H, W, 4) uint8`` colours times opacity, then opacity.
    """
    share = np.where(background > 0, still / np.maximum(background, 1).astype(np.float32), 1)
    least = np.maximum(1 - share.min(axis=2), _glow(still, background))
    alpha = np.asarray(np.ceil(255 * np.clip(np.maximum(opacity, least), 0, 1)), np.uint8)
    colours = cv2.subtract(still, showing(background, alpha))
    return np.dstack([colours, alpha])


def _glow(still: Image, background: Image) -> Floats:
    """``(H, W)`` opacity from which on what is lighter than its background is no colour beyond white."""
    lighter = still.astype(np.float32) - background
    return np.asarray(((lighter - GLOW) / (256 - background.astype(np.float32))).max(axis=2), np.float32)


def showing(background: Image, alpha: Image) -> Image:
    """What is seen of a background behind something of this opacity."""
    through = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(background, through, scale=1 / 255), np.uint8)
