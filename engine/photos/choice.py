"""Which photo a place shows: the most alike, kept while it is nearly so, and exchanged softly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.engine.photos.photo import MOUTH_SHAPES, Traits
from mien.engine.types import Floats

BETTER = 0.8
"""Share of a photo's distance below which another one's must be to take over."""

FADE = 0.12
"""Seconds over which one takes over from another."""

BETTER_SIDE, FADE_SIDE = 0.6, 0.3
"""The same of a turned head's skin, which no expression hurries."""

JUMP = 0.5
"""Seconds after which a step in time begins anew, without a fade."""

LIPS, SHAPES, EYE, TURN = 0.03, 0.4, 0.10, 0.35
"""Differences that count as much as one another: of the lips' edges (face units, root mean square), of the
mouth's blendshapes, of an eye's opening (share of its width) and of the turn (radians)."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Traits of several faces, to be compared with one at a time.

    Attributes:
        lips: ``(n, 80) float32``; shapes: ``(n, k) float32``, 0 where unknown; known: ``(n,) bool``, whether
            shapes are; eyes, turns: ``(n, 2) float32``: see :class:`~mien.engine.photos.photo.Traits`.
    """

    lips: Floats
    shapes: Floats
    known: NDArray[np.bool_]
    eyes: Floats
    turns: Floats

    @staticmethod
    def of(faces: Sequence[Traits]) -> Faces:
        """Their traits in arrays."""
        return Faces(
            np.array([face.lips.ravel() for face in faces], np.float32),
            np.array([_shapes(face) for face in faces], np.float32),
            np.array([face.shapes is not None for face in faces]),
            np.array([face.eyes for face in faces], np.float32),
            np.array([face.turn for face in faces], np.float32),
        )

    def mouths(self, wanted: Traits) -> Floats:
        """How unlike each mouth is to the wanted one, ``(n,)``."""
        apart = self.lips - wanted.lips.ravel()
        found = np.sqrt(2 * (apart * apart).mean(axis=1)) / LIPS + 0.5 * self.heads(wanted)
        if wanted.shapes is not None:
            off = self.shapes - wanted.shapes
            found += self.known * np.sqrt((off * off).sum(axis=1)) / SHAPES
        return np.asarray(found, np.float32)

    def lids(self, wanted: Traits, eye: int) -> Floats:
        """How unlike the lids of each right (0) or left (1) eye are, ``(n,)``."""
        return np.asarray(
            np.abs(self.eyes[:, eye] - wanted.eyes[eye]) / EYE + 0.5 * self.heads(wanted), np.float32
        )

    def heads(self, wanted: Traits) -> Floats:
        """How differently each head is turned, ``(n,)``."""
        apart = self.turns - np.array(wanted.turn, np.float32)
        return np.asarray(np.hypot(apart[:, 0], apart[:, 1]) / TURN, np.float32)

    def difference(self, other: Traits) -> Floats:
        """How much each of them shows that another does not, ``(n,)``."""
        eyes = np.maximum(self.lids(other, 0), self.lids(other, 1))
        return np.asarray(self.mouths(other) + 0.5 * eyes + self.heads(other), np.float32)


def _shapes(face: Traits) -> Floats:
    return np.zeros(len(MOUTH_SHAPES), np.float32) if face.shapes is None else face.shapes


@dataclass(slots=True)
class Choice:
    """What one place shows, frame after frame.

    Attributes:
        shown: photos and how far each covers what is beneath it, 0..1, the newest last.
        better: another photo takes over only where its distance is this much smaller.
        fade: seconds over which it does.
    """

    better: float = BETTER
    fade: float = FADE
    shown: list[tuple[int, float]] = field(default_factory=list)
    _time: float | None = None

    def __call__(self, own: float, others: dict[int, float], time: float) -> list[tuple[int, float]]:
        """What to show.

        Args:
            own: the portrait's distance from what is wanted.
            others: each photo's; those that cannot be used are left out.
            time: seconds.
        """
        step = None if self._time is None else time - self._time
        self._time = time
        now = self.shown[-1][0] if self.shown else None
        wanted = self._wanted(own, others, now)
        if step is None or not 0 <= step <= JUMP:
            self.shown = [] if wanted is None else [(wanted, 1.0)]
            return self.shown
        self._fade(wanted, step / self.fade)
        return self.shown

    def _wanted(self, own: float, others: dict[int, float], now: int | None) -> int | None:
        kept = others.get(now, float("inf")) if now is not None else own
        best = min(others, key=lambda i: others[i], default=None)
        if now is not None and now in others and own >= self.better * kept:
            return best if best is not None and others[best] < self.better * kept else now
        if best is not None and others[best] < self.better * own:
            return best
        return None

    def _fade(self, wanted: int | None, part: float) -> None:
        if wanted is None:
            faded = [(photo, share - part) for photo, share in self.shown]
            self.shown = [(photo, share) for photo, share in faded if share > 0]
            return
        if not self.shown or (self.shown[-1][0] != wanted and self.shown[-1][1] >= 1):
            self.shown = [*self.shown, (wanted, 0.0)]
        # The one that is coming comes wholly before another does: two at most are seen through one another.
        top, share = self.shown[-1]
        share = min(1.0, share + part)
        self.shown = [(top, share)] if share >= 1 else [*self.shown[:-1], (top, share)]
