"""The shape of an opened mouth: an avatar's lips part along their length as the driver's do.

Motion is what has changed since the reference.  A driver whose reference shows parted lips has moved the
middle of the lower lip far, and what lies beside the corners hardly; on a portrait whose lips are shut that
made a notch of the lower lip.  So the gap that is added along the mouth has the profile of the driver's
gap as it is now, and the lips' landmarks keep their share of the way from corner to corner.

How far the lips part is what the driver's proportions ask for: their gap counts in widths of their mouth.
Transferred as skin that moves, it came out at 0.6 to 1.5 of that, by how long a face is below its nose.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.lips.lip_contact import LOWER_ROWS, UPPER_ROWS, lip_ties
from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import EYES, at_rest, eyes_apart
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion, Shape
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp
from mien.engine.utils.vectors import as_complex

OPENED = (0.12, 0.30)
"""Gap that is added in the middle, in widths of the mouth, from which on its profile is the driver's, and
wholly so."""

GAPING = (0.10, 0.20)
"""The same of the driver's own gap, whose profile it is: that of lips that nearly touch is noise."""

MOST = 1.2
"""Gap beside the middle over that in the middle, at most."""

EARS, NOSE = (234, 454), 1
"""Landmarks before the ears and at the nose's tip: how far the tip lies off the middle tells a face's yaw."""

ASLANT, MOST_ASLANT = 0.51, 0.8
"""Sine of the yaw per half width that the tip lies off the middle (186 frames of 30 clips: right to 1.5
degrees), and the largest that is believed."""

JAW, CHEEKS = 0.9, 0.3
"""Reach of the skin that goes along, below and beside the lips, face units: the chin takes half."""

UPPER = 0.3
"""Share of the upper lip in what the profile changes; the rest is the lower one's, which follows the jaw."""

UPPER_EDGE, LOWER_EDGE = list(topo.LIPS_UPPER_INNER), list(topo.LIPS_LOWER_INNER)
_TOLD = np.array([*UPPER_EDGE, *LOWER_EDGE, *EYES, *EARS, NOSE])
MIDDLE = len(UPPER_EDGE) // 2

_ROWS = (
    [list(row) for row in (topo.LIPS_UPPER_INNER[1:-1], *UPPER_ROWS, topo.LIPS_UPPER_OUTER[1:-1])],
    [list(row) for row in (topo.LIPS_LOWER_INNER[1:-1], *LOWER_ROWS, topo.LIPS_LOWER_OUTER[1:-1])],
)
"""Rows of landmarks of upper and lower lip between their corners, in the edges' order."""

Reals = NDArray[np.float64]


class Lips(NamedTuple):
    """The lips' inner edges; lengths are in widths of the mouth, from its left corner in the image.

    Attributes:
        width: of the mouth, of the landmarks' unit; a vector, as a complex number.
        upper, lower: ``(11,)`` how far each landmark is on the way to the other corner.
        gap: ``(11,)`` how far the lips are apart there.
    """

    width: complex
    upper: Reals
    lower: Reals
    gap: Reals

    @staticmethod
    def of(upper: Floats, lower: Floats) -> Lips:
        """From the landmarks of both edges, ``(11, 2)``, from corner to corner."""
        above, below = as_complex(upper), as_complex(lower)
        width = complex(above[-1] - above[0])
        width = width if abs(width) > 1e-6 else 1e-6 + 0j
        above, below = (above - above[0]) / width, (below - below[0]) / width
        return Lips(width, above.real, below.real, (below - above).imag)


class Rest(NamedTuple):
    """A face before a motion: a portrait, or a driver in their reference.

    Attributes:
        lips: its lips.
        width: of its mouth at rest, see :func:`mien.engine.face.lips.at_rest`; of the landmarks' unit.
        eyes: distance of its eyes' outer corners.
        yaw: sine of its yaw, and ``aslant`` the cosine.
    """

    lips: Lips
    width: float
    eyes: float
    yaw: float
    aslant: float

    @staticmethod
    def of(face: Floats) -> Rest:
        """From landmarks ``(468+, 2)``; every frame asks for those of the same two faces."""
        return _rest(np.asarray(face[_TOLD], np.float32).tobytes())


@lru_cache(maxsize=16)
def _rest(places: bytes) -> Rest:
    face = np.zeros((N_MESH, 2), np.float32)
    face[_TOLD] = np.frombuffer(places, np.float32).reshape(-1, 2)
    lips = Lips.of(face[UPPER_EDGE], face[LOWER_EDGE])
    return Rest(
        lips, at_rest(abs(lips.width), face), eyes_apart(face), sine_of_yaw(face), foreshortening(face)
    )


