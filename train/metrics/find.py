"""Search for passages with facial motion as small as in a micro-expression and hardly any head motion."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Image
from mien.train.metrics.layout_motion import layout_motion_of

SUBTLE = (0.4, 1.2)
WANTED = 0.7
"""Mean facial motion at a passage's peak, pixels of a 128 px face: the range called subtle, its middle.  Of
:mod:`mien.train.metrics.layout_motion`, which is quick."""

LOOK = 5
"""Step between examined frames in the search."""

STILL = 0.04
"""Largest shift of the head in a passage found here, face widths."""


@dataclass(frozen=True)
class Span:
    """Frames ``first`` to before ``last``.

    Attributes:
        strength: mean facial motion at its peak, pixels of a 128 px face.
        shift: how far the face has moved by then, face widths.
    """

    first: int
    last: int
    strength: float
    shift: float

    def liking(self) -> float:
        """0 for a passage of the middle strength and a head at rest; larger is worse."""
        return abs(log(self.strength / WANTED)) + 10 * self.shift


def is_subtle(strength: float) -> bool:
    """Whether a passage of this strength counts as subtle."""
    return SUBTLE[0] <= strength <= SUBTLE[1]


@dataclass(frozen=True)
class Peak:
    """The moment of strongest facial motion in a passage.

    Attributes:
        face: in the first frame.
        strength: see :class:`Span`.
        index: of the frame.
    """

    face: Face
    strength: float
    index: int


def peak_of(images: Sequence[Image], step: int, landmarker: Landmarker) -> Peak | None:
    """The peak among every ``step``-th image; None if the first shows no face."""
    faces = landmarker.detect(images[0])
    if not faces:
        return None
    strength = layout_motion_of(images[::step], faces[0]).strength()
    peak = int(strength.argmax())
    return Peak(faces[0], float(strength[peak]), peak * step)


def shift_at(images: Sequence[Image], peak: Peak, landmarker: Landmarker) -> float:
    """How far the face has moved at the peak, in face widths; 1 if it is not found."""
    faces = landmarker.detect(images[peak.index])
    return head_shift(peak.face, faces[0] if faces else None)


def head_shift(before: Face, after: Face | None) -> float:
    """How far a face has moved, in face widths; 1 if it is no longer found."""
    if after is None:
        return 1.0
    then, now = before.landmarks[:, :2], after.landmarks[:, :2]
    return float(np.linalg.norm((now - then).mean(axis=0)) / np.ptp(then[:, 0]))


def subtle_spans(frames: Iterable[Image], length: int, landmarker: Landmarker) -> list[Span]:
    """Find passages of ``length`` frames that do not overlap, best first.

    Args:
        frames: ``(H, W, 3) uint8`` RGB, any number: only ``length`` are held at a time.
        length: at least 3.
    """
    found = sorted(_windows(frames, length, landmarker), key=Span.liking)
    chosen: list[Span] = []
    for span in found:
        if all(span.last <= other.first or other.last <= span.first for other in chosen):
            chosen.append(span)
    return chosen


def _windows(frames: Iterable[Image], length: int, landmarker: Landmarker) -> Iterator[Span]:
    window: deque[Image] = deque(maxlen=length)
    for index, image in enumerate(frames):
        window.append(image)
        first = index + 1 - length
        if first >= 0 and first % max(1, length // 4) == 0:
            images = list(window)
            # A few frames rule out most windows; a blink between them shows only when all are examined.
            span = _span(images, first, LOOK, landmarker)
            if span is not None and _fits(span):
                span = _span(images, first, 1, landmarker)
                if span is not None and _fits(span):
                    yield span


def _fits(span: Span) -> bool:
    return is_subtle(span.strength) and span.shift <= STILL


def _span(images: list[Image], first: int, step: int, landmarker: Landmarker) -> Span | None:
    peak = peak_of(images, step, landmarker)
    if peak is None:
        return None
    return Span(first, first + len(images), peak.strength, shift_at(images, peak, landmarker))
