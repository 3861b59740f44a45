"""Images deeper than 8 bits: which value is white in them.

Scientific cameras put 10 or 12 bits into files of 16. Read as 16 bits they are nearly black, and of their
grey levels 16 are left: motion measured on them is off by half. What the files hold is told by their
brightest value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.engine.types import Image

DEPTHS = (8, 10, 12, 14, 16)
PNG, TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\x00", b"MM\x00*")
_PNG_DEPTH, _PNG_KIND, _PNG_COLOUR = 24, 25, (2, 6)
_BITS_PER_SAMPLE = 258


def depth_of(peak: float) -> int:
    """The smallest usual number of bits that holds ``peak``."""
    return next((bits for bits in DEPTHS if peak < 1 << bits), DEPTHS[-1])


def white_of(bits: int) -> float:
    """The value that is white at so many bits."""
    return float((1 << bits) - 1)


def white_in(values: np.ndarray) -> float:
    """The value that is white in an image by itself; floats up to 1 are shares of white."""
    peak = float(np.nan_to_num(values, posinf=0, neginf=0).max(initial=0))
    if values.dtype.kind == "f" and peak <= 1:
        return 1.0
    return white_of(depth_of(peak))


def to_eight(values: np.ndarray, white: float) -> Image:
    """``uint8`` of deeper values, scaled so that ``white`` becomes 255."""
    shares = np.nan_to_num(values.astype(np.float32)) * (255 / white)
    return np.asarray(np.clip(shares + 0.5, 0, 255), np.uint8)


def deep_values(data: bytes, image: Any | None) -> np.ndarray | None:
    """The values of an image with more than 8 bits, or None.

    Args:
        data: the file.
        image: it as Pillow opened it; None where Pillow cannot (TIFF with 16 bits of colour).

    Returns:
        ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA.
    """
    if image is not None and image.mode.startswith(("I", "F")):
        return np.array(image)
    if not _deep_colour(data, image):
        return None
    import cv2

    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if values is None or values.dtype == np.uint8 or values.ndim not in (2, 3):
        return None
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    return np.asarray(values)


def _deep_colour(data: bytes, image: Any | None) -> bool:
    """Whether a file has 16 bits of each colour: Pillow keeps the upper 8 of them, or cannot open it."""
    if data[:4] in TIFF:
        return image is None or max(_tag_numbers(image)) > 8
    return data[:8] == PNG and data[_PNG_DEPTH] == 16 and data[_PNG_KIND] in _PNG_COLOUR


def _tag_numbers(image: Any) -> list[int]:
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    return [value for value in (bits if isinstance(bits, tuple) else (bits,)) if isinstance(value, int)] or [
        8
    ]
