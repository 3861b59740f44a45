"""Reference frame of a clip, chosen automatically: the first, unless another suits the portrait much better.

A clip that begins with a grimace, a blink or a turned head makes all motion after it relative to that. The
ideal is a frontal head (or one turned as the portrait's), the portrait's expression, mouth and eyes as open.
A first frame without a fault (turned, not at rest, eyes shut, mouth unlike the portrait's; limits set on 70
clips of 70 people, of which 29 begin with one) is not yet near it: where another was clearly nearer, 28 pairs
of clips and portraits showed 0.58 of the driver's blendshapes instead of 0.48, correlated by 0.58, not 0.48.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mien.engine.face.head_pose import turn_between
from mien.engine.face.openings import LIDS, lid_gaps
from mien.engine.landmarks import topology as topo
from mien.engine.tracking.auto_reference import expression_of
from mien.engine.tracking.identity import CUT, OTHER, Look, Person, image_change, jumps
from mien.engine.types import Face, Frame, Image
from mien.engine.utils.curves import ramp

TURNED = math.radians(12.0)
"""Angle from the front, and from the portrait's pose, beyond which the first frame's head is turned."""

LIVELY = 1.3
"""Length of the blendshapes (gaze left out) beyond which the first frame's face is not at rest."""

MOUTH_APART = 0.15
"""Difference of the mouths' apertures, as shares of their widths, up to which they are alike."""

EYES_SHUT = 0.55
"""Share of the portrait's opening of the eyes below which the first frame's are shut."""

BETTER = 0.75
"""A frame that suits better than the first must be this much nearer to the ideal."""

IDEAL = 0.8
"""Distance from the ideal up to which the first frame is kept without a search: clips that come nearer by
:data:`BETTER` are as good as none."""

TURN_UNIT = math.radians(20.0)
"""Turn that counts as much as one unit of expression."""

ALWAYS_OPEN = (0.10, 0.25)
"""Least aperture of a mouth in the whole clip, as a share of its width, from which on it counts as opened in
the reference, and wholly so.  Of 150 clips with open mouths two have more than the second, five more than
0.15."""

SEARCHED_S = 60.0
"""Seconds of a clip that are searched."""

SPACING_S = 0.1
"""Seconds between the frames looked at in a search."""


@dataclass(frozen=True, slots=True)
class Openness:
    """How open a face's mouth and eyes are.

    Attributes:
        mouth: aperture over the mouth's width.
        eyes: mean gap of the lids over the eyes' widths, mean of both eyes.
    """

    mouth: float
    eyes: float

    @staticmethod
    def of(face: Face) -> Openness:
        """Measure a face; the mouth in three dimensions, since a turned one is not narrower."""
        points = face.landmarks

        def apart(ends: tuple[int, int], axes: int = 3) -> float:
            a, b = points[ends[0], :axes], points[ends[1], :axes]
            return max(float(np.linalg.norm(a - b)), 1e-6)

        middle = len(topo.LIPS_UPPER_INNER) // 2
        lips = topo.LIPS_UPPER_INNER[middle], topo.LIPS_LOWER_INNER[middle]
        gaps = lid_gaps(points[LIDS, :2])
        right = gaps[0] / apart((topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER))
        left = gaps[1] / apart((topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER))
        return Openness(apart(lips) / apart(topo.MOUTH_CORNERS), (right + left) / 2)


def unsuitable(face: Face, portrait: Face) -> str | None:
    """Why a face does not suit as a clip's reference, in words; None where it does.

    Args:
        face: the driver's.
        portrait: the avatar's.
    """
    if _turn(face, portrait) > TURNED:
        return "the head is turned"
    own, theirs = Openness.of(face), Openness.of(portrait)
    if own.eyes < EYES_SHUT * theirs.eyes:
        return "the eyes are closed"
    if own.mouth > theirs.mouth + MOUTH_APART:
        return "the mouth is open"
    if own.mouth < theirs.mouth - MOUTH_APART:
        return "the mouth is more closed than the portrait's"
    if min(expression_of(face), expression_of(face, portrait)) > LIVELY:
        return "the face is not at rest"
    return None


def unsuitability(face: Face, portrait: Face) -> float:
    """Distance from the ideal reference: expression, openness and pose; smaller is better."""
    own, theirs = Openness.of(face), Openness.of(portrait)
    openness = abs(own.mouth - theirs.mouth) / MOUTH_APART
    openness += max(0.0, 1 - own.eyes / max(theirs.eyes, 1e-6)) / (1 - EYES_SHUT)
    return expression_of(face, portrait) + openness + _turn(face, portrait) / TURN_UNIT