def set_lips(points: Floats, source: Floats, motion: Motion, scale: float) -> None:
    """Let the avatar's lips part as far, and along their length, as the driver's do.

    Args:
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates; changed in place.
        source: ``(478, 2)`` their positions in the portrait.
        motion: the driver's, as measured; without their shape nothing is changed.
        scale: by how much the head has become larger.
    """
    if motion.shape is None:
        return
    portrait, now = Rest.of(source), Lips.of(points[UPPER_EDGE], points[LOWER_EDGE])
    own, wide = portrait.lips, abs(now.width)
    usual = scale * abs(own.width)
    rest = own.gap * usual
    share = ramp((now.gap[MIDDLE] * wide - rest[MIDDLE]) / usual, OPENED)
    if share == 0.0:
        return
    driver, since = Rest.of(motion.shape.nodes), driver_lips(motion, motion.shape)
    before = driver.lips
    share *= ramp(since.gap[MIDDLE], GAPING)
    if share == 0.0:
        return
    change = since.gap[MIDDLE] * abs(since.width) - before.gap[MIDDLE] * abs(before.width)
    # A mouth that is seen aslant is wider than it looks, its gap is not.
    aslant = driver.aslant / portrait.aslant
    added = max(change, 0.0) / driver.width * portrait.width * scale * aslant
    profile = np.clip(since.gap / since.gap[MIDDLE], 0.0, MOST)
    opened = share * (rest + added * profile - now.gap * wide)
    along = [
        share * wide * (there + after - then - here)
        for there, after, then, here in (
            (own.upper, since.upper, before.upper, now.upper),
            (own.lower, since.lower, before.lower, now.lower),
        )
    ]
    move_lips(points, now, opened, along)


def move_lips(points: Floats, now: Lips, opened: Reals, along: Sequence[Reals] | None = None) -> None:
    """Let lips part further and move along their length; they keep their thickness, skin and chin go along.

    Args:
        points: ``(468+, 2)`` landmarks, changed in place.
        now: their lips.
        opened: ``(11,)`` by how much they part, of the landmarks' unit.
        along: ``(11,)`` of upper and lower lip, how far they move towards the other corner; None for nothing.
    """
    upper, lower = (0.0, 0.0) if along is None else along
    shifts = upper - 1j * UPPER * opened, lower + 1j * (1 - UPPER) * opened
    # As real numbers: OpenBLAS wakes its threads for a complex matrix of this size, not for a real one, and
    # where the cores are busy they are waited for (15 ms a frame instead of 0.1, two busy cores).
    moved = (_followers() @ np.concatenate(shifts).view(np.float64).reshape(-1, 2)).view(np.complex128)[:, 0]
    for shift, rows in zip(shifts, _ROWS, strict=True):
        # A lip keeps its thickness: the rows beyond its inner edge go along, landmark by landmark.
        for row in rows:
            moved[row] = shift[1:-1]
    moved *= now.width / abs(now.width)
    points[:N_MESH, 0] += moved.real
    points[:N_MESH, 1] += moved.imag


@lru_cache(maxsize=1)
def _followers() -> Reals:
    """``(468, 22)``: how far each landmark follows the pairs of upper lip and of lower lip."""
    ties = lip_ties(JAW, CHEEKS).astype(np.float64)
    found = np.concatenate([np.maximum(ties, 0.0), np.maximum(-ties, 0.0)], axis=1)
    found.setflags(write=False)
    return found


def foreshortening(points: Floats) -> float:
    """Cosine of a face's yaw, from its landmarks ``(468+, 2)``."""
    return float(np.sqrt(1 - sine_of_yaw(points) ** 2))


def sine_of_yaw(points: Floats) -> float:
    """Sine of a face's yaw, from its landmarks ``(468+, 2)``."""
    right, left, tip = (points[index].astype(np.float64) for index in (*EARS, NOSE))
    across = left - right
    off = 2 * float((tip - right) @ across) / max(float(across @ across), 1e-9) - 1
    return min(max(ASLANT * off, -MOST_ASLANT), MOST_ASLANT)


def driver_lips(motion: Motion, shape: Shape) -> Lips:
    """The driver's lips now, in their own face units."""
    return Lips.of(*(shape.moved(motion.points, edge) for edge in (UPPER_EDGE, LOWER_EDGE)))
