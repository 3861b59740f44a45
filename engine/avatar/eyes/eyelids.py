"""Eyelids: a backward flow that closes the avatar's eyes.

When an eye closes, upper lid, iris and lower lid end up in one place, and a field that is smooth over the
face shows the mean of the three: a half-open eye.  Here each node near an eye knows on which side of the lid
edges it lies: above, it samples from above the portrait's upper lid, below, from below the lower one, and the
eye itself is squeezed into the remaining gap.

An eye's own coordinates are complex numbers: 0 and 1 are its left and right corner in the image, and the
imaginary part grows downwards.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.face.openings import lid_change, lid_share
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep

OVER, UNDER = 0.5, 0.4
"""Skin at its edges that the line of a closed eye shows, in heights of the open eye."""

ABOVE, BELOW, BESIDE = (0.35, 0.70), 0.40, 0.15
"""Distance around an eye within which the skin moves with its lids, in eye widths; above, up to the brow,
within these limits."""

STRETCH = 0.8
"""Longest path of the upper lid, as a share of the skin above it; beyond, the skin would fold."""

_NODE = 2.0 / (FIELD_SIZE - 1)

_SOFT = 0.2j * _NODE
"""Each node takes the mean of two positions, this far above and below it: without this the edge of a slanting
lid has steps, with more of it the eye stays open."""

EYES = (
    (topo.RIGHT_EYE_UPPER, topo.RIGHT_EYE_LOWER, topo.RIGHT_IRIS, topo.RIGHT_EYEBROW_LOWER[1:-1]),
    (topo.LEFT_EYE_UPPER[::-1], topo.LEFT_EYE_LOWER[::-1], topo.LEFT_IRIS, topo.LEFT_EYEBROW_LOWER[1:-1]),
)
"""Right and left eye: landmarks of the lid edges from the image's left to its right, of the iris, and of
the middle of the brow's lower edge."""

_MEMBERS = tuple(np.array([landmark for part in eye for landmark in part]) for eye in EYES)
_ENDS = tuple(np.cumsum([0, *(len(part) for part in eye)]).tolist() for eye in EYES)
_PARTS = tuple(tuple(slice(*both) for both in pairwise(ends)) for ends in _ENDS)
"""Of each eye its landmarks, part after part, and the parts' places among them."""

Complex = NDArray[np.complex128]
Reals = NDArray[np.float64]


class Eye(NamedTuple):
    """An eye in an image: its left corner, the vector to the right one, its parts in its own coordinates."""

    corner: complex
    width: complex
    upper: Complex
    lower: Complex
    iris: complex
    brow: float

    @staticmethod
    def of(points: Floats, eye: int) -> Eye:
        # It is asked for fifteen times a frame, of the portrait and of two or three moved copies.
        return _eye(points[_MEMBERS[eye], :2].astype(np.float64).tobytes(), eye)

    @property
    def gap(self) -> float:
        """Mean distance between the lids."""
        apart = np.abs(self.lower - self.upper)
        return float(np.add.reduce(apart) / len(apart))

    def edges(self, at: Reals) -> tuple[Reals, Reals]:
        """Heights of the upper and the lower lid's edge at places between the corners."""
        top, bottom = (
            np.interp(at, np.maximum.accumulate(edge.real), edge.imag) for edge in (self.upper, self.lower)
        )
        return top, np.maximum(top, bottom)


@lru_cache(maxsize=64)
def _eye(places: bytes, eye: int) -> Eye:
    """An eye by the ``(n, 2) float64`` positions of its landmarks, part after part."""
    upper, lower, iris, brow = _PARTS[eye]
    # (x, y) as x + iy, all parts at once.
    at = np.frombuffer(places, np.complex128)
    corner, width = complex(at[0]), complex(at[upper.stop - 1] - at[0])
    width = width if abs(width) > 1e-3 else 1e-3 + 0j
    own = (at - corner) / width
    own.setflags(write=False)  # it may be returned again
    # Sums: numpy's mean takes four times as long for so few.
    centre, height = np.add.reduce(own[iris]), np.add.reduce(own[brow].imag)
    middle, above = complex(centre / len(own[iris])), float(height / len(own[brow]))
    return Eye(corner, width, own[upper], own[lower], middle, above)


