"""Conversion of decoded frames to RGB: matrix, range, alpha, pixel aspect, rotation, high dynamic range.

swscale's defaults are fast and wrong by more than one grey level: YUV 4:2:0 to RGB is 1.3 levels too dark
(measured on flat patches).  With accurate rounding and full chroma interpolation the bias is 0.1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import cv2
import numpy as np

from mien.engine.types import Image
from mien.engine.utils.bit_depth import to_eight, white_of
from mien.engine.utils.images import over_white
from mien.streams.video import hdr
from mien.streams.video.ffmpeg import ColorRange, Colorspace, Interpolation, VideoReformatter

ACCURATE = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
STRETCHED = ACCURATE & ~Interpolation.BILINEAR | Interpolation.BICUBIC
UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED, and the same of primaries and transfer
SANE_ASPECT = (Fraction(1, 5), Fraction(5))
"""Pixel aspect ratios outside of these are damage."""

DEEP_FORMATS = frozenset({"gray16le", "gray16be", "rgb48le", "rgb48be", "gbrp16le", "gbrp16be"})
"""Pixel formats of 16 bits without a matrix, as scientific cameras' programs write them."""

MATRICES = frozenset({1, UNSPECIFIED, 4, 5, 6, 7, 9})
"""AVCOL_SPC_* that swscale converts."""
YCGCO = frozenset({8})
DERIVED = frozenset({12, 13})
WIDE_MATRICES = frozenset({10, 11, 14, 15})
"""BT.2020 with constant luminance, SMPTE 2085, ICtCp, IPT-C2: all of wide primaries."""
MATRIX_NAMES = {
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
    15: "ipt-c2",
    16: "ycgco-re",
    17: "ycgco-ro",
}


def is_high_definition(width: int, height: int) -> bool:
    """Whether untagged frames of this size are BT.709 by the players' custom (else BT.601)."""
    return max(width, height) >= 1280 or min(width, height) > 576


def matrix_for(width: int, height: int) -> Colorspace:
    """The YUV matrix that players assume for untagged frames of this size."""
    return Colorspace.ITU709 if is_high_definition(width, height) else Colorspace.ITU601


