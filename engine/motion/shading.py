"""The light on a driver's whole face since the reference frame, as far as their frame showed it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mien.engine.face.layout import CENTRE_Y, GRID, N_MESH, layout
from mien.engine.landmarks.topology import FACE_OVAL
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.images import depth_within

MOST = 0.12
"""Logarithm of the brightness that the light approaches: nine tenths of what real faces show is below it, and
a flash on the driver's face does not bleach a portrait whose room stays as it is."""

REST = 0.006
"""Logarithm of the brightness, less than a grey level, that is taken off: a lamp's flicker and a camera's
noise stay in the driver's room."""

FADE = 0.2
"""Face units within the face's outline over which the light comes in: hair, neck and wall keep theirs."""


@dataclass(frozen=True, slots=True)
class Shading:
    """How much brighter the skin is than in the reference, as a plane over the canonical layout.

    A head that turns or comes nearer to a lamp is lit from another side; what is narrower is a fold's.

    Attributes:
        level: logarithm of the brightness in the middle of the layout.
        across, down: its increase to the right and downwards, per face unit.
    """

    level: float = 0.0
    across: float = 0.0
    down: float = 0.0

    @staticmethod
    def of(values: Floats) -> Shading:
        """From :attr:`values`."""
        return Shading(*(float(value) for value in values))

    @property
    def values(self) -> Floats:
        """``(3,) float32`` level and slopes."""
        return np.array((self.level, self.across, self.down), np.float32)

    def scaled(self, gain: float) -> Shading:
        """The same light, stronger or weaker."""
        return Shading(self.level * gain, self.across * gain, self.down * gain)

    def at(self, place: Floats) -> float:
        """Logarithm of the brightness that is drawn at a place ``(2,)`` of the layout, face units."""
        light = self.level + self.across * place[0] + self.down * (place[1] - CENTRE_Y)
        return float(_limited(np.float32(light)))

    def at_nodes(self) -> Floats:
        """``(GRID, GRID) float32`` logarithm of the brightness that is drawn, 0 beside the face."""
        planes = layout_planes()
        light = self.level + self.across * planes[1] + self.down * planes[2]
        return np.asarray(_limited(light) * _face(), np.float32)


def _limited(light: Any) -> Any:
    """A logarithm of brightness as it is drawn: of small ones nothing, and none beyond the most."""
    beyond = np.sign(light) * np.maximum(np.abs(light) - np.float32(REST), 0)
    return np.float32(MOST) * np.tanh(beyond / np.float32(MOST))


def mixed_shadings(shading: Shading | None, other: Shading | None, share: float) -> Shading | None:
    """A light with ``share`` (0..1) of another; one that is not known is the reference's."""
    if shading is None and other is None:
        return None
    mine, theirs = (shading or Shading()).scaled(1 - share), (other or Shading()).scaled(share)
    return Shading(mine.level + theirs.level, mine.across + theirs.across, mine.down + theirs.down)


@lru_cache(maxsize=1)
def layout_planes() -> Floats:
    """``(3, GRID, GRID) float32``: 1, and x and y of the layout's nodes from its middle, face units."""
    nodes = layout().nodes[N_MESH:].reshape(GRID, GRID, 2)
    ones = np.ones((GRID, GRID), np.float32)
    return np.stack([ones, nodes[..., 0], nodes[..., 1] - CENTRE_Y]).astype(np.float32)


@lru_cache(maxsize=1)
def _face() -> Floats:
    """``(GRID, GRID) float32``: 1 on the face, 0 from its outline on."""
    within = depth_within(layout().nodes[N_MESH:], layout().points[list(FACE_OVAL)])
    share = np.clip(within.astype(np.float32) / np.float32(FADE), 0, 1)
    return np.asarray(smoothstep(share).reshape(GRID, GRID), np.float32)
