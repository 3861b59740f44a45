"""Brows of the avatar: a brow is a strip of hair, which moves and bends, but hardly gets thicker.

Where a driver's brows rise far, the landmarks of their upper edge rise further than those of the lower one,
by up to the strip's thickness, and when lids shut besides, the skin just under the brow, with the brow's
lowest hairs, was drawn out to four times its height: brows became broad smears of hair down to the lid.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mien.engine.avatar.eyes.eyelids import Eye
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.types import Floats
from mien.engine.utils.curves import limited, ramp
from mien.engine.utils.vectors import as_numbers

FREE, MOST = 0.12, 0.22
"""Relative change of a brow's thickness up to which it is as it was seen, and that it never exceeds.  On
twelve drivers and three portraits nine in ten brows change by less than the first, and clips in which brows
rise far by 0.4 to 0.9."""

UNDER = (1.15, 1.45)
"""The same of the skin from the brow down to the first row of landmarks under it, of which the brow's hairs
cover a part: its stretch up to which it is as it was, and that it never exceeds.  What is left is taken by
the smooth skin further down."""

SLACK = 0.03
"""What is added to that skin's height before, lengths of the brow: where a brow lies low over the eye, a
small raise would count as a stretch, and small motion stays as it was measured."""

RISE = (0.22, 0.38)
"""How far a brow rises over its eye as it was seen to, and what it never exceeds, widths of an eye.  In 90
clips without strong turns brows rise by 0.08 over their usual height at most, by 0.29 in one of twenty and by
0.36 in none; a driver who began with a frown and then raises them asks for half an eye's width, and skin,
hair and lids were drawn out to twice their height."""

SAME = (0.04, 0.12)
"""Difference of a portrait's brow from the driver's in their reference, by their heights over the eye, widths
of the eye, up to which it rises as theirs does, and from which on it is held: what a driver began with, a
frown, the portrait shows as well."""

LIDS_STAY = (0.2, 0.45)
"""Height over the line of an eye's corners, widths of the eye, up to which nothing is held back with its
brow, and from which on all of it."""

_TAPER = np.array(2 * [0.3, 0.8, 1.0, 1.0, 1.0, 0.8, 0.4], np.float32)[:, None]
"""Share in that of the landmarks under the brow, from the outer to the inner end of the eye."""

_UPPER = np.array(topo.RIGHT_EYEBROW_UPPER + topo.LEFT_EYEBROW_UPPER)
_LOWER = np.array(topo.RIGHT_EYEBROW_LOWER + topo.LEFT_EYEBROW_LOWER)
_UNDER = np.array(CREASE[0][1] + CREASE[1][1][::-1])
"""Landmarks from the outer to the inner end: the right brow's, then the left one's."""

_BROWS = np.concatenate([_UPPER, _LOWER, _UNDER])

_SMOOTH = np.kron(
    np.eye(2, dtype=np.float32),
    np.array(
        [[3, 1, 0, 0, 0], [1, 2, 1, 0, 0], [0, 1, 2, 1, 0], [0, 0, 1, 2, 1], [0, 0, 0, 1, 3]], np.float32
    )
    / np.float32(4),
)
"""Means over neighbours: at its ends a brow is thin and unsure."""


def hold_brows(points: Floats, source: Floats, size: float) -> None:
    """Keep brows about as thick as they are in the portrait; what was seen in the middle of a brow stays.

    Args:
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates; changed in place.
        source: ``(478, 2)`` their positions in the portrait.
        size: by how much the head has become larger.
    """
    own = _own(source[_BROWS].tobytes())
    upper, lower = points[_UPPER], points[_LOWER]
    apart = upper - lower
    change = _SMOOTH @ np.hypot(apart[:, 0], apart[:, 1]) / (own.thickness * np.float32(size)) - 1
    strength = np.abs(change)
    if strength.max() > FREE:
        held = np.sign(change) * limited(strength, FREE, MOST)
        less = apart * (0.5 * (1 - (1 + held) / (1 + change)))[:, None]
        points[_UPPER] = upper - less
        lower += less
        points[_LOWER] = lower
    under = points[_UNDER]
    gaps = under - own.above @ lower
    stretch = np.hypot(gaps[:, 0], gaps[:, 1]) / (own.gaps * np.float32(size))
    if stretch.max() > UNDER[0]:
        # The skin under a brow goes up with it, rather than stretch.
        points[_UNDER] = (
            under - _TAPER * (1 - limited(stretch, *UNDER) / np.maximum(stretch, 1e-6))[:, None] * gaps
        )


def limit_rise(points: Floats, source: Floats, motion: Motion | None = None) -> None:
    """Keep brows from rising further than brows do, and the forehead with them.

    Args:
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates; changed in place.
        source: ``(478, 2)`` their positions in the portrait.
        motion: the driver's; without their shape it is not known what they began with.
    """
    before, now = ([Eye.of(where, eye) for eye in range(2)] for where in (source, points))
    rises = [own.brow - moved.brow for own, moved in zip(before, now, strict=True)]
    if max(rises) <= RISE[0]:
        return
    part, was = as_numbers(points[:N_MESH]), as_numbers(source[:N_MESH])
    # Right eye, left eye, and what is between: by its place between their inner corners.
    inner = [before[0].corner + before[0].width, before[1].corner]
    aside = np.clip(((was - inner[0]) / (inner[1] - inner[0])).real, 0, 1)
    shift = np.zeros(N_MESH, np.complex128)
    unlike = _unlike(before, motion)
    for own, moved, rise, share in zip(before, now, rises, (1 - aside, aside), strict=True):
        excess = rise - float(limited(max(rise, 0.0), *RISE)) if rise > 0 else 0.0
        excess *= unlike
        if excess > 0:
            height = ((was - own.corner) / own.width).imag
            risen = np.clip((height - ((part - moved.corner) / moved.width).imag) / rise, 0, 1)
            high = np.clip((-height - LIDS_STAY[0]) / (LIDS_STAY[1] - LIDS_STAY[0]), 0, 1)
            shift += 1j * moved.width * excess * risen * high * share
    points[:N_MESH, 0] += shift.real
    points[:N_MESH, 1] += shift.imag


def _unlike(portrait: list[Eye], motion: Motion | None) -> float:
    """How far (0..1) a portrait's brows are not where the driver's were in their reference."""
    if motion is None or motion.shape is None:
        return 1.0
    # Irises are not among these; brows and corners are all that is asked for.
    theirs = [Eye.of(motion.shape.nodes, eye) for eye in range(2)]
    apart = max(abs(own.brow - seen.brow) for own, seen in zip(portrait, theirs, strict=True))
    return ramp(apart, SAME)


class _Own(NamedTuple):
    """A portrait's brows.

    Attributes:
        thickness: ``(10,)`` along both brows.
        above: ``(14, 10)`` weights of the brows' lower edges over each landmark under them.
        gaps: ``(14,)`` distance of these from there, with :data:`SLACK`.
    """

    thickness: Floats
    above: Floats
    gaps: Floats


@lru_cache(maxsize=16)
def _own(places: bytes) -> _Own:
    """By the ``(34, 2) float32`` positions of :data:`_BROWS`."""
    upper, lower, under = np.split(np.frombuffer(places, np.float32).reshape(-1, 2), (10, 20))
    thickness = _SMOOTH @ np.hypot(*(upper - lower).T)
    above, slack = np.zeros((14, 10), np.float32), np.zeros(14, np.float32)
    for brow, row in ((slice(0, 5), slice(0, 7)), (slice(5, 10), slice(7, 14))):
        across = lower[brow][-1] - lower[brow][0]
        slack[row] = SLACK * np.hypot(*across)
        along = np.maximum.accumulate(lower[brow] @ across)
        for k, one in enumerate(np.eye(5)):
            above[row, brow.start + k] = np.interp(under[row] @ across, along, one)
    gaps = np.hypot(*(under - above @ lower).T) + slack
    return _Own(np.maximum(thickness, 1e-6), above, np.maximum(gaps, 1e-6))
