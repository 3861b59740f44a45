"""Which photo a place shows: the most alike, kept while it is nearly so, and exchanged softly."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot

import numpy as np

from mien.engine.photos.photo import Traits

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


def mouth_distance(a: Traits, b: Traits) -> float:
    """How unlike two mouths are."""
    apart = a.lips - b.lips
    found = float(np.sqrt(2 * (apart * apart).mean())) / LIPS + 0.5 * turn_distance(a, b)
    if a.shapes is not None and b.shapes is not None:
        found += float(np.linalg.norm(a.shapes - b.shapes)) / SHAPES
    return found


def eye_distance(a: Traits, b: Traits, eye: int) -> float:
    """How unlike the lids of two right (0) or left (1) eyes are."""
    return abs(a.eyes[eye] - b.eyes[eye]) / EYE + 0.5 * turn_distance(a, b)


def turn_distance(a: Traits, b: Traits) -> float:
    """How differently two heads are turned."""
    return hypot(a.turn[0] - b.turn[0], a.turn[1] - b.turn[1]) / TURN


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
