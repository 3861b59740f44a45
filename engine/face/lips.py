"""Local maps of lips that are not as far apart as in the layout.

A local map gives the length of a face unit on this skin, and in the common layout the lips are nearly shut.
A map fitted across an open mouth takes the gap for stretched skin: on a smiling portrait, the upper lip's
lower edge then moved twice as far as its upper edge (vertical maps of 1.33 and 0.67 of the face's own on the
built-in portrait), and where the driver opened the mouth, the lip was squeezed and painted over with dark.

Shut lips are the reverse: a gap that the layout has and they lack was taken for shrunken skin, and lips
that should have parted were stretched (0.66 within and 1.17 without).

A driver's own maps have the same flaw in reverse if their mouth is open in the reference: their lips
seem to move less than they do.  Both are corrected, so that lips move as pieces whoever drives whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mien.engine.face.head_pose import Similarity
from mien.engine.face.layout import N_MESH, apply2, inverse2, layout
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.vectors import as_numbers, as_vectors

USUAL = 0.062
"""Gap between the lips in the layout, at their middle, face units."""

SAME, OTHER = 0.003, 0.028
"""Differences from it: up to the first the maps are as they are, from the second on wholly those of lips as
far apart as in the layout."""

_CORNERS = (topo.LIPS_UPPER_OUTER[0], topo.LIPS_UPPER_OUTER[-1])

GAPING, REACH = (0.08, 0.14), 0.25
"""Gaps of a driver's lips in the reference (face units) from which on displacements around the mouth are as
seen in the image, at the whole face's scale, and wholly so, and how far around the lips: local maps across an
open mouth are squeezed next to its corners, and their inverse made 0.1 face units of the lower lip 0.33."""

NARROW = (0.86, 0.72)
"""The same for the width of a driver's mouth in the reference, as a share of the layout's: maps of a
puckered mouth are squeezed and bent; a jaw that drops straight down moved the lower lip's ends inwards by a
third of their way, and the lip became a notch. Mouths at rest have 0.89 to 1.15 (40 clips), puckered ones
0.55 to 0.8."""

MOST = 1.3
"""How much longer a lip's displacement as a piece may be than it was measured or is seen: of a driver whose
reference is half in profile the far corner is a fold, and its map back made 0.27 face units of it 2.4."""

ALIKE = (0.010, 0.035)
"""Root mean square distance of two mouths' landmarks, distances of the eyes' outer corners, up to which they
are as good as the same, and from which on not at all.  Of 2,768 pairs of different people's frames none has
less than the first and 7 in 1,000 less than the second."""

EYES, SMILE = (33, 263), 0.57
"""Outer corners of the eyes, and the mouth's width over their distance beyond which it smiles: of 130 stills,
faces at rest have 0.44 to 0.57, smiles 0.60 to 0.76.  A smile is wider than its mouth: in its widths, other
mouths' openings became a third larger."""


_MOUTH = np.array([*EYES, *topo.LIPS_OUTER, *topo.LIPS_INNER])


