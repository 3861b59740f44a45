"""Lips that purse: a mouth that becomes much narrower takes on the driver's shape as it is.

Motion is what has changed since the reference.  On a portrait that smiles (or a driver who began with bared
teeth) the change that purses lips ends far from pursed ones: corners came three quarters of their way, and
stayed left and right of the opening as two dark tips, while lips beside them crumpled, since each of their
landmarks had its own way to go.  So the narrower a mouth has become, the more both edges of the lips, and
what lies between and around them, stand as the driver's do, in the portrait's own size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.lips.lip_contact import CORNER_ROWS, LOWER_ROWS, UPPER_ROWS, between_edges
from mien.engine.avatar.lips.lip_shape import Rest, foreshortening
from mien.engine.face.layout import N_MESH, layout
from mien.engine.face.lips import EYES, at_rest, eyes_apart
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.mouth.edge import gap_of, width_of
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.vectors import Complexes, as_complex

NARROWED = (0.90, 0.62)
"""Width of a mouth over that in the reference from which on its lips count as pursed, and wholly."""

ROUND, ROUNDER = (0.25, 0.45), (0.08, 0.20)
"""The same for a driver's mouth that opens round: height of its opening over its width, and how much more
than in the reference."""

FLATTER, WIDER, SMALL = (1.08, 1.30), (1.12, 1.36), (0.47, 0.39)
"""How many times as round as the avatar's the driver's opening is, and as wide as the driver's, in the
portrait's own size, the avatar's, from which on it takes on that shape: on a portrait that laughs an O was a
lens with pointed corners.  The first counts where the driver's mouth is small, in distances of their eyes (in
90 % of clips the median is 0.45 to 0.63): a mouth that shouts keeps its lips."""

SKIN, SPREAD = 0.30, 0.07
"""How far around the lips skin goes along, and over how much of their edge that is averaged; face units."""

BEYOND, FADES = 0.07, 0.10
"""How far beyond its corners, in widths of the mouth, a pursed mouth's corners show the skin, and over how
many face units around them that fades."""

RIM, THICKER = 0.25, (1.15, 1.7)
"""Share of the lips' height, from the opening on, that lips leave out, and times as thick as in the portrait
from which on they do, and wholly: the line between shut lips lies there, and was drawn out to blotches."""

_INNER, _OUTER = list(topo.LIPS_INNER), list(topo.LIPS_OUTER)
RINGS = _OUTER + _INNER
_CORNERS = (0, 10)
"""Places of the mouth's corners in a ring."""


def purse_lips(points: Floats, source: Floats, motion: Motion, scale: float) -> None:
    """Give the avatar's lips the driver's shape, as far as their mouth has become narrow.

    Args:
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates; changed in place.
        source: ``(478, 2)`` their positions in the portrait.
        motion: the driver's, as measured; without their shape nothing is changed.
        scale: by how much the head has become larger.
    """
    share, round_share = pursed(motion), rounded(motion)
    if motion.shape is None or share == round_share == 0.0:
        return
    face = motion.shape.moved(motion.points, slice(N_MESH))
    theirs, ours = (at_rest(width_of(rest[_INNER]), rest) for rest in (motion.shape.nodes, source))
    # Seen aslant, a mouth is narrower than it is, and no lower.
    size = scale * ours / theirs * Rest.of(motion.shape.nodes).aslant / Rest.of(source).aslant
    now = as_complex(face[RINGS])
    upright = size * (_smoothing() @ (now - now[:20].mean())) / _axis(face)
    across = foreshortening(points) / foreshortening(face)
    shape = (across * upright.real + 1j * upright.imag) * _axis(points)
    here = as_complex(points[RINGS])
    flatter = _height(shape) / max(_height(here), 1e-9)
    wider = abs(here[30] - here[20]) / max(abs(shape[30] - shape[20]), 1e-9)
    small = ramp(width_of(face[_INNER]) / max(eyes_apart(face), 1e-9), SMALL)
    unlike = max(small * ramp(flatter, FLATTER), ramp(wider, WIDER))
    share = max(share, round_share * smoothstep(unlike))
    if share == 0.0:
        return
    delta = share * (here[:20].mean() + shape - here)
    move_rings(points, source, delta)


def move_rings(points: Floats, source: Floats, delta: Complexes) -> None:
    """Move both edges of the lips; what lies between them and the skin around them goes along.

    Args:
        points: ``(468+, 2)`` landmarks, changed in place.
        source: ``(468+, 2)`` where they are in the portrait.
        delta: ``(40,)`` by how much ``LIPS_OUTER`` and ``LIPS_INNER`` move, complex numbers.
    """
    inner, outer, between, along = between_edges(source)
    for axis, part in enumerate((delta.real, delta.imag)):
        moved = _skin() @ part[:20]
        moved[RINGS] = part
        moved[between] = moved[inner] + along * (moved[outer] - moved[inner])
        points[:N_MESH, axis] += moved


def pursed(motion: Motion) -> float:
    """How far a driver's lips have become pursed since the reference, 0..1."""
    if motion.shape is None:
        return 0.0
    ends = list(topo.MOUTH_CORNERS)
    now = motion.shape.moved(motion.points, ends)
    return _narrowed(float(np.hypot(*(now[1] - now[0]))), width_of(motion.shape.nodes[_OUTER]))


