"""The motion of a driver's shoulders since the reference frame, as far as their frame showed it."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

CHEST = 1.8
"""Face units below the head's centre of the place between the shoulders that size and roll are about."""


@dataclass(frozen=True, slots=True)
class Body:
    """Motion of the shoulders since the reference frame.

    Attributes:
        shift: ``(x, y)`` in face units along the image's axes (right, down).
        scale: size ratio (larger than 1 when nearer to the camera).
        roll: radians, clockwise on screen.
        trust: 0..1, how far it is to be believed; the rest is guessed from the head's motion.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    roll: float = 0.0
    trust: float = 0.0

    def scaled(self, gain: float) -> Body:
        """The motion times a gain, as sure."""
        x, y = self.shift
        return Body((x * gain, y * gain), self.scale**gain, self.roll * gain, self.trust)


def mixed_bodies(body: Body | None, other: Body | None, share: float) -> Body | None:
    """A body with ``share`` (0..1) of another; one that is not known rests, and is not believed."""
    if body is None and other is None:
        return None
    mine, theirs = body or Body(), other or Body()

    def mix(a: float, b: float) -> float:
        return a + (b - a) * share

    return Body(
        (mix(mine.shift[0], theirs.shift[0]), mix(mine.shift[1], theirs.shift[1])),
        exp(mix(log(mine.scale), log(theirs.scale))),
        mix(mine.roll, theirs.roll),
        mix(mine.trust, theirs.trust),
    )
