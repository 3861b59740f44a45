"""The driver's own mouth drawn into an avatar's image, whatever drew that.

What lies between the driver's inner lips is carried between the avatar's: by a spline through both pairs of
lips, in the portrait's light, tone and sharpness, behind a soft edge within the avatar's lips.  Nothing
outside them changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from mien.engine.face.grain import grained
from mien.engine.mouth.blacks import lit_from_below
from mien.engine.mouth.carrying import carried
from mien.engine.mouth.colours import DARK, line_share, towards_portrait, towards_shadow, without_blocks
from mien.engine.mouth.crossfade import Crossfade
from mien.engine.mouth.edge import gap_of, softened, width_of, without_rim
from mien.engine.mouth.gate import LONGEST, Gate
from mien.engine.mouth.paint import painted
from mien.engine.mouth.portrait import MONOCHROME, PortraitLook, box_around, detail_of, saturation_of
from mien.engine.mouth.steadying import SteadyLips
from mien.engine.mouth.teeth import tooth_gain
from mien.engine.mouth.view import MouthView, brightest_of, reduced
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import share_within
from mien.engine.utils.light import LUMINANCE, relit
from mien.engine.utils.sampling import sample

OPEN = (0.010, 0.035)
"""Gaps of the driver's lips, face units: up to the first nothing is seen between them."""

STRETCHED = (2.5, 4.0)
"""Times the driver's gap to which it may be stretched; beyond the second it is not shown."""

STEADY = 1.0
"""Seconds over which the driver's light is averaged."""

DETAIL = (0.35, 1.3)
"""Bounds of the factor by which fine detail is made weaker or stronger."""

ENLARGED, SOFT_DETAIL = (0.9, 1.5), 0.9
"""Times the driver's mouth that the avatar's is from which on fine detail is made stronger by less, and the
most it counts then: it is a codec's blocks and rings."""

HIDES = 0.999
"""Share of the driver's mouth from which on nothing of what lies below it is seen."""

EVERY = 4
"""Frames from one look at the driver's sharpness, teeth and flesh to the next."""

LEARNT = 0.03
"""How fast a frame goes towards the brightest teeth that the driver has shown: beside pale skin they are 1.9
times as light and less, beside dark skin up to 3.8 times, and were white patches in a pale face."""