def _turn(face: Face, portrait: Face) -> float:
    """Angle from the front or from the portrait's pose, whichever is smaller, radians."""
    front = np.eye(4, dtype=np.float32)
    return min(math.hypot(*turn_between(pose, face.pose)) for pose in (front, portrait.pose))


class ClipReference:
    """Looks through a clip for its reference frame.

    Args:
        portrait: the avatar's face.
        find: finds the driver's face in an image ``(H, W, 3) uint8`` RGB, following it from the last one.

    Attributes:
        reason: why the first frame with a face does not suit, in words; None where it does.
        found: frame and face of the reference so far, the image copied; None before the first face.
        over: whether no later frame can change the choice.
    """

    def __init__(self, portrait: Face, find: Callable[[Image], Face | None]) -> None:
        self._portrait, self._find = portrait, find
        self.reason: str | None = None
        self.found: tuple[Frame, Face] | None = None
        self.over = False
        self._person: Person | None = None
        self._index = 0
        self._start = self._next = 0.0
        self._limit = math.inf
        self._before: Image | None = None
        self._last: Face | None = None
        self._least = math.inf

    @property
    def parted(self) -> float:
        """How far the found reference's mouth counts as opened, as a share of its width; 0 of one at rest.

        A driver whose mouth is open in every frame would open no portrait's: what their least open frame has
        beyond the portrait's own is theirs.
        """
        if self.reason is None or not math.isfinite(self._least):
            return 0.0
        own = Openness.of(self._portrait).mouth
        return max(0.0, self._least * ramp(self._least, ALWAYS_OPEN) - own)

    @property
    def looks(self) -> tuple[Look, ...]:
        """Looks of the first frame's person, the first frame's last, for whoever follows them from there.

        See :class:`~mien.engine.tracking.file_driver.FileDriver`.
        """
        if self._person is None:
            return ()
        first, *others = self._person.looks
        return (*others, first)

    @property
    def told(self) -> str:
        """What is said behind the chosen frame's number."""
        if self.found is None:
            return ""
        first = self.found[0].index == self._index
        if self.reason is None:
            return ", the first: it suits" if first else f": it suits better than the first, {self._index}"
        if first:
            told = f", the first: {self.reason} there, but no frame suits much better"
        else:
            told = f": in the first, {self._index}, {self.reason}"
        return told + ("; its open mouth counts: no frame shows a shut one" if self.parted > 0.02 else "")

    def look(self, frame: Frame) -> None:
        """Consider the clip's next frame."""
        if self._before is not None and image_change(self._before, frame.image) > CUT:
            self._last = None
        self._before = frame.image
        if self._person is None:
            self._begin(frame)
            return
        self.over = self.over or frame.time > self._start + SEARCHED_S
        if self.over or frame.time < self._next:
            return
        self._next = frame.time + SPACING_S
        face = self._find(frame.image)
        if face is not None and self._is_same(frame.image, face):
            self._weigh(frame, face)

    def _begin(self, frame: Frame) -> None:
        face = self._find(frame.image)
        if face is None:
            return
        frame = _kept(frame)
        self._person, self._last = Person(0, frame.image, face), face
        self._index, self._start = frame.index, frame.time
        self._next = frame.time + SPACING_S
        self.reason = unsuitable(face, self._portrait)
        self._least = Openness.of(face).mouth
        distance = unsuitability(face, self._portrait)
        self.over = self.reason is None and distance <= IDEAL
        self._limit = BETTER * distance
        self.found = frame, face

    def _is_same(self, image: Image, face: Face) -> bool:
        """Whether this is the person of the first frame: after no cut, or with the same looks."""
        assert self._person is not None
        look = Look.of(image, face)
        if (self._last is None or jumps(self._last, face)) and self._person.unlikeness(look) >= OTHER:
            self._last = None
            return False
        self._person.remember(look)
        self._last = face
        return True

    def _weigh(self, frame: Frame, face: Face) -> None:
        self._least = min(self._least, Openness.of(face).mouth)
        distance = unsuitability(face, self._portrait)
        if distance < self._limit:
            self._limit, self.found = distance, (_kept(frame), face)


def _kept(frame: Frame) -> Frame:
    return replace(frame, image=frame.image.copy())
