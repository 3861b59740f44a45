"""Parity check of the ``paper`` preset: a compiled engine against FP32, on a real face, before it draws.

The driver is the built-in portrait as the built-in recording moves it, drawn by the ``live`` preset on the
CPU: images of a real face in motion, with landmarks that are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.points import given_points
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.runtime import parity
from mien.engine.runtime.base import Runtime
from mien.engine.types import Floats, Image

_HALF = (IMAGE_SIZE - 1) / 2


@dataclass(frozen=True, slots=True)
class Moment:
    """Inputs of the network for one face.

    Attributes:
        image: ``(256, 256, 3) uint8`` RGB.
        points: ``(18, 2) float32``, the given points in pixel indices.
    """

    image: Image
    points: Floats

    @property
    def tensor(self) -> Floats:
        """``(1, 3, 256, 256) float32`` in 0..1."""
        planes = self.image.transpose(2, 0, 1)[None].astype(np.float32)
        return np.ascontiguousarray(planes / np.float32(255))


@dataclass(frozen=True, slots=True)
class PaperLimits:
    """The largest differences that pass.

    Attributes:
        code: of a portrait's code, relative to its largest value.
        key_points_px: of the key points, in pixels of the crop.
        jacobians: of the local frames, relative to their largest value.
        mean_image: in grey levels of 255.
        shift_px: of whole images against each other.
    """

    code: float = 0.02
    key_points_px: float = 0.1
    jacobians: float = 0.05
    mean_image: float = 0.5
    shift_px: float = 0.02


@dataclass(frozen=True, slots=True)
class PaperReport:
    """Measured differences; the attributes are those of :class:`PaperLimits`.

    Attributes:
        failure: what went past its limit, in words; None if all is well.
    """

    frames: int
    code: float
    key_points_px: float
    jacobians: float
    mean_image: float
    shift_px: float
    failure: str | None

    @property
    def part(self) -> str:
        """The part (:func:`mien.engine.paper.parts.paper_parts`) in which to look for a failure."""
        words = self.failure or ""
        return next((part for start, part in _PARTS.items() if words.startswith(start)), "renderer")

    def __str__(self) -> str:
        return (
            f"{self.frames} frames: key points {self.key_points_px:.4f} px at most, "
            f"image {self.mean_image:.3f}/255 on average, shift {self.shift_px:.4f} px"
        )


_WORDS = {
    "code": "the encoder's features are off by {:.1%}",
    "key_points_px": "key points are off by {:.3f} px",
    "jacobians": "key points' frames are off by {:.1%}",
    "mean_image": "images are off by {:.2f}/255 on average",
    "shift_px": "images are shifted by {:.3f} px",
}
_PARTS = {"the encoder": "encoder", "key points": "detector"}


def real_moments(runtime: Runtime, count: int = parity.FRAMES) -> tuple[Moment, list[Moment]]:
    """The built-in portrait, at rest and in ``count`` moments of the built-in recording.

    Args:
        runtime: draws them; of the ``live`` preset.
    """
    drawings = parity.real_drawings(runtime, count, IMAGE_SIZE)
    still = np.rint(255 * drawings[0].code.source[0].transpose(1, 2, 0)).astype(np.uint8)
    portrait = Moment(still, _pixels(drawings[0].source_points))
    moved = [
        Moment(
            compose(d.canvas, runtime.render(d.code, d.source_points, d.driving_points, d.dense), d.warp),
            _pixels(d.driving_points),
        )
        for d in drawings
    ]
    return portrait, moved


def _pixels(points: Floats) -> Floats:
    return np.asarray((given_points(points) + 1) * np.float32(_HALF), np.float32)


def check(
    reference: PaperRuntime,
    candidate: PaperRuntime,
    portrait: Moment,
    moments: Sequence[Moment],
    limits: PaperLimits | None = None,
) -> PaperReport:
    """Compare code, key points and images: each with the same inputs, and all of it from end to end."""
    code, own_code = reference.encode(portrait.image), candidate.encode(portrait.image)
    source, own_source = (r.detect(portrait.tensor, portrait.points) for r in (reference, candidate))
    rows = [(parity.code_difference(code, own_code), *_apart(source, own_source), 0.0, 0.0)]
    for moment in moments:
        keys, own_keys = (r.detect(moment.tensor, moment.points) for r in (reference, candidate))
        wanted = _image(reference.animate(code, source, keys))
        found = (
            _image(candidate.animate(code, source, keys)),
            _image(candidate.animate(own_code, own_source, own_keys)),
        )
        mean = max(np.abs(wanted - image).mean() for image in found)
        shift = max(parity.sub_pixel_shift(_bytes(wanted), _bytes(image)) for image in found)
        rows.append((0.0, *_apart(keys, own_keys), mean, shift))
    finite = bool(np.isfinite(rows).all())
    worst, failure = parity.judge(_WORDS, rows, finite, limits or PaperLimits())
    return PaperReport(frames=len(moments), failure=failure, **worst)


def _apart(keys: Keys, own: Keys) -> tuple[float, float]:
    """How far key points, in pixels, and their frames, relative to the largest entry, differ."""
    points = np.linalg.norm(own.points - keys.points, axis=1).max() * _HALF
    frames = np.abs(own.jacobians - keys.jacobians).max() / max(1.0, np.abs(keys.jacobians).max())
    return float(points), float(frames)


def _image(image: Floats) -> Floats:
    """A copy in 0..255; the runtimes reuse their buffers."""
    return np.multiply(image, 255, dtype=np.float32)


def _bytes(image: Floats) -> Image:
    return np.asarray(np.clip(np.nan_to_num(image) + 0.5, 0, 255), np.uint8)
