"""What moving lids and lips show: eyeballs, irises, the portrait's own teeth, the skin of shut lids."""

from __future__ import annotations

from functools import lru_cache
from math import copysign

import numpy as np

from mien.engine.avatar.eyes.eyelids import EYES, Eye
from mien.engine.avatar.mouth import LOOSE, still_seen
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.curves import limited, ramp, smoothstep
from mien.engine.utils.vectors import as_complex

SHUTTING, SKIN_ABOVE, SKIN_BELOW = 0.35, 0.20, 0.08
"""Share by which an eye has shut from which on its lids show skin from beyond their edges alone, and from how
far above and below them in the end, as shares of the open gap."""

GAZE_ASIDE, GAZE_UP = (0.25, 0.40), (0.14, 0.22)
"""How far an iris goes aside, and up and down, as it was seen to, and what it never exceeds, widths of the
eye.  In clips it goes by 0.12 and 0.13; where the reference's eyes were misread by a whole width, and what
was left was a white eye."""

ON_LIP = 0.3
"""Height on the upper lip, as a share of its own, that a slit shows: on its edge landmarks lie on teeth."""


def shut_share(eye: int, source: Floats, points: Floats) -> float:
    """How far an eye is shut beyond what its lids do as they are, 0..1."""
    before, now = Eye.of(source, eye), Eye.of(points, eye)
    return smoothstep(ramp(1 - now.gap / max(before.gap, 1e-6), (SHUTTING, 1.0)))


def shut_lids(eye: int, shut: float, source: Floats, points: Floats, places: Floats, shown: Floats) -> Floats:
    """What the landmarks show where an eye shuts; its lids' edges in ``places`` are put back where they meet.

    A lid that shuts shows its skin from a little beyond its edge on: the edge is a curve, and the mesh has
    chords; between the two lies a row of slits of eyeball.
    """
    if shut == 0.0:
        return shown
    found: Floats = shown.copy()
    share = np.float32(shut)
    before = Eye.of(source, eye)
    gap = (before.lower - before.upper) * before.width
    for row, beyond in zip(EYES[eye][:2], (-SKIN_ABOVE, SKIN_BELOW), strict=True):
        edge = list(row)
        found[edge, 0] += share * np.float32(beyond) * gap.real.astype(np.float32)
        found[edge, 1] += share * np.float32(beyond) * gap.imag.astype(np.float32)
        places[edge] += share * (points[edge] - places[edge])
    return found


def hang_teeth(source: Floats, places: Floats, size: float, shows: Floats) -> None:
    """Let a portrait's mouth show its own inside unstretched, below the upper lip.

    A lower lip that comes nearer hides the teeth from below on; in a slit nothing but the upper lip is left.

    Args:
        size: by how much the head has become larger.
        shows: ``(20, 2)`` the places that the opening's ring shows; changed in place.
    """
    upper, lower = list(topo.LIPS_UPPER_INNER[1:-1]), list(topo.LIPS_LOWER_INNER[1:-1])
    own = np.hypot(*(source[lower] - source[upper]).T)
    wider = np.hypot(*(places[lower] - places[upper]).T) / np.maximum(own * size, 1e-6)
    middle = float(wider[len(own) // 2])
    # As far as the middle of the mouth, whatever the corners do.
    further = np.clip(wider, min(middle, 1.0), max(middle, 1.0)) - 1
    loose = ramp(middle, LOOSE) if middle > 1 else 1.0
    stretch = (1 + loose * further).astype(np.float32)[::-1, None]
    above, below = shows[1 : 1 + len(own)][::-1], shows[2 + len(own) :]
    below += (stretch - 1) * (below - above)
    hidden = np.float32(1 - still_seen(middle))
    if hidden > 0:
        lip = source[list(topo.LIPS_UPPER_OUTER[1:-1])] - source[upper]
        above += hidden * np.float32(ON_LIP) * lip
        below += hidden * np.float32(ON_LIP) * lip


def show_eyeball(eye: int, source: Floats, points: Floats, shows: Floats) -> None:
    """Let an eye's opening show the eyeball where it is: lids pass over it and do not squeeze it.

    Args:
        shows: ``(16, 2)`` the places that the opening's ring shows; changed in place.
    """
    before, now = Eye.of(source, eye), Eye.of(points, eye)
    ring = list(topo.RIGHT_EYE if eye == 0 else topo.LEFT_EYE)
    at = (as_complex(points[ring]) - now.corner) / now.width
    top, bottom = before.edges(at.real)
    # Beyond the portrait's own lids no eyeball is visible: there it is stretched.
    inside = np.clip(at.real, 0.0, 1.0) + 1j * np.clip(at.imag, top, bottom)
    there = before.corner + before.width * inside
    shows[:, 0], shows[:, 1] = there.real, there.imag


def gaze_shift(eye: int, source: Floats, points: Floats) -> Floats:
    """``(2,)`` how far an iris goes within its eye."""
    before, now = Eye.of(source, eye), Eye.of(points, eye)
    gaze = now.iris - before.iris
    aside, down = (
        copysign(float(limited(abs(much), *most)), much)
        for much, most in zip((gaze.real, gaze.imag), (GAZE_ASIDE, GAZE_UP), strict=True)
    )
    shift = complex(aside, down) * before.width
    return np.array([shift.real, shift.imag], np.float32)


def iris_place(iris: tuple[int, ...], source: Floats) -> Floats:
    """``(3,)`` where an iris is in the portrait, and its radius."""
    return _iris(np.asarray(source[list(iris)], np.float32).tobytes())


@lru_cache(maxsize=16)
def _iris(points: bytes) -> Floats:
    """The same by the ``(5, 2) float32`` positions of its landmarks: the portrait's stay where they are."""
    places = np.frombuffer(points, np.float32).reshape(-1, 2)
    centre = places.mean(axis=0)
    radius = np.hypot(*(places[1:] - centre).T).mean()
    return np.array([*centre, radius], np.float32)
