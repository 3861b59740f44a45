"""The data types shared by ``streams`` and ``engine``, and the error types of all of Mien.

Images are ``(H, W, 3) uint8 RGB`` arrays.  Image coordinates have their origin in the top left
corner of the top left pixel, x to the right, y down, in pixels (MediaPipe's convention: the centre
of the first pixel is at 0.5).

Errors that a user can fix::

    MienError
     +- NoFaceError    no face where one is needed, or one that cannot be measured
     +- SourceError    input: a file, folder, camera or stream
     +- SinkError      output: a file, folder, virtual camera or connection
     +- ModelError     computation: weights, exported networks, engines, a device, a missing library
     +- UsageError     request: options, values, configurations, names

Any other exception is a bug in Mien.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
Bools: TypeAlias = NDArray[np.bool_]

N_LANDMARKS = 478
N_BLENDSHAPES = 52


class MienError(Exception):
    """An error that the user can fix: cause and remedy in one line.

    The command line prints it without a traceback and exits with status 2.
    """


class NoFaceError(MienError):
    """An image or clip shows no face, or none that can be measured."""


class SourceError(MienError):
    """A file, folder, camera or stream cannot be opened, read, or understood."""


class SinkError(MienError):
    """A result cannot be written or delivered."""


class ModelError(MienError):
    """Weights, an exported network, an engine, or the device or library that runs them cannot be used."""


class UsageError(MienError):
    """Options, values, configurations or names that do not exist, or contradict each other."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame from a source.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB.
        index: sequence number in its source, from 0, without gaps for files.
        captured_ns: ``time.monotonic_ns()`` when the frame was captured; the base of all latencies.
        time: media time in seconds (from the container for files, since the start for cameras).
    """

    image: Image
    index: int
    captured_ns: int
    time: float


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """A rotated square of an image: centre ``(x, y)`` and side in pixels, angle in radians (clockwise)."""

    x: float
    y: float
    size: float
    angle: float


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one image.

    Attributes:
        landmarks: ``(478, 3) float32``; x, y in image pixels, z in the same unit (smaller is nearer).
        pose: ``(4, 4) float32``, canonical face model (cm) to camera space (cm; x right, y up, z towards
            the viewer).
        blendshapes: ``(52,) float32`` in 0..1, MediaPipe's order.
        confidence: presence score in 0..1.
        crop: the square in which the landmark network ran.
    """

    landmarks: Floats
    pose: Floats
    blendshapes: Floats
    confidence: float
    crop: FaceCrop


@dataclass(frozen=True, slots=True)
class Rendered:
    """One rendered frame of the avatar, with the driving frame's identity and the time spent on it.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB.
        index, captured_ns, time: those of the driving :class:`Frame`.
        stage_ms: milliseconds spent per stage (``"track"``, ``"render"``, ...).
    """

    image: Image
    index: int
    captured_ns: int
    time: float
    stage_ms: Mapping[str, float] = field(default_factory=dict)
