"""Limits of a mouth that is not at rest in the portrait: its own expression and the driver's do not add up.

Motion is what has changed since the reference.  On a portrait that laughs already, a driver who begins to
laugh made a mouth as wide as the face; on one whose lips are apart, those of a driver who began with parted
lips and shut them did not meet.  So the wider and the more open a mouth becomes, the nearer it comes to what
the driver's own shows, whatever it was in the portrait; small motion is taken over as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from mien.engine.avatar.lips.lip_shape import (
    LOWER_EDGE,
    MIDDLE,
    UPPER_EDGE,
    Lips,
    Rest,
    driver_lips,
    move_lips,
)
from mien.engine.avatar.lips.pursing import RINGS, move_rings
from mien.engine.face.lips import SMILE, eyes_apart, lips_alike
from mien.engine.motion import Motion
from mien.engine.types import Floats
from mien.engine.utils.curves import limited, ramp, smoothstep
from mien.engine.utils.vectors import as_complex

WIDER, WIDEST = 0.03, 0.07
"""How much wider than the portrait's and the driver's own a mouth may become, distances of the eyes: freely,
and at most."""

FURTHER, FURTHEST = 0.06, 0.16
"""How much further open than both, widths of the mouth at rest: freely, and at most."""

SHUTS, PARTED, SHUTTING = 0.06, (0.08, 0.18), 1.4
"""Gap that a driver's lips have lost since the reference, in widths of the mouth at rest, from which on the
avatar's shut as theirs do (less is small motion); gap that they had there from which on that tells; and how
many times that gap is taken from the avatar's at most: more would make their trembling large."""


class Measured(NamedTuple):
    """A mouth's gap in widths that it has at rest, and its width in distances of the eyes."""

    gap: float
    width: float

    @staticmethod
    def of(lips: Lips, eyes: float, rest: float) -> Measured:
        """Of lips, and of the distance of the eyes' outer corners in their unit.

        Args:
            rest: the mouth's width at rest; see :func:`mien.engine.face.lips.at_rest`.
        """
        wide = abs(lips.width)
        return Measured(float(lips.gap[MIDDLE]) * wide / max(rest, 1e-6), wide / max(eyes, 1e-6))


def limit_lips(points: Floats, source: Floats, turned: Floats, motion: Motion, scale: float) -> None:
    """Keep the avatar's mouth from being wider or more open than its portrait's and the driver's are.

    Args:
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates; changed in place.
        source: ``(478, 2)`` their positions in the portrait.
        turned: ``(468+, 2)`` the same after the head's turn alone: it changes no lips.
        motion: the driver's, as measured; without their shape nothing is changed.
        scale: by how much the head has become larger.
    """
    if motion.shape is None:
        return
    own, before = Rest.of(source), Rest.of(motion.shape.nodes)
    still, now = (Lips.of(face[UPPER_EDGE], face[LOWER_EDGE]) for face in (turned, points))
    # A mouth that is seen aslant is wider than it looks, its gap is not.
    usual = own.width * (before.aslant / own.aslant)
    portrait = Measured.of(still, eyes_apart(turned), usual)
    ours = Measured.of(now, eyes_apart(points), scale * usual)
    since = driver_lips(motion, motion.shape)
    first, theirs = (Measured.of(lips, before.eyes, before.width) for lips in (before.lips, since))
    _narrow(points, source, ours.width, max(portrait.width, theirs.width, SMILE))
    gap = ours.gap
    if gap <= 0.0:
        return
    most = max(portrait.gap, theirs.gap)
    wanted = limited(gap, most + FURTHER, most + FURTHEST)
    shuts = ramp(first.gap - theirs.gap, (SHUTS, max(first.gap, 2 * SHUTS)))
    wanted -= smoothstep(shuts) * ramp(first.gap, PARTED) * min(wanted, SHUTTING * first.gap)
    # A mouth that began as theirs did has their gap already.
    wanted = max(wanted, lips_alike(source, motion.shape.nodes) * min(gap, theirs.gap))
    if wanted < gap:
        move_lips(points, now, (wanted / gap - 1) * abs(now.width) * now.gap)


def _narrow(points: Floats, source: Floats, width: float, most: float) -> None:
    """Bring the corners of a mouth together that is wider than ``most``, distances of the eyes."""
    wanted = limited(width, most + WIDER, most + WIDEST)
    if wanted >= width:
        return
    rings = as_complex(points[RINGS])
    across = rings[10] - rings[0]
    axis = across / max(abs(across), 1e-9)
    middle = (rings[0] + rings[10]) / 2
    along = ((rings - middle) / axis).real
    move_rings(points, source, (wanted / width - 1) * along * axis)