def rounded(motion: Motion) -> float:
    """How far a driver's mouth has opened to an O since the reference, 0..1."""
    if motion.shape is None:
        return 0.0
    before, now = motion.shape.nodes[_INNER], motion.shape.moved(motion.points, _INNER)
    aslant = Rest.of(motion.shape.nodes).aslant
    tall, was = (aslant * gap_of(ring) / max(width_of(ring), 1e-6) for ring in (now, before))
    return smoothstep(ramp(tall, ROUND) * ramp(tall - was, ROUNDER))


def hide_corners(source: Floats, places: Floats, size: float, shown: Floats) -> Floats:
    """What the landmarks show where lips purse: the shadow of a wide mouth's corners and edges goes behind.

    It reaches beyond the landmarks, and skin that is drawn along made two dark lines of it.

    Args:
        source, places: ``(468+, 2)`` the landmarks in the portrait, and where they go; model coordinates.
        size: by how much the head has become larger.
        shown: ``(468+, 2)`` the places that they show so far.
    """
    share, thick = narrowed(source, places, size), _thickened(source, places, size)
    if share == 0.0 and thick == 0.0:
        return shown
    found: Floats = shown.copy()
    inner, outer, between, along = between_edges(source)
    lip = np.float32(RIM * max(share, thick)) * (source[outer] - source[inner])
    found[inner] += lip
    found[between] += (1 - along)[:, None] * lip
    first, last = (_OUTER[corner] for corner in _CORNERS)
    found[:N_MESH] += (_beside() * np.float32(BEYOND * share))[:, None] * (source[first] - source[last])
    return found


def narrowed(source: Floats, places: Floats, size: float) -> float:
    """How far a portrait's mouth has become narrow, 0..1; for the arguments see :func:`hide_corners`."""
    return _narrowed(width_of(places[_OUTER]), size * width_of(source[_OUTER]))


def narrowest(source: Floats, places: Floats, size: float) -> float:
    """The same of the edge of its lips that has become narrower: in an O between thick lips the inner one."""
    inner = _narrowed(width_of(places[_INNER]), size * width_of(source[_INNER]))
    return max(narrowed(source, places, size), inner)


def _thickened(source: Floats, places: Floats, size: float) -> float:
    """How far the lips have become thicker, 0..1; for the arguments see :func:`hide_corners`."""
    before, now = (np.hypot(*(face[_OUTER] - face[_INNER]).T).sum() for face in (source, places))
    return smoothstep(ramp(float(now) / max(size * float(before), 1e-6), THICKER))


def _narrowed(width: float, before: float) -> float:
    """How far a mouth counts as pursed that had another width before, 0..1."""
    return smoothstep(ramp(width / max(before, 1e-6), NARROWED))


@lru_cache(maxsize=1)
def _smoothing() -> NDArray[np.float64]:
    """``(40, 40)`` takes from both edges the jags that the landmark network gives to pursed lips."""
    soft = (np.roll(np.eye(20), 1, axis=0) + 2 * np.eye(20) + np.roll(np.eye(20), -1, axis=0)) / 4
    soft[list(_CORNERS)] = np.eye(20)[list(_CORNERS)]
    found = np.zeros((40, 40))
    found[:20, :20], found[20:, 20:] = soft, soft @ soft
    found.setflags(write=False)
    return found


def _height(rings: Complexes) -> float:
    """Height of the opening over its width, of both edges ``(40,)``."""
    return float(abs(rings[25] - rings[35]) / max(abs(rings[30] - rings[20]), 1e-9))


def _axis(face: Floats) -> complex:
    """Direction from eye to eye of landmarks ``(468+, 2)``, of length one."""
    right, left = (complex(*face[eye].astype(np.float64)) for eye in EYES)
    return (left - right) / max(abs(left - right), 1e-9)


@lru_cache(maxsize=1)
def _beside() -> Floats:
    """``(468,)`` 1 at the first corner of the mouth, -1 at the last, fading over the skin; 0 on the lips."""
    flat = layout().points
    first, last = (np.linalg.norm(flat - flat[_OUTER[corner]], axis=1) for corner in _CORNERS)
    found = np.exp(-((first / FADES) ** 2)) - np.exp(-((last / FADES) ** 2))
    # With the rows behind them, where the shadow is deepest.
    corners = [_OUTER[corner] for corner in _CORNERS] + [landmark for row in CORNER_ROWS for landmark in row]
    kept = found[corners]
    found[RINGS + _between_lips()] = 0.0
    found[corners] = kept
    found.setflags(write=False)
    return np.asarray(found, np.float32)


def _between_lips() -> list[int]:
    return [landmark for row in (*UPPER_ROWS, *LOWER_ROWS, *CORNER_ROWS) for landmark in row]


@lru_cache(maxsize=1)
def _skin() -> NDArray[np.float64]:
    """``(468, 20)``: how far each landmark around the lips follows each of those on their outer edge."""
    flat = layout().points
    away = np.linalg.norm(flat[:, None] - flat[_OUTER], axis=2)
    nearest = away.min(axis=1)
    # Of places on the edge those as near as the nearest count; further ones fade.
    weights = np.exp(-(((away - nearest[:, None]) / SPREAD) ** 2))
    weights /= weights.sum(axis=1, keepdims=True)
    weights *= 1 - smoothstep(np.clip(nearest / SKIN, 0.0, 1.0))[:, None]
    weights[RINGS] = 0.0
    found = np.asarray(weights, np.float64)
    found.setflags(write=False)
    return found