@dataclass(frozen=True, slots=True)
class Lips:
    """Where an image shows the avatar's lips.

    Attributes:
        inner, outer: ``(20, 2) float32`` their edges (``LIPS_INNER``, ``LIPS_OUTER``), pixel indices.
        gap: between them, face units.
        own: how far the portrait's own open mouth is seen between them, 0..1.
        painted: whether anything between them may be the network's paint.
    """

    inner: Floats
    outer: Floats
    gap: float
    own: float = 0.0
    painted: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A mouth ready to be drawn.

    Attributes:
        lips: where.
        steady: ``(40, 2)`` the edges of these lips, inner and outer, without their trembling.
        view: what, its lips without trembling, too; None where only the portrait's colours are to be kept.
        share: how far, 0..1.
        matrix: ``(3, 3) float32`` from the driver's light to the portrait's.
        shadows: the same of what is dark, if it has one of its own, and ``dark``, which light that is.
        detail: factor of fine detail.
    """

    lips: Lips
    steady: Floats
    view: MouthView | None
    share: float
    matrix: Floats
    detail: float
    shadows: Floats | None = None
    dark: float = 0.0


class OwnMouth:
    """Draws the driver's mouth into one avatar's images; one thread at a time.

    Attributes:
        wanted: whether the driver's own mouth is wanted; else only the portrait's colours are kept.
        look: of the portrait.
        note: why the mouth is painted although it is wanted, once it has been for a second.
    """

    def __init__(self, look: PortraitLook, wanted: bool = False) -> None:
        self.wanted = wanted
        self.look = look
        self._gate, self._whose = Gate(), Crossfade()
        self._seen, self._lips = SteadyLips(), SteadyLips()
        self._driver: object = None
        self._time: float | None = None
        self._skin: Floats | None = None
        self._flesh: Floats | None = None
        self._line: tuple[Floats, float] | None = None
        self._detail: float | None = None
        self._teeth = self._brightest = 0.0
        self._looks = 0
        self._last: MouthView | None = None
        self._painted = 0.0
        self.note: str | None = None

    def set_portrait(self, look: PortraitLook) -> None:
        """Draw into another portrait's images from now on."""
        self.look, self._detail, self._line, self._whose = look, None, None, Crossfade()

    def place(
        self,
        view: MouthView | None,
        time: float,
        lips: Lips,
        driver: object = None,
        light: float = 1.0,
    ) -> Placed | None:
        """What to draw into the image at ``time`` (seconds); None where there is nothing to do.

        Args:
            view: the driver's mouth, or None where it is not seen.
            lips: the avatar's.
            driver: tells one driver from another.
            light: times the light in the driver's reference that their skin has and the avatar's takes on.
        """
        edges = np.concatenate([lips.inner, lips.outer])
        share = self._share(view, time, lips, driver, light) if self.wanted else 0.0
        seen = self._last
        if share > 0 and seen is not None and self._skin is not None:
            matrix, detail = self._matrix(seen), self._sharpness(seen, lips)
            shadows = towards_shadow(self.look.skin, self.look.lips, matrix, seen.width)
            dark = DARK * float(self._skin @ LUMINANCE)
            return Placed(lips, self._lips(edges, time), seen, share, matrix, detail, shadows, dark)
        if (self.look.tone is not None or lips.painted) and lips.gap > 0:
            return Placed(lips, edges, None, 0.0, np.eye(3, dtype=np.float32), 1.0)
        return None

    def draw(self, image: Image, placed: Placed) -> None:
        """Draw it, in place."""
        box = box_around(placed.lips.inner, 1.0, image.shape)
        # An image may have an opacity, too.
        part = np.ascontiguousarray(image[box][..., :3])
        opening = share_within(placed.lips.inner, box)
        if placed.lips.painted and placed.share < HIDES:
            weight = opening * np.float32(1 / 255)
            toned = _toned(part, self.look.palette)
            part = np.asarray(cv2.blendLinear(toned, part, weight, 1 - weight), np.uint8)
        if placed.view is not None and placed.share > 0:
            mouth = self._mouth(placed, box)
            weight = softened(opening, placed.lips.inner) * np.float32(placed.share)
            part = without_rim(part, opening, placed.lips.inner, placed.share)
            part = np.asarray(cv2.blendLinear(mouth, part, weight, 1 - weight), np.uint8)
        if self.look.tone is not None:
            _keep_tone(part, opening, self.look.tone)
        image[box][..., :3] = part

    def _share(self, view: MouthView | None, time: float, lips: Lips, driver: object, light: float) -> float:
        step = 0.0 if self._time is None else time - self._time
        if driver is not self._driver or not 0 <= step <= LONGEST:
            self._gate, self._skin, self._flesh, self._detail, step = Gate(), None, None, None, 0.0
            self._line, self._whose = None, Crossfade()
            self._teeth = self._brightest = 0.0
            self._driver = driver
        self._time = time
        present = self._gate(view, time)
        self._tell(view, step)
        if view is not None and self._gate.reason is None:
            steady = self._seen(np.concatenate([view.inner, view.outer]), time)
            self._last = replace(view, inner=steady[:20], outer=steady[20:])
            skin, flesh = view.skin, view.places[: len(view.places) // 2].mean(axis=0)
            self._skin = _average(self._skin, skin / np.float32(light), step)
            self._flesh = _average(self._flesh, flesh / np.float32(light), step)
        if self._last is None:
            return 0.0
        gap = self._last.gap
        opened = smoothstep(ramp(gap, OPEN))
        stretched = 1 - ramp(lips.gap / max(gap, 1e-3), STRETCHED)
        whose = self._whose(lips.own, step, opened > 0 and lips.gap > 0)
        return float(present * opened * stretched * whose)

    def _tell(self, view: MouthView | None, step: float) -> None:
        """Note why the mouth is painted, once it has been for a second."""
        self._painted = self._painted + step if self._gate.reason in ("small", "dark") else 0.0
        if self._painted < 1.0 or self.note is not None or view is None:
            return
        if self._gate.reason == "small":
            self.note = (
                f"the driver's mouth is {view.width:.0f} pixels wide; from 24 on it is shown, so the "
                "avatar's is painted. Come nearer, or use a larger frame."
            )
        else:
            self.note = "the driver's mouth is in the dark, so the avatar's is painted. More light helps."

    def _matrix(self, view: MouthView) -> Floats:
        """Brightness and half of the tint of the portrait's skin, and no more colour than it has."""
        assert self._skin is not None and self._flesh is not None
        there, here = self.look.skin, np.maximum(self._skin, 1e-3)
        bright = float(there @ LUMINANCE) / float(here @ LUMINANCE)
        tinted = 0.5 * np.clip(there / here, 0.3 * bright, 3 * bright) + 0.5 * bright
        # A paler skin is no bluer lamp: it would turn a tongue blue.
        tinted = np.minimum(tinted, max(float(tinted[0]), bright))
        grey, lips = 0.5 * there / float(here @ LUMINANCE) + 0.5 * bright, self._flesh
        colour = min(1.0, self.look.saturation / max(saturation_of(here, lips), 1e-3))
        matrix = colour * np.diag(tinted) + (1 - colour) * np.outer(grey, LUMINANCE)
        if self._line is None or self._looks % EVERY == 0:
            line = towards_portrait(here, lips, there, self.look.lips, view.width, self.look.teeth)
            self._line = line, line_share(here, lips, view.width)
        line, share = self._line
        matrix += share * (bright * line - matrix)
        return np.asarray(matrix * tooth_gain(self._teeth, there, self.look.teeth), np.float32)

    def _sharpness(self, view: MouthView, lips: Lips) -> float:
        """Factor that gives the driver's fine detail the portrait's strength."""
        self._looks += 1
        self._teeth += LEARNT * (self._brightest - self._teeth)
        if self._detail is not None and self._looks % EVERY:
            return self._detail
        self._brightest = max(self._brightest, brightest_of(view))
        self._teeth = self._teeth or self._brightest
        scale = width_of(lips.outer) / max(width_of(view.outer), 1.0)
        size = max(8, round(view.image.shape[1] * scale)), max(8, round(view.image.shape[0] * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen = detail_of(np.asarray(cv2.resize(view.image, size, interpolation=how), np.uint8))
        low, high = DETAIL
        high += ramp(scale, ENLARGED) * (SOFT_DETAIL - high)
        wanted = float(np.clip(self.look.detail / max(seen, 1e-4), low, high))
        self._detail = wanted if self._detail is None else self._detail + 0.2 * (wanted - self._detail)
        return self._detail

    def _mouth(self, placed: Placed, box: tuple[slice, slice]) -> Image:
        """``(rows, columns, 3) uint8``: the driver's mouth where the avatar's is."""
        view, lips = placed.view, placed.lips
        assert view is not None
        view = reduced(view, 1.5 * width_of(lips.outer), 1.5 * gap_of(lips.inner))
        lookup = carried(placed.steady[:20], view.inner, view.outer, box)
        lit = relit(without_blocks(view.image, view.width), placed.matrix, placed.shadows, placed.dark)
        mouth = sample(lit, lookup, cubic=True)
        if self.look.tone is not None:
            mouth = _toned(mouth, self.look.tone)
        if self.look.paint is None:
            found = _with_detail(mouth, placed.detail, width_of(lips.outer))
        else:
            found = painted(mouth, self.look.paint, width_of(lips.outer))
        found = lit_from_below(found, lips.inner, box, self.look.black, self.look.rim)
        grain = self.look.grain
        if grain is not None:
            found = grained(found, grain)
        return np.asarray(found, np.uint8)


def _average(old: Floats | None, new: Floats, step: float) -> Floats:
    if old is None:
        return new
    return np.asarray(old + (1 - np.exp(-step / STEADY)) * (new - old), np.float32)


def _with_detail(mouth: Image, detail: float, width: float) -> Image:
    """A mouth ``width`` pixels wide, its fine detail times ``detail``."""
    soft = cv2.GaussianBlur(mouth, (0, 0), max(0.8, width / 120))
    found: Any = cv2.addWeighted(mouth, detail, soft, 1 - detail, 0)
    if detail > 1:
        # Sharpened edges do not overshoot: a tooth's would be clipped.
        around = np.ones((3, 3), np.uint8)
        found = cv2.max(cv2.min(found, cv2.dilate(mouth, around)), cv2.erode(mouth, around))
    return np.asarray(found, np.uint8)


def _keep_tone(part: Image, opening: Image, tone: Image) -> None:
    """Give what is between the lips a portrait's tone, in place, and the paint on their edge, too."""
    toned = _toned(part, tone)
    off = cv2.absdiff(toned, part).max(axis=2) > MONOCHROME
    rim = cv2.dilate(opening, np.ones((3, 3), np.uint8)) > 0
    within = (opening > 0) | (rim & off)
    part[within] = toned[within]


def _toned(image: Image, tone: Image) -> Image:
    """An image's luminance in a portrait's tone."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.asarray(tone[grey], np.uint8)
