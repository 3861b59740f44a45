"""Agreement of the result's expression with the driver's: shut lids, opening of the mouth, strength.

Everything is measured on landmarks and blendshapes found in the images themselves, each face relative
to its own reference: the driver to its reference frame, the result to the portrait.  It needs no
renderer, so that results of any tool can be compared.

- An eye's *opening* is the mean gap of three pairs of lid points over the distance of its corners.
- The mouth's *aperture* is the distance of the inner lips' middles.  What the driver's proportions ask
  for is the portrait's own aperture plus the driver's change, scaled by the ratio of the two faces'
  mouth widths at their references; and no more than the driver's own or the portrait's, so scaled: what
  a portrait's open mouth shows already is not shown twice.
- *Strength* is the least-squares gain of the result's change of 51 blendshapes over the driver's;
  *likeness* is the cosine of the two.

Distances are three-dimensional, so that a turned head's mouth is not narrower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.face.openings import LIDS
from mien.engine.landmarks import topology as topo
from mien.engine.types import Face, Floats

SHUT = 0.15
"""Share of its own opening at the reference below which a driver's eye is shut."""

CLOSED = 0.20
"""The same of the result, which is then to be below this, ..."""

OPEN = 0.70
"""... and not below it where the driver's eye is open by more than this share."""

WIDE = 0.60
"""Aperture over mouth width from which a mouth is wide open."""

TOLERANCE = 0.15
"""Share of what is asked for by which a wide mouth's aperture may be off."""

LIVELY = 0.5
"""Length of the change of blendshapes from which a frame counts for strength: below it is mostly noise."""

_LIPS = (13, 14)
_EYES = (
    (topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER),
    (topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER),
)


@dataclass(frozen=True, slots=True)
class Expression:
    """Expression of one face.

    Attributes:
        eyes: opening of the person's right and left eye, over their widths.
        aperture: of the mouth, pixels.
        width: of the mouth, pixels.
        shapes: ``(51,) float32`` blendshapes without the neutral one.
    """

    eyes: tuple[float, float]
    aperture: float
    width: float
    shapes: Floats

    @staticmethod
    def of(face: Face) -> Expression:
        """Measure the expression of a face in an image."""
        points = face.landmarks[:, :3]

        def apart(a: int, b: int) -> float:
            return float(np.linalg.norm(points[a] - points[b]))

        pairs = points[LIDS].reshape(2, -1, 2, 3)
        gaps = np.linalg.norm(pairs[:, :, 0] - pairs[:, :, 1], axis=-1).mean(axis=1)
        right, left = (float(gap) / max(apart(*ends), 1e-6) for gap, ends in zip(gaps, _EYES, strict=True))
        return Expression((right, left), apart(*_LIPS), apart(*topo.MOUTH_CORNERS), face.blendshapes[1:])


@dataclass(frozen=True, slots=True)
class Followed:
    """How a result follows its driver; shares are NaN where nothing asks for them.

    Attributes:
        frames: frames in which both faces were found.
        lost: share of the driver's frames with a face in which the result shows none.
        shut: how many times an eye of the driver was shut, each eye counted by itself.
        closed: share of them in which the result's eye was closed.
        wrongly_closed: share of the driver's open eyes that were closed in the result.
        wide: frames in which the driver's mouth was wide open.
        opened: share of them in which the result's aperture was as asked for.
        aperture: mean of the result's aperture over what is asked for, in these frames.
        strength: gain of the blendshapes over lively frames.
        likeness: cosine of the blendshapes over lively frames.
    """

    frames: int
    lost: float
    shut: int
    closed: float
    wrongly_closed: float
    wide: int
    opened: float
    aperture: float
    strength: float
    likeness: float


def follow(
    driver: Sequence[Face | None], result: Sequence[Face | None], reference: Face, portrait: Face
) -> Followed:
    """Compare a result's faces with its driver's, frame by frame.

    Args:
        driver, result: the face in every frame, None where there is none; of the same length.
        reference: the driver's face in its reference frame.
        portrait: the face in the portrait.
    """
    seen = [(d, r) for d, r in zip(driver, result, strict=True) if d is not None]
    both = [(Expression.of(d), Expression.of(r)) for d, r in seen if r is not None]
    at_driver, at_portrait = Expression.of(reference), Expression.of(portrait)
    shut, open_eyes = _eyes(both, at_driver, at_portrait)
    reached = _apertures(both, at_driver, at_portrait)
    strength, likeness = _strength(both, at_driver, at_portrait)
    return Followed(
        frames=len(both),
        lost=1.0 - len(both) / len(seen) if seen else float("nan"),
        shut=len(shut),
        closed=_share(shut < CLOSED),
        wrongly_closed=_share(open_eyes < CLOSED),
        wide=len(reached),
        opened=_share(np.abs(reached - 1) <= TOLERANCE),
        aperture=float(reached.mean()) if len(reached) else float("nan"),
        strength=strength,
        likeness=likeness,
    )


_Both = Sequence[tuple[Expression, Expression]]


def _eyes(both: _Both, driver: Expression, portrait: Expression) -> tuple[Floats, Floats]:
    """The result's openings over the portrait's where the driver's eye is shut, and where it is open."""
    theirs = _array([d.eyes for d, _ in both], 2) / _array([driver.eyes], 2)
    ours = _array([r.eyes for _, r in both], 2) / _array([portrait.eyes], 2)
    return ours[theirs < SHUT], ours[theirs > OPEN]


def _apertures(both: _Both, driver: Expression, portrait: Expression) -> Floats:
    """The result's aperture over what is asked for, in frames with a wide open mouth."""
    wide = [(d, r) for d, r in both if d.aperture > WIDE * d.width]
    asked = [asked_aperture(d, driver, portrait) for d, _ in wide]
    reached = _array([r.aperture for _, r in wide], 1) / np.maximum(_array(asked, 1), np.float32(1e-6))
    return np.asarray(reached[:, 0], np.float32)


def asked_aperture(driver: Expression, reference: Expression, portrait: Expression) -> float:
    """The aperture of the mouth that a driver's proportions ask of a portrait, pixels of the portrait."""
    scale = portrait.width / max(reference.width, 1e-6)
    added = portrait.aperture + scale * (driver.aperture - reference.aperture)
    return min(added, max(portrait.aperture, scale * driver.aperture))


def _strength(both: _Both, driver: Expression, portrait: Expression) -> tuple[float, float]:
    theirs = _array([d.shapes - driver.shapes for d, _ in both], len(driver.shapes))
    ours = _array([r.shapes - portrait.shapes for _, r in both], len(driver.shapes))
    lively = np.linalg.norm(theirs, axis=1) >= LIVELY
    d, r = theirs[lively].ravel(), ours[lively].ravel()
    power, other = float(d @ d), float(r @ r)
    if power == 0.0:
        return float("nan"), float("nan")
    return float(d @ r) / power, float(d @ r) / np.sqrt(power * other) if other > 0 else 0.0


def _array(values: Sequence[object], columns: int) -> Floats:
    return np.asarray(values, np.float32).reshape(-1, columns)


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
