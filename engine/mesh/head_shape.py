"""The shape of a head around its face: where its places are on the upright head, and how deep they lie.

A round head whose rim is the person's outline.  Where a turn hides its side, the rim lies further back than
where it uncovers it: as far back as a skull is, hair and ears beyond a far cheek would have to be drawn out
where they are uncovered, and nearer, strips of them stood beside the cheek that hides them.  At the top it
lies before the ears: what is highest in a portrait is the front of the hair, and turned about a rim that is
further back, heads ended in a wedge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.types import Bools, Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.images import depth_within
from mien.engine.utils.sampling import sample

EAR_RIGHT, EAR_LEFT = 234, 454
"""Landmarks in front of the ears: between them lies the middle of the head."""

RIM, HIDDEN_RIM = 0.1, 0.4
"""How much further back than these the head's rim lies, face units: on the side that a turn uncovers, and on
the other.  On 42 turned frames of nine clips the second at 0.4 is nearer to the true frame than at 0.1 (over
the face's square, perceptual distance 3.05 and 3.07) and than both at 0.3 or 0.5."""

TOP = -0.3
"""The same at the top of the head: so much less far back than the ears."""

UP, HIDDEN_UP = (0.5, 1.0), (0.1, 0.8)
"""Sines of the angles above the horizontal between which the rim comes to lie as at the top, likewise."""

ROUND = 0.75
"""Where the face ends on the way from the middle of the head to its rim, as a share of that way."""

SCALP, ASIDE = 0.55, 0.25
"""Face units from the face's outline to the head's rim above and beside it, where no outline is known."""

MOST_RIM = 1.6
"""Face units beyond the face at which an outline no longer is the head's."""

BELOW = (0.1, 0.4)
"""Sines of the angles below the horizontal between which the outline ceases to be the head's: hair that hangs
and the neck are no rim.  Where the one ended and the other did not, depth jumped, and hair was torn."""

DIRECTIONS, SOFT = 72, 3
"""Directions in which the outline is looked for, and to how many on both sides it is averaged."""

EAR, NARROW = (-0.55, 0.5), (0.3, 0.55)
"""Face units below the head's centre between which ears are; and of what is beside the face up to which it
is an ear, and from which on hair."""

EAR_AT, BOWED, MOST_BOWED = -0.16, 1.5, 0.25
"""Where the landmarks before the ears are on a head that is not bowed, face units below the head's centre; by
how much more than they ears and scalp rise where it is, as they lie further back; and the most of it that is
believed."""

SCALP_FROM = (-0.5, -0.9)
"""Face units below the head's centre from which on there is scalp, and wholly so: above it."""

FADE = 0.25
"""Face units over which an ear passes into what is above and below."""


@dataclass(frozen=True, slots=True)
class HeadShape:
    """A head around its face, at ``G`` places: face units on the upright head, from its centre.

    Attributes:
        places: ``(G, 2)``, and ``level`` where they would be if the head were not bowed.
        oval: ``(36, 2)`` the face's outline.
        upright: ``(2, 2)`` rotation from the image to the head's upright axes.
        below: ``(G,)`` how far below the chin.
        inside: ``(G,)`` how far inside the face's outline, negative outside.
        rim: ``(G,)`` 0 on the face, 1 at the head's rim and beyond.
        ear: ``(G,)`` 1 where an ear is, beside the face.
        beyond: ``(G,)`` how far beyond the rim, negative within it.
        outside: ``(G,)`` whether it is outside the face, seen from the head's middle.
        depth: ``(G,)`` pixels, where a turn hides it; counts outside the face.
        less: ``(G,)`` pixels by which it is less deep where a turn uncovers it.
    """

    places: Floats
    level: Floats
    oval: Floats
    upright: Floats
    below: Floats
    inside: Floats
    rim: Floats
    ear: Floats
    beyond: Floats
    outside: Bools
    depth: Floats
    less: Floats

    @staticmethod
    def of(geometry: FaceGeometry, positions: Floats, person: Floats | None) -> HeadShape:
        """Of a face, at ``(G, 2)`` positions in the portrait, pixels; ``person`` as for the sheet."""
        outline = list(topo.FACE_OVAL)
        upright, oval = upright_oval(geometry)
        places = _to_head(positions, geometry, upright)
        middle = 0.5 * (oval[0] + oval[len(oval) // 2])
        away, polar = _polar(places - middle)
        edge_away, edge_polar = _polar(oval - middle)
        edge = _around(polar, edge_polar, edge_away)
        rim = edge + _rim(polar, geometry, upright, middle, edge, person)
        share = np.clip((away - edge) / np.maximum(rim - edge, 1e-3), 0.0, 1.0)
        edge_depth = _around(polar, edge_polar, geometry.solid[outline, 2])
        level = places - ears_rise(oval)
        uncovered, hidden = _depths(share, edge_depth, -np.sin(polar), geometry)
        return HeadShape(
            places=places,
            level=level,
            oval=oval,
            upright=upright,
            below=places[:, 1] - oval[len(oval) // 2, 1],
            inside=_inside(places, oval),
            rim=eased(share),
            ear=beside_ears(level) * (1 - eased((rim - edge - NARROW[0]) / (NARROW[1] - NARROW[0]))),
            beyond=away - rim,
            outside=away > edge,
            depth=hidden,
            less=np.where(away > edge, hidden - uncovered, np.float32(0)),
        )


def upright_oval(geometry: FaceGeometry) -> tuple[Floats, Floats]:
    """``(2, 2)`` rotation to a head's upright axes, and ``(36, 2)`` the face's outline there, face units."""
    mesh = geometry.points[:N_MESH]
    upright = _upright(mesh)
    return upright, _to_head(mesh[list(topo.FACE_OVAL)], geometry, upright)


def ears_rise(oval: Floats) -> Floats:
    """``(2,)`` by how far ears and scalp stand elsewhere than on a head that is not bowed.

    Args:
        oval: ``(36, 2)`` the face's outline on the upright head.
    """
    before = oval[[topo.FACE_OVAL.index(ear) for ear in (EAR_RIGHT, EAR_LEFT)], 1].mean()
    return np.array([0.0, np.clip(BOWED * (before - EAR_AT), -MOST_BOWED, 0.0)], np.float32)


def beside_ears(places: Floats) -> Floats:
    """``(n,)`` 1 at the height of the ears, for places ``(n, 2)`` on the upright head."""
    beyond = np.maximum(EAR[0] - places[:, 1], places[:, 1] - EAR[1])
    return np.asarray(1 - eased(beyond / FADE), np.float32)


def scalp(places: Floats) -> Floats:
    """``(n,)`` 0 beside the eyes and below, 1 at the scalp, for places ``(n, 2)`` on the upright head."""
    return eased((SCALP_FROM[0] - places[:, 1]) / (SCALP_FROM[0] - SCALP_FROM[1]))


def _depths(share: Floats, edge_depth: Floats, up: Floats, geometry: FaceGeometry) -> list[Floats]:
    """Depth ``(G,)`` where a turn uncovers places, and where it hides them, pixels.

    Args:
        share: ``(G,)`` how far they are on the way from the face's outline to the head's rim.
        edge_depth: ``(G,)`` the outline's depth in their direction, pixels.
        up: ``(G,)`` sine of the angle of that direction above the horizontal.
    """
    ears = float(geometry.solid[[EAR_RIGHT, EAR_LEFT], 2].mean())
    across = ROUND + (1 - ROUND) * share
    curve = 1 - np.sqrt(np.maximum(1 - across**2, 0)) / np.sqrt(1 - ROUND**2)
    backs = []
    for aside, (low, high) in ((RIM, UP), (HIDDEN_RIM, HIDDEN_UP)):
        rim = aside + eased((up - low) / (high - low)) * np.float32(TOP - aside)
        backs.append(np.maximum(ears + rim * np.float32(geometry.unit), edge_depth))
    return [np.asarray(edge_depth + (back - edge_depth) * curve, np.float32) for back in backs]


def _upright(mesh: Floats) -> Floats:
    """``(2, 2)`` rotation from the image to the head's upright axes."""
    across = mesh[topo.LEFT_EYE_OUTER_CORNER] - mesh[topo.RIGHT_EYE_OUTER_CORNER]
    down = mesh[topo.CHIN] - mesh[topo.FOREHEAD_TOP]
    angle = float(np.arctan2(-down[0], down[1]))
    if across @ across > 0.25 * (down @ down):  # eyes show the roll better, unless the face is in profile
        angle = float(np.arctan2(across[1], across[0]))
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]], np.float32)


def _to_head(points: Floats, geometry: FaceGeometry, upright: Floats) -> Floats:
    """Image points in face units of the upright head, from its centre."""
    return np.asarray((points - geometry.centre) @ upright.T / np.float32(geometry.unit), np.float32)


def from_head(places: Floats, geometry: FaceGeometry, upright: Floats) -> Floats:
    """Places ``(n, 2)`` on the upright head, face units, in the image."""
    return np.asarray((places * np.float32(geometry.unit)) @ upright + geometry.centre, np.float32)


def _polar(points: Floats) -> tuple[Floats, Floats]:
    return np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])


