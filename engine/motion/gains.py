"""Gains: how strongly the avatar takes over each part of the motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mien.engine.face.layout import GRID, N_MESH
from mien.engine.face.regions import REGIONS, region_indices, region_maps
from mien.engine.motion.motion import Head, Motion
from mien.engine.types import Floats, UsageError


@dataclass(frozen=True, slots=True)
class Gains:
    """Strength with which the avatar takes over each part of the motion; 1 is as measured, 0 is none.

    Attributes:
        head: shift, size and roll of the head and of the shoulders.
        turn: turning and nodding.
        expression: all motion of the face itself.
        regions: additional gains by region, side or group name (:mod:`mien.engine.face.regions`).
        micro: amplification of small facial motion only, 1 (off) to 8 (``micro_gain``).
    """

    head: float = 1.0
    turn: float = 1.0
    expression: float = 1.0
    regions: Mapping[str, float] = field(default_factory=dict)
    micro: float = 1.0

    def __post_init__(self) -> None:
        for name, gain in {
            **self.regions,
            "head": self.head,
            "turn": self.turn,
            "expression": self.expression,
        }.items():
            if not -8.0 <= gain <= 8.0:
                raise UsageError(
                    f"The gain of {name} is {gain:g}; give a number from -8 to 8 (1 changes nothing)."
                )
        if not 1.0 <= self.micro <= 8.0:
            raise UsageError(f"The micro gain is {self.micro:g}; give a number from 1 (off) to 8.")
        region_indices(self.regions)

    @property
    def plain(self) -> bool:
        """Whether these gains change nothing."""
        return self.head == self.turn == self.expression == 1.0 and all(g == 1 for g in self.regions.values())

    def per_region(self) -> Floats:
        """``(K,) float32``: the expression gain of each region."""
        gains = np.full(len(REGIONS), self.expression, np.float32)
        for name, gain in self.regions.items():
            gains[list(region_indices([name]))] *= gain
        return gains

    @staticmethod
    def only(names: list[str], **others: float) -> Gains:
        """Create gains that keep the named regions and silence all others."""
        kept = {REGIONS[i] for i in region_indices(names)}
        return Gains(regions={name: float(name in kept) for name in REGIONS}, **others)


def apply_gains(motion: Motion, gains: Gains) -> Motion:
    """Return the motion with every part scaled by its gain."""
    if gains.plain:
        return motion
    maps = region_maps()
    per_region = gains.per_region()
    at_points = per_region @ maps.at_points
    at_grid = (per_region @ maps.at_grid).reshape(GRID, GRID, 1)
    head = motion.head
    return replace(
        motion,
        head=Head(
            (head.shift[0] * gains.head, head.shift[1] * gains.head),
            float(head.scale**gains.head),
            head.roll * gains.head,
            (head.turn[0] * gains.turn, head.turn[1] * gains.turn),
        ),
        points=motion.points * at_points[:, None],
        dense=motion.dense * at_grid,
        fits=motion.fits.scaled(per_region),
        gaze=motion.gaze * at_points[[N_MESH, N_MESH + 5], None],
        keys=None if motion.keys is None else motion.keys.scaled(gains.expression),
        body=None if motion.body is None else motion.body.scaled(gains.head),
        light=None if motion.light is None else motion.light * np.clip(at_grid[..., 0], 0, 1),
        shading=None if motion.shading is None else motion.shading.scaled(_of_all(gains)),
    )


def _of_all(gains: Gains) -> float:
    """The least gain, 0..1: a face that stays as it is, wholly or in part, keeps its light."""
    least = min(gains.head, gains.turn, float(gains.per_region().min()))
    return min(max(least, 0.0), 1.0)
