"""The back of a head, which a portrait does not show: a turn uncovers it behind the ear.

The head's sheet ends at the portrait's outline.  Turned, an ear stood off with wall behind it.  There a skull
comes from behind the face, in the hair above that ear and hidden by all that the portrait shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.geometry import FaceGeometry
from mien.engine.mesh.following import usual_shares
from mien.engine.mesh.head_shape import EAR_LEFT, EAR_RIGHT, ears_rise, from_head, upright_oval
from mien.engine.mesh.head_sheet import HeadMotion, HeadSheet
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

DOWN = (-1.10, -0.75, -0.45, -0.15, 0.10, 0.29, 0.42, 0.52)
ASIDE = (0.40, 0.52, 0.55, 0.55, 0.53, 0.50, 0.47, 0.45)
BACK = (0.30, 0.80, 0.97, 1.00, 0.90, 0.68, 0.42, 0.20)
"""The back's outline from the temple to the nape: face units below the head's centre and aside from its
middle, and how far back, as a share of the way from the ears to the back of the head."""

ROWS = 19
"""Rows in which it is drawn: the outline is round."""

WIDE, MORE = (0.80, 1.15), 0.10
"""Half widths of heads at their temples that are believed, face units: hair that hangs is wider; and by how
much more than right above the ear they may be: a hat's brim is wider."""

SHORT, SIDE_VIEW = 0.10, 0.6
"""Face units by which the back stays within the outline of the scalp above it, at this turn (radians)."""

INNER, INNER_DEPTH = 0.50, 0.75
"""Face units from the middle of the head, and behind its centre, where the back ends behind the face."""

HAIR = (-0.95, -0.50)
"""Face units below the head's centre between which the hair is that the back shows."""

SHARES = (0.25, 0.75)
"""Where, from the face to the head's rim, the hair is that it shows behind the face and at its outline."""

FIRM, NARROWEST, STEP = 0.95, 0.10, 0.02
"""How far a place is to be the person's to be shown; and, in face units, how wide hair is to be beside the
face, and how far apart places are that are tried."""


@dataclass(frozen=True, slots=True)
class BackOfHead:
    """What a turn uncovers behind the face on one side, ``P`` vertices in rows of two.

    Attributes:
        sheet: where they are, and how they move.
        shows: ``(P, 2)`` the places of the portrait that they show, pixels.
    """

    sheet: HeadSheet
    shows: Floats

    @staticmethod
    def of(geometry: FaceGeometry, side: int, neck: Floats, person: Floats) -> BackOfHead | None:
        """Of a face seen from the front (0.3 ms); None where no hair or skin is beside it above the ear.

        Args:
            geometry: the face's.
            side: -1 for what is uncovered on the left of the image, 1 on the right.
            neck: ``(3,)`` where the head turns on its neck, as in :class:`HeadSheet`.
            person: ``(H, W)`` in 0..1 where the person is in the portrait.
        """
        upright, oval = upright_oval(geometry)
        hair = _beside_face(geometry, side, upright, oval, person)
        if hair is None:
            return None
        ears = float(geometry.solid[[EAR_RIGHT, EAR_LEFT], 2].mean()) / geometry.unit
        wide = float(np.clip(min(hair[:, 1].max(), hair[-1, 1] + MORE), *WIDE))
        c, s = np.cos(SIDE_VIEW), np.sin(SIDE_VIEW)
        far = max((wide + ears * s - SHORT - max(ASIDE) * c) / s - ears, 0.0)
        down, aside, back = _round_outline()
        places = np.empty((ROWS, 2, 3), np.float32)
        places[:, 0, 0], places[:, 1, 0] = side * INNER, side * aside
        places[..., 1] = down[:, None] + ears_rise(oval)[1]
        places[:, 0, 2], places[:, 1, 2] = INNER_DEPTH, ears + far * back
        shown = np.empty((ROWS, 2, 2), np.float32)
        shown[..., 0] = side * (hair[:, :1] + np.array(SHARES) * (hair[:, 1:] - hair[:, :1]))
        shown[..., 1] = np.linspace(*HAIR, ROWS)[:, None]
        return BackOfHead(
            _solid(places.reshape(-1, 3), geometry, upright, neck),
            from_head(shown.reshape(-1, 2), geometry, upright),
        )

    def moved(self, motion: HeadMotion) -> tuple[Floats, Floats]:
        """Where its vertices go, ``(P, 2)``, and their depth, ``(P,)``; pixels."""
        return self.sheet.moved(motion)


@lru_cache(maxsize=1)
def back_triangles() -> NDArray[np.int32]:
    """``(T, 3)`` of its vertices."""
    row = 2 * np.arange(ROWS - 1, dtype=np.int32)[:, None]
    found = np.concatenate([row + np.array(corners, np.int32) for corners in ([0, 1, 2], [1, 3, 2])])
    found.setflags(write=False)
    return found


@lru_cache(maxsize=1)
def _round_outline() -> tuple[Floats, Floats, Floats]:
    """:data:`DOWN`, :data:`ASIDE` and :data:`BACK` without corners, ``(ROWS,)`` each."""
    down = np.linspace(DOWN[0], DOWN[-1], ROWS)
    aside, back = (np.polyval(np.polyfit(DOWN, values, 4), down) for values in (ASIDE, BACK))
    return down.astype(np.float32), aside.astype(np.float32), back.astype(np.float32)


def _solid(places: Floats, geometry: FaceGeometry, upright: Floats, neck: Floats) -> HeadSheet:
    """Places ``(P, 3)`` on the upright head that move with it as a solid."""
    positions, count = from_head(places[:, :2], geometry, upright), len(places)
    none = np.zeros(count, np.float32)
    return HeadSheet(
        positions=positions,
        solid=np.column_stack([positions - geometry.centre, places[:, 2] * geometry.unit]).astype(np.float32),
        follow=usual_shares(none + 1),
        round=none,
        ties=np.zeros((count, 36), np.float32),
        slack=none,
        unit=geometry.unit,
        known=None,
        up=none,
        neck=neck,
    )


def _beside_face(
    geometry: FaceGeometry, side: int, upright: Floats, oval: Floats, person: Floats
) -> Floats | None:
    """``(rows, 2)`` from where to where the head goes on beside the face, face units from its middle."""
    heights = np.linspace(*HAIR, ROWS, dtype=np.float32)
    edge = np.array([(side * oval[:, 0])[np.abs(oval[:, 1] - at) < 0.15].max(initial=0.4) for at in heights])
    away = np.arange(-NARROWEST, WIDE[1], STEP, dtype=np.float32)
    across = edge[:, None] + away
    row = np.stack([side * across, np.broadcast_to(heights[:, None], across.shape)], axis=2)
    image = from_head(row.reshape(-1, 2).astype(np.float32), geometry, upright)
    gone = sample(person, image[None]).reshape(across.shape) < FIRM
    reach = np.where(gone.any(axis=1), gone.argmax(axis=1), len(away)) * np.float32(STEP) - NARROWEST
    if reach.min() < 0:
        return None
    # Of a bald head the temple is shown, which is within the face's outline.
    outer = np.minimum(edge + reach, WIDE[1])
    return np.stack([np.minimum(edge, outer - NARROWEST), outer], axis=1).astype(np.float32)