def _around(angles: Floats, at: Floats, values: Floats) -> Floats:
    """Values known at angles ``at``, at other angles."""
    return np.asarray(np.interp(angles, at, values, period=2 * np.pi), np.float32)


def _rim(
    polar: Floats,
    geometry: FaceGeometry,
    upright: Floats,
    middle: Floats,
    edge: Floats,
    person: Floats | None,
) -> Floats:
    """Face units from the face's outline to the head's rim, in each node's direction."""
    up = np.clip(-np.sin(polar), 0.0, 1.0)
    usual = ASIDE + (SCALP - ASIDE) * up
    if person is None:
        return np.asarray(usual, np.float32)
    directions = np.linspace(-np.pi, np.pi, DIRECTIONS + 1)[:-1]
    starts = np.interp(directions, *_sorted(polar, edge), period=2 * np.pi)
    steps = np.linspace(0.0, MOST_RIM, 33)
    reach = starts[:, None] + steps
    rays = np.stack([np.cos(directions), np.sin(directions)], axis=1)
    places = middle + reach[..., None] * rays[:, None]
    there = sample(person, from_head(places, geometry, upright))
    gone = there < 0.5
    found = np.where(gone.any(axis=1), steps[gone.argmax(axis=1)], np.nan)
    usual_there = ASIDE + (SCALP - ASIDE) * np.clip(-np.sin(directions), 0.0, 1.0)
    found = np.where(np.isnan(found), usual_there, np.maximum(found, 0.05))
    found = np.median(_beside(found, 2), axis=0)
    below = eased((np.sin(directions) - BELOW[0]) / (BELOW[1] - BELOW[0]))
    found += below * (np.minimum(found, ASIDE) - found)
    weights = np.hanning(2 * SOFT + 3)[1:-1]
    found = weights @ _beside(found, SOFT) / weights.sum()
    return _around(polar, directions.astype(np.float32), found.astype(np.float32))


def _beside(values: Floats, reach: int) -> Floats:
    """``(2 reach + 1, n)`` values around a circle, and those up to ``reach`` places before and after each."""
    return np.stack([np.roll(values, step) for step in range(-reach, reach + 1)])


def _sorted(polar: Floats, values: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(polar)
    return polar[order], values[order]


def _inside(places: Floats, oval: Floats) -> Floats:
    """``(G,)`` how far inside the face's outline, negative outside."""
    return depth_within(places, oval).astype(np.float32)


def eased(share: np.ndarray) -> Floats:
    """From 0 to 1 without a kink, flat beyond."""
    return smoothstep(np.clip(share, 0.0, 1.0).astype(np.float32))
