"""The driver's facial motion since the reference frame.

A :class:`Motion` is independent of the person: it is expressed in face units of the canonical layout
(:mod:`mien.engine.face.layout`), so that it can be recorded, edited, and played on any face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import GRID, apply2, inverse2
from mien.engine.face.lips import DriverLips
from mien.engine.face.regions import REGIONS
from mien.engine.motion.body import Body, mixed_bodies
from mien.engine.motion.key_motion import KeyMotion, mixed
from mien.engine.motion.region_fit import RegionFits
from mien.engine.motion.shading import Shading, mixed_shadings
from mien.engine.mouth.view import MouthView
from mien.engine.types import N_BLENDSHAPES, N_LANDMARKS, Floats


@dataclass(frozen=True, slots=True)
class Head:
    """Head motion since the reference frame.

    Attributes:
        shift: ``(x, y)`` in face units along the image's axes (right, down).
        scale: size ratio (larger than 1 when nearer to the camera).
        roll: radians, clockwise on screen.
        turn: ``(pitch, yaw)`` in radians; nodding down and turning to the image's right are positive.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    roll: float = 0.0
    turn: tuple[float, float] = (0.0, 0.0)

    def mixed(self, other: Head, share: float) -> Head:
        """Return this motion with ``share`` (0..1) of ``other`` mixed in."""

        def mix(a: float, b: float) -> float:
            return a + (b - a) * share

        return Head(
            (mix(self.shift[0], other.shift[0]), mix(self.shift[1], other.shift[1])),
            float(np.exp(mix(np.log(self.scale), np.log(other.scale)))),
            mix(self.roll, other.roll),
            (mix(self.turn[0], other.turn[0]), mix(self.turn[1], other.turn[1])),
        )


@dataclass(frozen=True)
class Shape:
    """Position of the driver's own face in the layout; one per reference frame, shared by its motions.

    ``N`` nodes as in :class:`mien.engine.face.layout.Layout`.

    Attributes:
        nodes: ``(N, 2) float32`` image positions relative to the head's centre, in face units; the
            landmarks as they were found.
        to_layout: ``(N, 2, 2) float32`` local maps from image displacements to layout displacements.
    """

    nodes: Floats
    to_layout: Floats

    @cached_property
    def to_image(self) -> Floats:
        """``(N, 2, 2) float32`` the maps back, from layout displacements."""
        return inverse2(self.to_layout)

    def moved(self, points: Floats, members: Sequence[int] | NDArray[np.intp] | slice) -> Floats:
        """``(n, 2)`` where some of the landmarks go, face units.

        Args:
            points: ``(478, 2)`` displacements of all landmarks, as those of a :class:`Motion`.
            members: the landmarks asked for.
        """
        where = self.nodes[members] + apply2(self.to_image[members], points[members])
        return np.asarray(where, np.float32)

    @cached_property
    def lips(self) -> DriverLips:
        """How what was measured on this driver's lips is carried over."""
        return DriverLips.of(self.nodes, self.to_layout)


@dataclass(frozen=True, slots=True)
class Motion:
    """The driver's motion in one frame, relative to the reference frame.

    Displacements are in face units along the layout's axes, with the head's motion removed.

    Attributes:
        index, captured_ns, time: of the driving frame.
        head: the head's motion.
        points: ``(478, 2) float32`` displacements of the landmarks.
        dense: ``(GRID, GRID, 2) float32`` the displacement field on the layout's grid.
        trust: ``(GRID, GRID) float32`` in 0..1: 1 where the field was measured by alignment, 0 where it
            had to be taken from the landmarks.
        fits: the regions' own motion, as :attr:`regions` and :attr:`affines`.
        gaze: ``(2, 2) float32`` displacement of the irises within the lids (right eye, left eye).
        blink: ``(2,) float32`` eye closure in 0..1 (right, left).
        blendshapes: ``(52,) float32`` of the driving frame itself, not relative.
        confidence: landmark network's presence score, 0..1.
        shape: the driver's face in the layout; None for motion not measured from a face.
        keys: change of a network's own key points; None without such a network.
        mouth: the driver's mouth as the frame shows it, never recorded; None where it is not asked for.
        light: ``(GRID, GRID) float32`` how much brighter folds make the driver's skin, logarithm, never
            recorded; None where it was not seen or is not asked for.
        body: the motion of the shoulders; None where it was not measured.
        shading: the light on the whole face; None where it was not measured.
    """

    index: int
    captured_ns: int
    time: float
    head: Head
    points: Floats
    dense: Floats
    trust: Floats
    fits: RegionFits
    gaze: Floats
    blink: Floats
    blendshapes: Floats
    confidence: float
    shape: Shape | None = None
    keys: KeyMotion | None = None
    mouth: MouthView | None = None
    light: Floats | None = None
    body: Body | None = None
    shading: Shading | None = None

    @property
    def regions(self) -> Floats:
        """``(K, 2) float32`` displacement of each region (robust fit, at the region's centre)."""
        return self.fits.found[0]

    @property
    def affines(self) -> Floats:
        """``(K, 2, 2) float32`` local affine of each region (identity when nothing moves)."""
        return self.fits.found[1]

    @staticmethod
    def neutral(index: int = 0, time: float = 0.0, captured_ns: int = 0) -> Motion:
        """Create a motion in which nothing moves."""
        count = len(REGIONS)
        return Motion(
            index=index,
            captured_ns=captured_ns,
            time=time,
            head=Head(),
            points=np.zeros((N_LANDMARKS, 2), np.float32),
            dense=np.zeros((GRID, GRID, 2), np.float32),
            trust=np.ones((GRID, GRID), np.float32),
            fits=RegionFits.given(
                np.zeros((count, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (count, 1, 1))
            ),
            gaze=np.zeros((2, 2), np.float32),
            blink=np.zeros(2, np.float32),
            blendshapes=np.zeros(N_BLENDSHAPES, np.float32),
            confidence=0.0,
        )

    def mixed(self, other: Motion, share: float) -> Motion:
        """Return this motion with ``share`` (0..1) of ``other`` mixed in; identity and time are kept."""
        arrays = ("points", "dense", "trust", "gaze", "blink", "blendshapes")
        changed = {
            name: ((1 - share) * getattr(self, name) + share * getattr(other, name)).astype(np.float32)
            for name in arrays
        }
        head = self.head.mixed(other.head, share)
        keys = mixed(self.keys, other.keys, share)
        light = _mixed_light(self.light, other.light, share)
        fits = self.fits.mixed(other.fits, share)
        shape, body = self.shape or other.shape, mixed_bodies(self.body, other.body, share)
        shading = mixed_shadings(self.shading, other.shading, share)
        return replace(
            self,
            head=head,
            shape=shape,
            keys=keys,
            light=light,
            fits=fits,
            body=body,
            shading=shading,
            **changed,
        )


def _mixed_light(light: Floats | None, other: Floats | None, share: float) -> Floats | None:
    """Light with ``share`` (0..1) of another's; no light is none on every node."""
    mine = None if light is None else np.float32(1 - share) * light
    theirs = None if other is None else np.float32(share) * other
    return theirs if mine is None else mine if theirs is None else mine + theirs
