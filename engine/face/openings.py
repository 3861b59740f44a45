"""Lids and lips at their true opening, which a smooth field over the face cannot represent.

On talking clips the smooth field carries half of a mouth's opening and less of a blink.  Therefore the
landmarks of eyes and mouth are moved to where the landmark network saw them, wherever that differs from the
field by more than a small movement could (small ones are left to the alignment: at a threshold of 0.009 the
fidelity on subtle clips fell from 0.917 to 0.879), and the weight of the dense measurement is reduced there.
A blink stays below that difference, since only the upper lid moves: lids are examined separately.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp

OPENINGS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    (topo.RIGHT_EYE, topo.RIGHT_EYE),
    (topo.LEFT_EYE, topo.LEFT_EYE),
    (topo.LIPS_OUTER, topo.LIPS_OUTER + topo.LIPS_INNER),
)
"""Outline and landmarks of each eye and of the mouth."""

_MEMBERS = tuple(np.array(members) for _, members in OPENINGS)
_LED = np.array(topo.LIPS_UPPER_OUTER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1])
_TAPER = np.array(2 * [0.5, *7 * [1.0], 0.5], np.float32)[:, None]

NOISE = 0.022
"""RMS difference of a region (face units) up to which the smooth field is accepted."""


LID_NOISE = 0.3
"""Relative change of a lid gap up to which the smooth field is accepted."""

LID_FULL = 0.5
"""Relative change from which on the lids are entirely where they were seen."""

LIP_NOISE, LIP_FULL = 0.02, 0.04
"""Changes of the lips' gap (face units): up to the first the smooth field is right, from the second on the
lips are wholly where they were seen.  On a talking clip whose mouth opened by 0.09 the field gave 0.03."""

LEADS, LED = (0.6, 0.95), (0.05, 0.10)
"""Mean trust in the field on the lips from which on it leads their outer edge, and wholly so; and largest
distance (face units) of where a landmark of theirs was seen from where the field has it up to which it does,
and from which on all are where they were seen.  The alignment sees this edge
against the skin: on 148 pairs of frames lips lie nearer to the truth by 3 % of their grey-level error with
it, their own skin by 5 and that around them by 4 %.  What opens is the inner edge, which stays where it was
seen, and so do the corners.  Of lips that open wide the outer edge goes along with the inner one, all of it
alike: led landmark by landmark, they were thin next to their corners."""

LIDS = np.array([159, 145, 158, 153, 160, 144, 386, 374, 385, 380, 387, 373])
"""Landmarks on upper and lower lid, alternating: three pairs of the right eye, three of the left."""


def lid_gaps(lids: Floats) -> tuple[float, float]:
    """Mean gap of the right and the left eye's lids, from the positions ``(12, 2)`` of :data:`LIDS`."""
    pairs = lids.reshape(2, -1, 2, 2)
    apart = pairs[:, :, 0] - pairs[:, :, 1]
    right, left = np.add.reduce(np.hypot(apart[..., 0], apart[..., 1]), axis=1).tolist()
    return right / apart.shape[1], left / apart.shape[1]


def lid_change(before: Floats, now: Floats) -> tuple[float, float]:
    """Relative change of the gap between the lids: right eye, left eye.

    Args:
        before, now: ``(468+, 2)`` landmarks at one scale.
    """
    right, left = (
        abs(left / max(was, 1e-6) - 1.0)
        for was, left in zip(lid_gaps(before[LIDS]), lid_gaps(now[LIDS]), strict=True)
    )
    return right, left


def lid_share(change: float) -> float:
    """Weight in 0..1 of the seen lids for this relative change of their gap."""
    return ramp(change, (LID_NOISE, LID_FULL))


def lip_share(before: Floats, now: Floats, unit: float) -> float:
    """Weight in 0..1 of the seen lips for this change of the gap between them.

    Args:
        before, now: ``(468+, 2)`` landmarks at one scale.
        unit: that scale: length of a face unit.
    """
    change = abs(mouth_gap(now) - mouth_gap(before)) / unit
    return ramp(change, (LIP_NOISE, LIP_FULL))


def add_detail(
    smooth: Floats,
    seen: Floats,
    lids: tuple[float, float] = (0.0, 0.0),
    lips: float = 0.0,
    trust: Floats | None = None,
) -> Floats:
    """The smooth field at the landmarks, with eyes and mouth as seen.

    Args:
        smooth: ``(468, 2)`` displacements of the smooth field, face units.
        seen: ``(468, 2)`` displacements of the landmarks themselves.
        lids: result of :func:`lid_change` for the two eyes.
        lips: result of :func:`lip_share`.
        trust: ``(468,)`` in the field at the landmarks; None for none.
    """
    points = np.array(smooth, np.float32)
    right, left = (lid_share(change) for change in lids)
    for members, least in zip(_MEMBERS, (right, left, lips), strict=True):
        apart = seen[members] - smooth[members]
        share = min(max((_size(apart) - NOISE) / NOISE, least), 1.0)
        points[members] += np.float32(share) * apart
    if trust is not None:
        points[_LED] += np.float32(_led(seen - smooth, trust)) * _TAPER * (smooth - points)[_LED]
    return points


def _led(apart: Floats, trust: Floats) -> float:
    """How far a field leads the lips' outer edge, 0..1.

    Args:
        apart: ``(468, 2)`` from where it has the landmarks to where they were seen.
        trust: ``(468,)`` in it.
    """
    far = float(np.hypot(*apart[_MEMBERS[2]].T).max())
    return ramp(float(trust[_LED].mean()), LEADS) * (1.0 - ramp(far, LED))


def detail_shares(smooth: Floats, points: Floats) -> tuple[float, ...]:
    """Share by which each region overrides the smooth field, derived from :func:`add_detail`'s result.

    For the mouth it is the share that was transferred; for the eyes more, as a blink differs by little.
    """
    right, left, mouth = (_size((points - smooth)[members]) / NOISE for members in _MEMBERS)
    # The remaining size is size * share, with share = size / NOISE - 1.
    return min(1.0, 2 * right), min(1.0, 2 * left), min(1.0, (float(np.sqrt(1 + 4 * mouth)) - 1) / 2)


def around(outline: Floats, side: int) -> Floats:
    """``(side, side)``: 1 in and close around an outline ``(P, 2)`` in -1..1, fading out over three nodes."""
    mask = np.zeros((side, side), np.uint8)
    nodes = np.round((outline + 1) * ((side - 1) / 2)).astype(np.int32)
    cv2.fillPoly(mask, [nodes.reshape(-1, 1, 2)], 255)
    mask = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8)), np.uint8)
    return np.asarray(cv2.GaussianBlur(mask, (5, 5), 1.0) / 255.0, dtype=np.float32)


def _size(apart: Floats) -> float:
    flat = apart.ravel()  # numpy's sums along narrow rows take five times as long
    return float(np.sqrt(flat @ flat / len(apart)))
