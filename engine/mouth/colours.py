"""Colours of a driver's mouth in the portrait's: teeth to teeth, flesh to flesh, and little else.

What is between lips has colours of one line, from teeth to flesh.  Off it is what a codec makes of a small
mouth, where one block of colour serves teeth, lips and the dark between them: relit for another skin it was
purple and magenta.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp
from mien.engine.utils.light import LUMINANCE

KNOWN = (40.0, 120.0)
"""Widths of a driver's mouth, pixels of their frame, between which its colours come to be known."""

LINE, OFF = (0.9, 0.5), (0.25, 0.8)
"""How far teeth and flesh take the portrait's colours, and how much is kept of what lies off their line, at
both ends of that."""

IVORY = 0.45
"""Share of the skin's tint in its teeth: what the lamp gives both (teeth of 199 stills)."""

HOLLOW, DARK = 0.6, 0.12
"""Light of what is dark in a small mouth, over what it has beside a portrait's skin, and the light that is
dark, over that of the driver's skin: a codec's black is neither black nor of any colour."""

DEEP_RED, DEEP_BLUE = 1.45, 0.8
"""Powers of flesh's red over green, and of its blue over green, that the dark inside of a mouth has (the
darkest tenth of 104 stills in colour whose lips are apart by a quarter of the mouth's width): light has been
through flesh there."""

APART, MOST = (0.05, 0.20), 1.8
"""Distance of flesh from teeth, in shares of light, from which on they tell a line (grey video has none), and
how much longer the portrait's may be: of pale lips a codec's noise became red."""

SPREAD = 1.2
"""Pixels over which colours of a small mouth are averaged (standard deviation): video has one for every
second pixel."""


def towards_portrait(
    skin: Floats,
    lips: Floats,
    there: Floats,
    lips_there: Floats,
    width: float,
    own_teeth: Floats | None = None,
) -> Floats:
    """``(3, 3) float32`` map of linear light from a driver's mouth to a portrait's, of the same luminance.

    Args:
        skin, lips: ``(3,)`` the driver's, linear light.
        there, lips_there: the portrait's.
        width: of the driver's mouth, pixels of their frame.
        own_teeth: of the portrait, linear light, where it shows them.
    """
    teeth, flesh = _hues(skin, lips)
    teeth_there, flesh_there = _hues(there, lips_there)
    if own_teeth is not None:
        teeth_there = own_teeth / np.float32(max(float(own_teeth @ LUMINANCE), 1e-3))
    line, line_there = flesh - teeth, flesh_there - teeth_there
    length, length_there = (float(np.linalg.norm(part)) for part in (line, line_there))
    line_there = line_there * np.float32(min(1.0, MOST * length / max(length_there, 1e-6)))
    known = ramp(width, KNOWN)
    off = OFF[0] + known * (OFF[1] - OFF[0])
    apart = np.eye(3) - np.outer(teeth, LUMINANCE)
    along = line @ apart / max(length**2, 1e-6)
    found = np.outer(teeth_there, LUMINANCE) + np.outer(line_there - off * line, along) + off * apart
    return np.asarray(found, np.float32)


def towards_shadow(there: Floats, lips_there: Floats, matrix: Floats, width: float) -> Floats:
    """``(3, 3) float32`` the map of what is dark between a driver's lips: it has the portrait's own red.

    Args:
        there, lips_there: skin and lips of the portrait, linear light.
        matrix: that of the rest.
        width: of the driver's mouth, pixels of their frame.
    """
    share = HOLLOW + ramp(width, KNOWN) * (1 - HOLLOW)
    bright = np.float32(share * float(LUMINANCE @ matrix.sum(axis=1)))
    return np.asarray(bright * np.outer(deep_hue(there, lips_there), LUMINANCE), np.float32)


def deep_hue(skin: Floats, lips: Floats) -> Floats:
    """Colour of the dark inside of a mouth, linear light of a luminance of one, by its skin and lips."""
    return _deep_hue(skin.astype(np.float32).tobytes(), lips.astype(np.float32).tobytes())


@lru_cache(maxsize=16)
def _deep_hue(skin: bytes, lips: bytes) -> Floats:
    """By the colours' bytes: a portrait's stay what they are, and every frame asks."""
    red, green, blue = _hues(*(np.frombuffer(colour, np.float32) for colour in (skin, lips)))[1].tolist()
    found = np.array([(red / green) ** DEEP_RED, 1.0, (blue / green) ** DEEP_BLUE], np.float32)
    found /= np.float32(found @ LUMINANCE)
    found.setflags(write=False)
    return found


def line_share(skin: Floats, lips: Floats, width: float) -> float:
    """How far that map is to be used, 0..1."""
    teeth, flesh = _hues(skin, lips)
    told = ramp(float(np.linalg.norm(flesh - teeth)), APART)
    return told * (LINE[0] + ramp(width, KNOWN) * (LINE[1] - LINE[0]))


def flesh_hue(skin: Floats, lips: Floats) -> Floats:
    """The same of a tongue and of gums."""
    return _hues(skin, lips)[1]


def teeth_hue(skin: Floats) -> Floats:
    """The same of teeth."""
    return _hues(skin, skin)[0]


def _hues(skin: Floats, lips: Floats) -> tuple[Floats, Floats]:
    """Colours of teeth and of flesh, of a luminance of one.

    Flesh is between skin and lips: a tongue wears no lipstick.
    """
    lit = np.maximum(np.stack([skin, lips]), np.float32(1e-3))
    lit /= np.maximum(lit @ LUMINANCE, np.float32(1e-3))[:, None]
    flesh = np.sqrt(lit[0] * lit[1])
    return 1 + np.float32(IVORY) * (lit[0] - 1), flesh / np.float32(flesh @ LUMINANCE)


def without_blocks(image: Image, width: float) -> Image:
    """``(h, w, 3) uint8`` RGB, the colours of a small mouth averaged over a codec's blocks; light stays."""
    spread = SPREAD * (1 - ramp(width, KNOWN))
    if spread < 0.4:
        return image
    found = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    light = found[..., 0].copy()
    found = cv2.GaussianBlur(found, (0, 0), spread)
    found[..., 0] = light
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_YCrCb2RGB), np.uint8)