class RgbConverter:
    """Decoded frames as RGB arrays of one size (that of the first).

    Args:
        aspect: width of a pixel in pixel heights; frames are stretched to square pixels.

    Attributes:
        resized: frames whose size was another than the first one's.
        white: the value that is white in frames of 16 bits.
        notes: what could not be kept, one line each.
    """

    def __init__(self, aspect: Fraction | None = None) -> None:
        self._scaler = VideoReformatter()
        self._aspect = aspect if aspect and SANE_ASPECT[0] < aspect < SANE_ASPECT[1] else Fraction(1)
        self._coded: tuple[int, int] | None = None
        self._size = (0, 0)
        self.resized = 0
        self.white = white_of(16)
        self.notes: list[str] = []

    def convert(self, frame: Any) -> Image:
        """``(H, W, 3) uint8`` RGB of a PyAV ``VideoFrame``, rotated as its display matrix says."""
        coded = (frame.width, frame.height)
        if self._coded is None:
            self._coded, self._size = coded, square_pixels(coded, self._aspect)
        self.resized += coded != self._coded
        return apply_display_matrix(self._rgb(frame, self._size), display_matrix(frame))

    def _rgb(self, frame: Any, size: tuple[int, int]) -> Image:
        name = frame.format.name
        if not frame.format.is_rgb:
            if frame.colorspace in YCGCO:
                return self._ycgco(frame, size)
            self._settle_matrix(frame)
        if self.white < white_of(16) and name in DEEP_FORMATS:
            return self._deep(frame, size)
        transfer = getattr(frame, "color_trc", None)
        if transfer in hdr.NAMES:
            self._note(f"{hdr.NAMES[transfer]} (high dynamic range) was mapped to ordinary colours.")
            wide = frame.color_primaries in (hdr.BT2020, UNSPECIFIED)
            return hdr.tone_mapped(self._converted(frame, size, "rgb48le"), int(transfer), wide=wide)
        has_alpha = _has_alpha(frame)
        array = cast(Image, self._converted(frame, size, "rgba" if has_alpha else "rgb24"))
        if has_alpha:
            return over_white(array)
        # swscale always takes grey as full range; a video codec's grey can be 16..235.
        if name.startswith("gray") and frame.color_range == ColorRange.MPEG:
            return cast(Image, _LIMITED_TO_FULL[array])
        return array

    def _converted(self, frame: Any, size: tuple[int, int], format_name: str) -> np.ndarray:
        untagged = not frame.format.is_rgb and frame.colorspace == UNSPECIFIED
        stretched = size != (frame.width, frame.height)
        converted = self._scaler.reformat(
            frame,
            width=size[0],
            height=size[1],
            format=format_name,
            src_colorspace=matrix_for(frame.width, frame.height) if untagged else None,
            interpolation=STRETCHED if stretched else ACCURATE,
        )
        return np.asarray(converted.to_ndarray())

    def _deep(self, frame: Any, size: tuple[int, int]) -> Image:
        """Values of fewer bits than their frames have."""
        shallow = to_eight(deep_array(frame), self.white)
        if shallow.ndim == 2:
            shallow = np.repeat(shallow[..., None], 3, axis=2)
        if size == (frame.width, frame.height):
            return shallow
        return np.asarray(cv2.resize(shallow, size, interpolation=cv2.INTER_CUBIC), np.uint8)

    def _settle_matrix(self, frame: Any) -> None:
        """Give a frame whose matrix swscale lacks the nearest one that it has."""
        matrix = int(frame.colorspace)
        if matrix in MATRICES:
            return
        nearest = _nearest_matrix(matrix, getattr(frame, "color_primaries", UNSPECIFIED), frame)
        self._note(
            f"the colour matrix {MATRIX_NAMES.get(matrix, matrix)} is not known; the nearest one was used."
        )
        frame.colorspace = nearest

    def _ycgco(self, frame: Any, size: tuple[int, int]) -> Image:
        """YCgCo, which swscale lacks and which is simple: R = Y - Cg + Co, G = Y + Cg, B = Y - Cg - Co."""
        limited = frame.color_range != ColorRange.JPEG
        # Between two kinds of YUV no matrix is applied, whichever this says.
        frame.colorspace = UNSPECIFIED
        planes = self._scaler.reformat(
            frame, width=size[0], height=size[1], format="yuv444p", interpolation=ACCURATE
        ).to_ndarray()
        luma, green, orange = planes.astype(np.float32)
        if limited:
            luma = (luma - 16) * (255 / 219)
        scale = 255 / 224 if limited else 1.0
        green, orange = (green - 128) * scale, (orange - 128) * scale
        rgb = np.stack([luma - green + orange, luma + green, luma - green - orange], axis=-1)
        return np.asarray(np.clip(rgb + 0.5, 0, 255), np.uint8)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def deep_array(frame: Any) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3) uint16`` of a frame in one of :data:`DEEP_FORMATS`."""
    name = "gray16le" if frame.format.name.startswith("gray") else "rgb48le"
    return np.asarray((frame if frame.format.name == name else frame.reformat(format=name)).to_ndarray())


def square_pixels(coded: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """Width and height with square pixels: the shorter direction is stretched, none is reduced."""
    width, height = coded
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def _nearest_matrix(matrix: int, primaries: int, frame: Any) -> int:
    if matrix in WIDE_MATRICES or primaries == hdr.BT2020:
        return int(Colorspace.BT2020)
    if matrix in DERIVED and primaries == 1:
        return int(Colorspace.ITU709)
    return int(matrix_for(frame.width, frame.height))


def _has_alpha(frame: Any) -> bool:
    name: str = frame.format.name
    return name == "pal8" or name.startswith(("yuva", "gbrap", "ya")) or name in _RGB_WITH_ALPHA


_RGB_WITH_ALPHA = frozenset({"rgba", "bgra", "argb", "abgr", "rgba64le", "rgba64be", "bgra64le", "bgra64be"})
_LIMITED_TO_FULL = np.clip((np.arange(256) - 16) * (255 / 219) + 0.5, 0, 255).astype(np.uint8)


def display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """The signs of the frame's 2x2 display transform ``(a, b, c, d)``, or None where there is none.

    FFmpeg stores nine int32 in 16.16 fixed point, row-major; a frame point (x, y) goes to
    (a x + c y, b x + d y).
    """
    try:
        data = frame.side_data["DISPLAYMATRIX"]
    except KeyError:
        return None
    values = np.frombuffer(bytes(data), np.int32)
    a, b, c, d = (int(values[i]) for i in (0, 1, 3, 4))
    return _sign(a), _sign(b), _sign(c), _sign(d)


def _sign(value: int) -> int:
    # Half of 1.0 in 16.16: angles other than quarter turns go to the nearest one.
    return 0 if abs(value) < 1 << 15 else (1 if value > 0 else -1)


def apply_display_matrix(image: Image, matrix: tuple[int, int, int, int] | None) -> Image:
    """Turn and mirror ``(H, W, 3)`` by a quarter-turn display matrix."""
    if matrix is None or matrix == (1, 0, 0, 1):
        return image
    a, b, c, d = matrix
    if a == 0 and d == 0:  # x and y change places
        image = image.transpose(1, 0, 2)
        flip_x, flip_y = c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    if flip_x:
        image = image[:, ::-1]
    if flip_y:
        image = image[::-1]
    return np.ascontiguousarray(image)
