"""Drivers with known motion: a photo of a face, warped, made noisy, and compressed as by a camera.

Displacements are in pixels of the photo, ``(x right, y down)``, at the points' positions in the photo.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.types import Face, Floats, Image

Field = Callable[[Floats], Floats]
"""Positions ``(N, 2)`` to displacements ``(N, 2)``."""

SETTLED = 0.003
"""Step below which an inverse counts as found, pixels: a tenth of what the warp is right to."""


@dataclass(frozen=True)
class Push:
    """A soft local push: ``(dx, dy)`` at ``centre``, falling off with a Gaussian of ``width`` pixels."""

    centre: tuple[float, float]
    shift: tuple[float, float]
    width: float

    def __call__(self, at: Floats) -> Floats:
        square = np.square(at - np.array(self.centre)).sum(axis=1)
        return np.exp(-square / (2 * self.width**2))[:, None] * np.array(self.shift)


def added(*fields: Field, gain: float = 1.0) -> Field:
    """The sum of several fields, times ``gain``."""
    return lambda at: gain * sum((field(at) for field in fields), np.zeros_like(at, dtype=np.float64))


def similarity(centre: tuple[float, float], shift: tuple[float, float], scale: float, roll: float) -> Field:
    """A head motion: scale and roll (radians) about ``centre``, then a shift."""
    c, s = scale * np.cos(roll), scale * np.sin(roll)
    matrix = np.array([[c, -s], [s, c]]) - np.eye(2)
    return lambda at: (at - np.array(centre)) @ matrix.T + np.array(shift)


def warped(image: Image, field: Field, oversample: int = 3) -> Image:
    """The photo with every point moved by the field.

    Warped at ``oversample`` times the resolution with a cubic kernel and reduced by area, so that the
    warp itself is right to a few hundredths of a pixel.
    """
    height, width = image.shape[:2]
    big = cv2.resize(image, None, fx=oversample, fy=oversample, interpolation=cv2.INTER_CUBIC)
    # The fields are smooth: known every 3 pixels, they are known everywhere.  So is the inverse, where there
    # is one: found there first, it needs one more step at every pixel.
    nodes = np.meshgrid(np.arange(-3, width + 4, 3) + 0.5, np.arange(-3, height + 4, 3) + 0.5)
    places = np.stack(nodes, axis=2).astype(np.float32)
    known = field(places.reshape(-1, 2).astype(np.float64)).reshape(places.shape).astype(np.float32)
    inverse, step = _inverse(known, places, np.zeros_like(known))
    x, y = np.meshgrid(np.arange(big.shape[1]), np.arange(big.shape[0]))
    target = ((np.stack([x, y], axis=2) + 0.5) / oversample).astype(np.float32)
    start = _between(inverse, target) if step < SETTLED else np.zeros_like(target)
    source = target - _inverse(known, target, start)[0]
    lookup = source * np.float32(oversample) - np.float32(0.5)
    moved = cv2.remap(big, lookup, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(moved, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _inverse(known: Floats, places: Floats, start: Floats) -> tuple[Floats, float]:
    """Displacement of what arrives at ``places``, in up to six steps, and the last step's length, pixels."""
    found, step = start, np.inf
    for _ in range(6):
        before, found = found, _between(known, places - found)
        step = float(np.abs(found - before).max())
        if step < SETTLED:
            break
    return found, step


def _between(known: Floats, places: Floats) -> Floats:
    """A field that is known at the nodes, at other places of the photo."""
    at = ((places - 0.5 + 3) / 3).astype(np.float32)
    return np.asarray(cv2.remap(known, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def noisy(image: Image, sigma: float, seed: int) -> Image:
    """The image with Gaussian camera noise of ``sigma`` grey levels."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def compressed(frames: Sequence[Image], crf: int = 23, fps: int = 30) -> list[Image]:
    """The frames after H.264 compression (libx264, yuv420p)."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": str(crf)})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def turned(face: Face, pitch: float, yaw: float) -> Field:
    """The field of a head that turns by small angles in radians, by the face's own depth.

    Depth between the landmarks is a smooth interpolation; around the face it fades to the neck's.
    """
    from scipy.interpolate import RBFInterpolator

    from mien.engine.face.head_pose import turn_matrix

    mesh = face.landmarks[:468].astype(np.float64)
    centre = mesh.mean(axis=0)
    depth = RBFInterpolator(mesh[:, :2], mesh[:, 2] - centre[2], neighbors=40, smoothing=2.0)
    reach = np.ptp(mesh[:, 0])
    change = turn_matrix((pitch, yaw)) - np.eye(3)

    def field(at: Floats) -> Floats:
        flat = at - centre[:2]
        fade = np.clip(1.6 - np.hypot(flat[:, 0] / reach, flat[:, 1] / (1.2 * reach)) / 0.55, 0.0, 1.0)
        solid = np.column_stack([flat, depth(at)])
        return (solid @ change.T)[:, :2] * (fade * fade * (3 - 2 * fade))[:, None]

    return field


def opened_mouth(face: Face, gap: float) -> Field:
    """The field of a jaw that drops by ``gap`` pixels: lower lip and chin move down, the upper lip stays."""
    points = face.landmarks
    corner_y = 0.5 * (points[78, 1] + points[308, 1])
    half = 0.5 * abs(points[308, 0] - points[78, 0])
    middle = 0.5 * (points[78, 0] + points[308, 0])
    chin_y = points[152, 1]

    def field(at: Floats) -> Floats:
        across = np.clip(1.0 - ((at[:, 0] - middle) / (2.2 * half)) ** 2, 0.0, 1.0)
        below = np.clip((at[:, 1] - corner_y) / (0.35 * (chin_y - corner_y)), 0.0, 1.0)
        fade = np.clip(1.0 - (at[:, 1] - chin_y) / (0.8 * (chin_y - corner_y)), 0.0, 1.0)
        down = gap * across * below * below * (3 - 2 * below) * fade
        return np.column_stack([np.zeros(len(at)), down])

    return field