def lip_axes(axes: Floats, mesh: Floats, unit: float) -> Floats:
    """Local maps with each lip moving as one piece, as far as the mouth is not as open as in the layout.

    Args:
        axes: ``(N, 2, 2)`` at the layout's nodes, pixels per face unit.
        mesh: ``(468, 2) float32`` landmarks in the image, pixels.
        unit: pixels per face unit, over the whole face.

    Returns:
        The same, or a copy in which a lip's nodes have the map of its outer edge, measured as if the lips
        were as far apart as in the layout.
    """
    share = _open_share(mesh, unit)
    if share == 0.0:
        return axes
    found: Floats = axes.copy()
    for nodes, wanted in _pieces(mesh, unit):
        found[nodes] += np.float32(share) * (wanted - axes[nodes])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class DriverLips:
    """How displacements of a driver's lips, measured across the opening of the mouth, become those of pieces.

    Attributes:
        share, unlike: how far the lips count as pieces, and the mouth as unlike the layout's, 0..1.
        slope: scale and roll of the reference's landmarks in the layout, a complex number.
        pieces: of each lip its nodes, the maps ``(n, 2, 2)`` from the layout to the image by which they were
            measured, and those back that it has as one piece.
        near: the nodes near the lips, how far each is as seen, and the same first maps for them.
    """

    share: float
    unlike: float
    slope: complex
    pieces: tuple[tuple[np.ndarray, Floats, Floats], ...]
    near: tuple[np.ndarray, Floats, Floats] | None

    @staticmethod
    def of(nodes: Floats, to_layout: Floats) -> DriverLips:
        """From a reference.

        Args:
            nodes: ``(N, 2)`` the layout's nodes on the driver's reference, in the driver's face units.
            to_layout: ``(N, 2, 2)`` the maps by which displacements were measured.
        """
        mesh = nodes[:N_MESH]
        share, unlike = _open_share(mesh, 1.0), _unlike_layout(mesh)
        pieces = tuple(
            (lip, inverse2(to_layout[lip]), inverse2(wanted))
            for lip, wanted in (_pieces(mesh, 1.0) if share > 0.0 else ())
        )
        around = np.flatnonzero(near_lips())
        near = None
        if unlike > 0.0:
            near = around, np.float32(unlike) * near_lips()[around], inverse2(to_layout[around])
        return DriverLips(share, unlike, _slope(mesh), pieces, near)

    def as_pieces(self, vectors: Floats, alike: float = 0.0) -> Floats:
        """Displacements ``(N, 2)`` at the layout's nodes, or a copy with what belongs to the lips changed.

        Args:
            alike: how far the lips of the face that they go to are as the driver's, see :func:`lips_alike`:
                its local maps mislead in the same way, and undo it.
        """
        if not self.pieces and self.near is None:
            return vectors
        found: Floats = vectors.copy()
        for lip, to_image, back in self.pieces:
            image = apply2(to_image, vectors[lip])
            most = MOST * np.maximum(_lengths(vectors[lip]), _lengths(_as_seen(image, self.slope)))
            piece = apply2(back, image)
            piece *= np.minimum(1, most / np.maximum(_lengths(piece), 1e-6))
            found[lip] += np.float32(self.share) * (piece - vectors[lip])
        if self.near is not None:
            near, share, to_image = self.near
            measured, changed = as_numbers(vectors), as_numbers(found)
            seen = as_numbers(_as_seen(apply2(to_image, as_vectors(measured[near])), self.slope))
            changed[near] += np.float32(1 - alike) * share * (seen - changed[near])
        return found


def _lengths(vectors: Floats) -> Floats:
    """``(N, 1)`` of vectors ``(N, 2)``."""
    return np.asarray(np.hypot(vectors[:, :1], vectors[:, 1:]), np.float32)


def _unlike_layout(mesh: Floats) -> float:
    """How far (0..1) a mouth, in face units, is so open or narrow that its local maps mislead."""
    width = float(np.linalg.norm(mesh[_CORNERS[1]] - mesh[_CORNERS[0]]))
    usual = float(np.linalg.norm(layout().points[_CORNERS[1]] - layout().points[_CORNERS[0]]))
    return max(ramp(mouth_gap(mesh), GAPING), ramp(width / usual, NARROW))


def _slope(mesh: Floats) -> complex:
    """Scale and roll of landmarks ``(468, 2)`` against the layout."""
    flat = layout().points - layout().points.mean(axis=0)
    z, w = flat @ np.array([1, 1j]), mesh @ np.array([1, 1j])
    return complex(np.vdot(z, w - w.mean()) / np.vdot(z, z))


def _as_seen(image: Floats, slope: complex) -> Floats:
    """Image displacements ``(N, 2)`` in the layout, by the scale and the roll of the whole face."""
    return Similarity(1 / slope, 0j).apply(image)


def _open_share(mesh: Floats, unit: float) -> float:
    apart = abs(mouth_gap(mesh) / unit - USUAL)
    return ramp(apart, (SAME, OTHER))


def _pieces(mesh: Floats, unit: float) -> list[tuple[np.ndarray, Floats]]:
    """Of each lip, its nodes and the maps that they have as one piece."""
    nearer, maps = brought_together(mesh, unit), layout()
    found = []
    for nodes, edge, weights in _lips():
        at_edge = np.stack([maps.slope_x[edge] @ nearer, maps.slope_y[edge] @ nearer], axis=2)
        found.append((nodes, np.asarray(np.tensordot(weights, at_edge, axes=1), np.float32)))
    return found


def lips_alike(one: Floats, other: Floats) -> float:
    """How far (0..1) the mouths of two faces are the same by place and shape; landmarks ``(468+, 2)``."""
    marks = (np.asarray(face[_MOUTH], np.float32).tobytes() for face in (one, other))
    return _alike(*marks)


@lru_cache(maxsize=16)
def _alike(one: bytes, other: bytes) -> float:
    """The same by the positions of :data:`_MOUTH`: every frame asks for those of the same two faces."""
    first, second = (_between_eyes(np.frombuffer(places, np.float32)) for places in (one, other))
    low, high = ALIKE
    return 1 - ramp(float(np.sqrt((np.abs(first - second) ** 2).mean())), (low, high))


def _between_eyes(places: Floats) -> np.ndarray:
    """A mouth's landmarks as complex numbers: 0 and 1 are the eyes' outer corners."""
    right, left, *lips = as_numbers(places.reshape(-1, 2)).astype(np.complex128)
    across = left - right
    return np.asarray((np.array(lips) - right) / (across if abs(across) > 1e-9 else 1e-9))


