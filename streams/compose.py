"""Laying transparent pictures over a ground."""

from __future__ import annotations

import numpy as np

from engine.types import Image

WHITE = 255


def over_white(rgba: Image) -> Image:
    """Composite ``(H, W, 4) uint8`` over white, the paper that a cut-out portrait is thought on."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha + WHITE * (255 - alpha) + 127
    return (blended // 255).astype(np.uint8)
