"""Eyes that shut and mouths that open wide: what a clip's frames of that kind become on portraits.

The landmark network reads results as it reads photographs: shut lids of a statue or of a head seen from the
side it takes for a quarter open.  So each figure stands beside one of what is drawn: how much of the
portrait's eyeball the renderer's map still shows, and how far apart its mesh holds the lips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.transfer import Driving, carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Face, Floats
from mien.engine.utils.images import filled
from mien.engine.utils.sampling import sample
from mien.train.metrics.expression import CLOSED, OPEN, SHUT, TOLERANCE, WIDE, Expression, asked_aperture
from mien.train.metrics.image_tears import face_in
from mien.train.metrics.passage import Passage
from mien.train.metrics.torn import tracked

EYES = (topo.RIGHT_EYE, topo.LEFT_EYE)
LIPS = (13, 14)
"""Middles of the inner lips: the aperture is their distance."""


@dataclass(frozen=True)
class Openings:
    """A clip on a portrait; every row is an eye or a mouth: as the network reads the result, and as drawn.

    Attributes:
        clip, portrait: their names.
        shut: ``(n, 2)`` openings over the portrait's of eyes whose driver's is shut; NaN where the network
            finds no face.
        open: ``(m, 2)`` the same of eyes whose driver's is open.
        wide: ``(w, 2)`` apertures of wide mouths over what the driver's proportions ask for.
    """

    clip: str
    portrait: str
    shut: Floats
    open: Floats
    wide: Floats


def openings_of(
    passages: Sequence[Passage],
    avatars: Sequence[tuple[str, Avatar]],
    runtime: Runtime,
    landmarker: Landmarker,
    count: int,
) -> Iterator[Openings]:
    """Every clip on every portrait; ``count`` frames of each kind at most, evenly spread.

    Raises:
        MienError: a clip cannot be read.
    """
    for passage in passages:
        motions, faces = tracked(passage.frames())
        first = next((face for face in faces if face is not None), None)
        if first is None:
            continue
        reference = Expression.of(first)
        seen = {k: Expression.of(face) for k, face in enumerate(faces) if face is not None}
        chosen = telling_frames(seen, reference, count)
        for name, avatar in avatars:
            renderer, drawn = Renderer(avatar, runtime), Drawn(avatar)
            rows: tuple[list[list[float]], ...] = ([], [], [])
            for k in chosen:
                motion = motions[k]
                if motion is None:
                    continue
                face = face_in(renderer.render(motion).image, landmarker)
                found = compared(
                    seen[k], reference, face, avatar.face, drawn.measured(carry_over(motion, avatar))
                )
                for kind, more in zip(rows, found, strict=True):
                    kind.extend(more)
            shut, opened, wide = (np.asarray(kind, np.float32).reshape(-1, 2) for kind in rows)
            yield Openings(passage.name, name, shut, opened, wide)


def telling_frames(seen: dict[int, Expression], reference: Expression, count: int) -> list[int]:
    """Frames with a shut eye, with a wide mouth, and with open eyes, ``count`` of each at most."""
    shut, wide, opened = [], [], []
    for k, one in seen.items():
        shares = [now / max(was, 1e-6) for now, was in zip(one.eyes, reference.eyes, strict=True)]
        if min(shares) < SHUT:
            shut.append(k)
        elif min(shares) > OPEN:
            opened.append(k)
        if one.aperture > WIDE * one.width:
            wide.append(k)
    kinds = (_spread(kind, count) for kind in (shut, wide, opened))
    return sorted({k for kind in kinds for k in kind})


def _spread(frames: list[int], count: int) -> list[int]:
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[i] for i in places]


class Drawn:
    """What a renderer's map shows of an avatar's eyes, and how far its mesh opens the mouth."""

    def __init__(self, avatar: Avatar) -> None:
        self._canvas = make_canvas(avatar, None)
        points = self._canvas.placed(avatar.source_points)
        self._eyes = tuple(filled(points[list(ring)], self._canvas.still.shape) for ring in EYES)

    def measured(self, driving: Driving) -> tuple[float, float, float]:
        """Shares of right and left eyeball that are still seen, and the mouth's aperture in pixels."""
        canvas = self._canvas
        shift = canvas.mesh.warp(driving.mesh).shift
        x, y = canvas.place + shift
        size = max(abs(driving.head.a) ** 2, 1e-6)
        right, left = (
            float(sample(eye, x, y).sum() / max(float(eye.sum()) * size, 1e-6)) for eye in self._eyes
        )
        upper, lower = canvas.placed(driving.mesh.vertices[list(LIPS)])
        return right, left, float(np.hypot(*(lower - upper)))


_Rows = list[list[float]]


def compared(
    driver: Expression,
    reference: Expression,
    result: Face | None,
    portrait: Face,
    drawn: tuple[float, float, float],
) -> tuple[_Rows, _Rows, _Rows]:
    """Rows of :class:`Openings` that a frame gives: shut eyes, open ones, a wide mouth."""
    own = Expression.of(portrait)
    seen = None if result is None else Expression.of(result)
    shut: _Rows = []
    opened: _Rows = []
    for eye in range(2):
        share = driver.eyes[eye] / max(reference.eyes[eye], 1e-6)
        read = float("nan") if seen is None else seen.eyes[eye] / max(own.eyes[eye], 1e-6)
        if share < SHUT or share > OPEN:
            (shut if share < SHUT else opened).append([read, drawn[eye]])
    if driver.aperture <= WIDE * driver.width:
        return shut, opened, []
    asked = max(asked_aperture(driver, reference, own), 1e-6)
    read = float("nan") if seen is None else seen.aperture / asked
    return shut, opened, [[read, drawn[2] / asked]]


def plain_openings(one: Openings) -> dict[str, object]:
    """For JSON; None where the network found no face."""

    def plain(rows: Floats) -> list[list[float | None]]:
        return [[None if np.isnan(value) else float(value) for value in row] for row in rows]

    kinds = {"shut": one.shut, "open": one.open, "wide": one.wide}
    return {"clip": one.clip, "portrait": one.portrait, **{name: plain(rows) for name, rows in kinds.items()}}


def openings_table(found: Sequence[Openings]) -> str:
    """Markdown: a line for each portrait and one for all; read by the network, then drawn."""
    lines = [
        "| portrait | shut eyes | closed, read | drawn | median, read | drawn "
        "| open eyes | closed, read | drawn | wide mouths | opened, read | drawn | median, read | drawn |",
        "|---" * 14 + "|",
    ]
    names = dict.fromkeys(one.portrait for one in found)
    lines += [_line(name, [one for one in found if one.portrait == name]) for name in names]
    return "\n".join([*lines, _line("**all**", found)])


def _line(name: str, found: Sequence[Openings]) -> str:
    shut, opened, wide = (
        np.concatenate([np.zeros((0, 2), np.float32), *(getattr(one, kind) for one in found)])
        for kind in ("shut", "open", "wide")
    )
    cells = [
        str(len(shut)),
        *_shares(shut < CLOSED),
        *_medians(shut),
        str(len(opened)),
        *_shares(opened < CLOSED),
        str(len(wide)),
        *_shares(np.abs(wide - 1) <= TOLERANCE),
        *_medians(wide),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def _shares(values: np.ndarray) -> list[str]:
    return [f"{share:.2f}" for share in values.mean(axis=0)] if len(values) else ["–", "–"]


def _medians(values: Floats) -> list[str]:
    return [f"{value:.2f}" for value in np.nanmedian(values, axis=0)] if len(values) else ["–", "–"]
