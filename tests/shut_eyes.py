"""Drivers who shut their eyes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.motion import Motion, Shape


def shutting(avatar: Avatar, share: float, eyes: tuple[int, ...] = (0, 1)) -> Motion:
    """A driver with the avatar's face whose upper lids come down by this share of the gap."""
    geometry = avatar.geometry
    nodes = (geometry.nodes - geometry.centre) / np.float32(geometry.unit)
    shape = Shape(nodes, np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1)))
    points = Motion.neutral().points.copy()
    for eye in eyes:
        upper, lower = (list(row[1:-1]) for row in EYES[eye][:2])
        points[upper] += np.float32(share) * (nodes[lower] - nodes[upper])
    return replace(Motion.neutral(), points=points, shape=shape)
