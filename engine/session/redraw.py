"""Decision whether a motion differs visibly from the one drawn last."""

from __future__ import annotations

from math import hypot

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.motion import Body, Head, Motion, Shading

STILL_PX = 0.02
"""Pixels of the result; one grey level at an edge of 50 levels.  Micro-expressions are 25 times as large."""

HEAD_RADIUS = 1.0
"""Face units from the head's centre to the edge of what moves with it."""

BODY_RADIUS = 1.5
"""Face units from the chest to where shoulders end."""


STILL_LIGHT = 0.004
"""Logarithm of the brightness: half a grey level of bright skin."""

FACE_RADIUS = 1.0
"""Face units from the layout's middle to the edge of the face."""


class ChangeDetector:
    """Compares every motion with the last one drawn, so that slow movement accumulates and is drawn.

    Motions with a network's own key points always count as moved.

    Attributes:
        drawn: the motion drawn last.
    """

    def __init__(self) -> None:
        self.drawn: Motion | None = None
        self._avatar: Avatar | None = None

    def moved(self, motion: Motion, avatar: Avatar) -> bool:
        """Whether to draw ``motion`` on ``avatar``; if so, later motions are compared with it."""
        last = self.drawn
        comparable = last is not None and motion.shape is last.shape and motion.keys is None
        if last is not None and comparable and self._avatar is avatar:
            limit = STILL_PX / avatar.geometry.unit
            moved = _head_difference(motion.head, last.head), _body_difference(motion.body, last.body)
            lit = _light_difference(motion.shading, last.shading) >= STILL_LIGHT
            if not lit and max(moved) < limit and _difference(motion, last) < limit:
                return False
        self.drawn, self._avatar = motion, avatar
        return True


def _difference(motion: Motion, other: Motion) -> float:
    """Largest displacement difference along an axis, face units."""
    points = float(np.abs(motion.points - other.points).max())
    return max(points, float(np.abs(motion.dense - other.dense).max()))


def _head_difference(head: Head, other: Head) -> float:
    """Upper bound of the difference made by the head's motion, face units."""
    shift = hypot(head.shift[0] - other.shift[0], head.shift[1] - other.shift[1])
    turn = hypot(head.turn[0] - other.turn[0], head.turn[1] - other.turn[1])
    return shift + HEAD_RADIUS * (abs(head.scale - other.scale) + abs(head.roll - other.roll) + turn)


def _body_difference(body: Body | None, other: Body | None) -> float:
    """The same by the shoulders' motion; what is guessed goes with the head."""
    mine, theirs = body or Body(), other or Body()
    shift = hypot(mine.shift[0] - theirs.shift[0], mine.shift[1] - theirs.shift[1])
    moved = shift + BODY_RADIUS * (abs(mine.scale - theirs.scale) + abs(mine.roll - theirs.roll))
    size = hypot(*mine.shift) + BODY_RADIUS * (abs(mine.scale - 1) + abs(mine.roll))
    return moved * max(mine.trust, theirs.trust) + size * abs(mine.trust - theirs.trust)


def _light_difference(shading: Shading | None, other: Shading | None) -> float:
    """Upper bound of the difference made by the light on the face, logarithm of the brightness."""
    mine, theirs = shading or Shading(), other or Shading()
    slope = hypot(mine.across - theirs.across, mine.down - theirs.down)
    return abs(mine.level - theirs.level) + FACE_RADIUS * slope
