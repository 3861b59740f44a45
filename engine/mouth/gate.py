"""Whether the driver's mouth may be shown: how far, from frame to frame, without a jump."""

from __future__ import annotations

import numpy as np

from mien.engine.mouth.view import MouthView
from mien.engine.types import Floats
from mien.engine.utils.light import LUMINANCE

WIDTH = (22.0, 24.0)
"""Pixels of the driver's frame: a shown mouth is given up below the first, a painted one from the second."""

LIT = (0.012, 0.02)
"""The same of the light on the skin, linear, 0..1."""

SURE = (0.5, 0.7)
"""The same of the landmarks' confidence."""

BORDER = (0.0, 0.04)
"""The same of the distance between lips and the frame's border, in mouth widths."""

COVERED = (0.26, 0.65)
"""Bounds of the change of lips and skin around them, in logarithms of light, that a hand or a microphone
makes: on 24 talking clips it is 0.07 to 0.2 for speech, 0.27 to 0.8 for a hand of the skin's own colour,
above 0.8 for a microphone."""

USUAL, COVERING, FREE = 0.12, 2.7, 0.75
"""Change that speech makes before it is known; how many times the usual change covers; and to which share of
that it has to fall again."""

SEEN = 0.5
"""Least change that covers what still looks like lips: beside them skin changes as a head turns away."""

NEW = 1.0
"""Seconds from a driver's first frame for which the surest change alone counts: none is usual yet."""

LONG_ENOUGH = 0.05
"""Seconds for which a lesser change must last: a grimace can look like it for a frame."""

FORGET, SOON = 8.0, 0.3
"""Seconds after which what looks like lips is learnt anew, of a driver who is well known, and at least: the
first frames may have shown a hand, or somebody else."""

OUT, IN = 0.1, 0.3
"""Seconds over which the driver's mouth goes, and comes."""

CLEAR = 0.2
"""Seconds for which all must be well before it comes."""

LEARNT = 3.0
"""Seconds over which the look of the driver's mouth is learnt."""

NOISE, DARK = 0.01, 0.05
"""Light, and share of the skin's, added before the logarithm: between black hairs a pixel's logarithm jumps,
and a bearded man who shouted in the shade counted as covered in half of his frames."""

LONGEST = 1.0
"""A longer step in time begins anew."""


class Gate:
    """Decides for one driver, frame after frame.

    Attributes:
        reason: why the mouth is painted, or None: ``"small"``, ``"dark"``, ``"covered"``, ``"unsure"``,
            ``"cut"`` (by the frame's border), ``"unseen"``.
    """

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._time: float | None = None
        self._usual: Floats | None = None
        self._compared: tuple[MouthView, Floats, float] | None = None
        self._known = 0.0
        self._change = USUAL
        self._hidden = self._odd = 0.0
        self._shown = 0.0
        self._clear = 0.0
        self._open = False
        self.reason: str | None = "unseen"

    def __call__(self, view: MouthView | None, time: float) -> float:
        """Share in 0..1 to which the driver's mouth is shown at ``time`` (seconds)."""
        first = self._time is None
        step = 0.0 if self._time is None else time - self._time
        if not 0 <= step <= LONGEST:
            self._restart()
            first, step = True, 0.0
        self._time = time
        self._forget(view, step)
        self.reason = self._problem(view, step)
        if view is not None and self._learns(view):
            self._learn(view, step)
        if self.reason is not None:
            self._open, self._clear = False, 0.0
        else:
            self._clear += step
            # Nothing was shown before the first frame, so there is nothing to jump from.
            self._open = self._open or first or self._clear >= CLEAR
        if first:
            self._shown = float(self._open)
        elif self._open:
            self._shown = min(1.0, self._shown + step / IN)
        else:
            self._shown = max(0.0, self._shown - step / OUT)
        return self._shown * self._shown * (3 - 2 * self._shown)

    def _problem(self, view: MouthView | None, step: float) -> str | None:
        if view is None:
            return "unseen"
        was = 0 if self._open else 1
        if view.width < WIDTH[was]:
            return "small"
        if float(view.skin @ LUMINANCE) < LIT[was]:
            return "dark"
        if view.inside < BORDER[was]:
            return "cut"
        if view.confidence < SURE[was]:
            return "unsure"
        return "covered" if self._is_covered(view, step) else None

    def _is_covered(self, view: MouthView, step: float) -> bool:
        least, most = COVERED
        change = self.change(view)
        if change > most:
            return True
        if self._known >= NEW:
            most = min(max(COVERING * self._change, SEEN if _like_lips(view) else least), most)
        odd = change > most * (1.0 if self._open else FREE)
        self._odd = self._odd + step if odd else 0.0
        return odd and (not self._open or self._odd > LONG_ENOUGH)

    def change(self, view: MouthView) -> float:
        """How much lips and skin around the mouth differ from what was learnt of them."""
        usual = self._usual
        if usual is None:
            return 0.0
        # A frame is asked for twice: whether it is covered, and as it is learnt.
        if self._compared is None or self._compared[0] is not view or self._compared[1] is not usual:
            apart = np.add.reduce(np.abs(_look(view) - usual), axis=1) / np.float32(3)
            self._compared = view, usual, float(np.sort(apart)[len(apart) // 4 :].mean())
        return self._compared[2]

    def _learn(self, view: MouthView, step: float) -> None:
        look = _look(view)
        if self._usual is None:
            self._usual = look
        self._known = min(self._known + step, LEARNT)
        self._change += (step / LEARNT) * (self.change(view) - self._change)
        # A mean at first, then a slow average.
        self._usual = self._usual + (step / max(self._known, step, 1e-6)) * (look - self._usual)

    def _learns(self, view: MouthView) -> bool:
        """Whether a frame says what is usual: also one that is only somewhat unusual, if it shows lips."""
        if self.reason is None:
            return True
        return self.reason == "covered" and self.change(view) < COVERED[1] and _like_lips(view)

    def _forget(self, view: MouthView | None, step: float) -> None:
        self._hidden = self._hidden + step if self.reason == "covered" else 0.0
        known = FORGET if self._known >= LEARNT else max(SOON, self._known)
        if self._hidden > known and view is not None and _like_lips(view):
            self._usual, self._known, self._hidden = None, 0.0, 0.0


def _like_lips(view: MouthView) -> bool:
    """Whether the lips are redder than the skin around them, and not black."""
    lips, around = view.places.reshape(2, -1, 3).mean(axis=1)
    redder = np.log((lips[0] + 0.01) / (lips[1] + 0.01)) - np.log((around[0] + 0.01) / (around[1] + 0.01))
    return bool(redder > 0.08 and lips @ LUMINANCE > 0.1 * (view.skin @ LUMINANCE))


def _look(view: MouthView) -> Floats:
    """Logarithms of the places' light, relative to the cheeks': a lamp changes nothing."""
    skin = float(view.skin @ LUMINANCE)
    floor = NOISE + DARK * skin
    return np.asarray(np.log((view.places + floor) / (skin + floor)), np.float32)