def mouth_gap(mesh: Floats) -> float:
    """Distance of the lips' edges at the middle; the unit is that of the landmarks ``(468+, 2)``."""
    middle = len(topo.LIPS_UPPER_INNER) // 2
    upper, lower = mesh[topo.LIPS_UPPER_INNER[middle]], mesh[topo.LIPS_LOWER_INNER[middle]]
    return float(np.linalg.norm(lower - upper))


def at_rest(width: float, face: Floats) -> float:
    """Width that a mouth has when it does not smile, from landmarks ``(468+, 2)`` of the same unit."""
    return min(width, SMILE * eyes_apart(face))


def eyes_apart(face: Floats) -> float:
    """Distance of the eyes' outer corners, from landmarks ``(468+, 2)``; in their unit."""
    right, left = face[list(EYES)].astype(np.float64)
    return float(np.hypot(*(left - right)))


def brought_together(mesh: Floats, unit: float) -> Floats:
    """Landmarks ``(468, 2)`` of a face, moved below its mouth until the lips are as in the layout.

    The distance depends only on the position between the corners of the mouth, so that lower lip and chin
    keep their shape; to the sides of the mouth nothing moves.
    """
    flat = layout().points
    upper, lower = list(topo.LIPS_UPPER_INNER), list(topo.LIPS_LOWER_INNER)
    gap = mesh[lower] - mesh[upper]
    length = np.linalg.norm(gap, axis=1, keepdims=True)
    across = mesh[upper[-1]] - mesh[upper[0]]
    down = np.array([-across[1], across[0]], np.float32) / max(float(np.hypot(*across)), 1e-6)
    # Lips that touch have no direction of their own.
    own = np.clip(length / np.float32(0.5 * USUAL * unit), 0.0, 1.0)
    direction = down + own * (gap / np.maximum(length, 1e-6) - down)
    usual = np.linalg.norm(flat[lower] - flat[upper], axis=1, keepdims=True) * np.float32(unit)
    excess = gap - usual * direction
    line = (flat[upper] + flat[lower]) / 2
    here = [np.interp(flat[:, 0], line[:, 0], excess[:, axis]) for axis in (0, 1)]
    below = flat[:, 1] > np.interp(flat[:, 0], line[:, 0], line[:, 1])
    below[lower], below[upper] = True, False
    return np.asarray(mesh - below[:, None] * np.stack(here, axis=1), np.float32)


@lru_cache(maxsize=1)
def _lips() -> tuple[tuple[np.ndarray, list[int], Floats], ...]:
    """For upper and lower lip: its nodes, its outer edge's landmarks, and their weights for each node.

    A node's map is that of the outer edge above or below it, interpolated along the mouth.
    """
    maps = layout()
    x, y = maps.nodes[:, 0], maps.nodes[:, 1]
    line = (maps.points[list(topo.LIPS_UPPER_INNER)] + maps.points[list(topo.LIPS_LOWER_INNER)]) / 2
    height = np.interp(x, line[:, 0], line[:, 1])
    inside = (x > line[0, 0]) & (x < line[-1, 0])
    parts = []
    for edge, inner, side in (
        (topo.LIPS_UPPER_OUTER, topo.LIPS_UPPER_INNER, -1),
        (topo.LIPS_LOWER_OUTER, topo.LIPS_LOWER_INNER, 1),
    ):
        ends = maps.points[list(edge)]
        reach = (np.interp(x, ends[:, 0], ends[:, 1]) - height) * side
        away = (y - height) * side
        within = inside & (away >= 0) & (away <= reach)
        # Between the inner edges the layout has a gap: membership is known by name.
        within[list(topo.LIPS_UPPER_INNER + topo.LIPS_LOWER_INNER)] = False
        within[list(inner if side < 0 else inner[1:-1])] = True
        nodes = np.flatnonzero(within)
        weights = np.stack([np.interp(x[nodes], ends[:, 0], row) for row in np.eye(len(edge))], axis=1)
        parts.append((nodes, list(edge), weights.astype(np.float32)))
    return tuple(parts)


@lru_cache(maxsize=1)
def near_lips() -> Floats:
    """``(N,)`` 1 on the lips, fading to 0 around them."""
    flat, nodes = layout().points, layout().nodes
    lips = flat[list(topo.LIPS_OUTER + topo.LIPS_INNER)]
    away = np.stack([np.linalg.norm(nodes - lip, axis=1) for lip in lips]).min(axis=0)
    return np.asarray(1 - smoothstep(np.clip(away / REACH, 0.0, 1.0)), np.float32)