def shut_eyes(dense: Floats, source: Floats, driving: Floats) -> None:
    """Let the lids' own flow take over where an eye opens or closes by a large amount.

    Args:
        dense: ``(3, 64, 64) float32`` backward flow x, y and its weight, model coordinates; changed in place.
        source, driving: ``(478, 2)`` the avatar's landmarks and their targets, model coordinates.
    """
    for eye, change in enumerate(lid_change(source, driving)):
        share = lid_share(change)
        if share > 0.0:
            before, now = Eye.of(source, eye), Eye.of(driving, eye)
            window = _window(now)
            nodes = _grid()[window]
            (over, much), (under, less) = (_lid_flow(before, now, nodes + step) for step in (-_SOFT, _SOFT))
            _lay_over(dense[:, window[0], window[1]], (over + under) / 2, share * (much + less) / 2)


def _window(eye: Eye) -> tuple[slice, slice]:
    """Rows and columns of the nodes that an eye's lids may move."""
    heights = (eye.upper.imag.min() - ABOVE[1], eye.lower.imag.max() + BELOW)
    reach = eye.corner + eye.width * np.array([u + 1j * v for u in (-BESIDE, 1 + BESIDE) for v in heights])

    def nodes(values: Reals) -> slice:
        first, last = np.floor((values.min() + 1) / _NODE), np.ceil((values.max() + 1) / _NODE)
        return slice(int(np.clip(first, 0, FIELD_SIZE)), int(np.clip(last + 1, 0, FIELD_SIZE)))

    return nodes(reach.imag), nodes(reach.real)


@lru_cache(maxsize=1)
def _grid() -> Complex:
    """The model's grid nodes, ``(64, 64)``."""
    axis = np.linspace(-1.0, 1.0, FIELD_SIZE)
    return np.asarray(axis[None, :] + 1j * axis[:, None])


def _lid_flow(before: Eye, now: Eye, nodes: Complex) -> tuple[Complex, Reals]:
    """Backward flow at the nodes, and the influence of the lids in 0..1."""
    places = (nodes - now.corner) / now.width
    u, v = places.real, places.imag
    top, bottom = now.edges(u)
    top_before, bottom_before = before.edges(u)
    gap = bottom_before - top_before
    above = float(np.clip(before.upper.imag.min() - before.brow, *ABOVE))
    # Between two rows of nodes the field is linear: anything thinner than a row would be shown a row high.
    # Hence the skin next to the eye takes half of that row.
    thin = np.clip(1.0 - (bottom - top) * (abs(now.width) / _NODE), 0.0, 1.0)
    top_before = top_before - np.clip(STRETCH * above - gap, 0.0, OVER * gap) * thin
    bottom_before = bottom_before + UNDER * thin * gap
    over, under = np.maximum(top - v, 0.0), np.maximum(v - bottom, 0.0)
    between = np.clip((v - top) / np.maximum(bottom - top, 1e-6), 0.0, 1.0)
    v_before = top_before + between * (bottom_before - top_before) - over + under
    # The gaze moves the inside, less towards the corners and not at the edges.
    moves = np.clip(4 * u * (1 - u), 0.0, 1.0) * 4 * between * (1 - between)
    u_before = u - moves * (now.iris - before.iris).real
    flow = before.corner + (u_before + 1j * v_before) * before.width - nodes
    aside = np.maximum(np.maximum(-u, u - 1.0), 0.0)
    weight = np.maximum(1.0 - over / above, 0.0) * _falling(under / BELOW) * _falling(aside / BESIDE)
    return flow, weight


def _falling(distance: Reals) -> Reals:
    """1 at 0, smoothly to 0 at 1."""
    share: Reals = np.minimum(distance, 1.0)
    return 1.0 - smoothstep(share)


def _lay_over(dense: Floats, flow: Complex, weight: Reals) -> None:
    """Blend a flow over that in ``dense`` (a view)."""
    total = weight + (1.0 - weight) * dense[2]
    part = weight / np.maximum(total, 1e-6)
    dense[0] += part * (flow.real - dense[0])
    dense[1] += part * (flow.imag - dense[1])
    dense[2] = total
