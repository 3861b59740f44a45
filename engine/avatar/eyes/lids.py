"""Lids of the avatar: each eye shuts by itself when the driver's does, and opens no wider than lids go.

How far an eye is open is its gap over its width.  On fifteen clips the landmark network finds 0.27 to 0.33 in
open eyes and 0.04 to 0.12 in shut ones, whoever it is and whatever the reference showed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.eyes.eyelids import EYES, Eye
from mien.engine.face.openings import LIDS, lid_gaps, lid_share
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.vectors import as_complex

SHUT, LEAST_SHUT = 0.085, 0.03
"""Openness (gap over width) up to which an eye is shut, and share of that at the reference that counts as
shut besides."""

FREE = 0.70
"""Share of the reference's openness down to which lids go as far as they were seen to."""

OPEN, SLIT, NARROWED = (0.40, 0.54), 0.4, 0.50
"""Blendshape scores of a blink up to which an eye is open however narrow, and from which on narrowness alone
tells; and, of open eyes, what :data:`SHUT` becomes, a share of it, and what :data:`FREE` does.  On 75 clips
of people who blink every eye that is shut scores 0.52 and more, and the mean of both 0.54; eyes that a frown
or a smile narrows to a third of their opening score 0.2 to 0.45, and were shut."""

BLINK = (0.60, 0.72)
"""Blendshape scores of a blink from which on an eye counts as shut whatever the landmarks say, and wholly so:
on twelve clips, of eyes that are open by more than half 1 in 20 reaches the first."""

WAKE, NEARLY = (0.12, 0.16), (0.10, 0.15)
"""Openness in the reference from which on those scores are believed, and wholly so; and openness now up to
which they are believed whatever the reference showed, and from which on not: narrow eyes score too."""

WINK = (0.64, 0.80)
"""Difference of the two eyes, by their openness over the reference's and by their scores, added up with their
signs, up to which both shut alike, halfway between the two, and from which on each by itself.  On 50 clips of
people who blink, squint, laugh and look down, openness alone differs by up to 0.45 and scores by up to 0.4
where both eyes are as good as alike; their sum does by up to 0.64, and by 0.62 to 0.80 in four winks."""

TURNED, UNSURE = (0.14, 0.44), 0.5
"""Turn since the reference, radians (8 and 25 degrees), from which on the network sees one eye worse than the
other, and wholly so; and by how much larger a wink's difference is then."""

HALF_SHUT, USUAL = (0.07, 0.11), 0.28
"""Openness in the reference up to which lids are judged by how far eyes are usually open, and from which on
by the reference alone; and that usual openness.  Against a gap of two pixels, lids that stayed shut
flickered between half open and shut."""

TOGETHER = (0.25, 0.50)
"""Openness in the reference over the other eye's from which on both are judged by the one that was more open,
and wholly so: of a face in which narrow eyes measured 0.08 and 0.14, one was held for shut from then on."""

OVER = 0.12
"""How far a shut upper lid passes over the lower one, as a share of the open gap: no slit is left between two
edges whose landmarks are not in one place."""

WIDER, NARROW = 0.35, (0.12, 0.22)
"""How much wider than in the portrait an eye gets at most, as a share; and openness in the reference from
which on it gets wider at all, and by so much: who began with shut eyes opens them; the avatar's are open."""

SUBTLE = 0.1
"""By how much an eye may always widen: a small movement of the lids is an expression, whoever makes it."""

CREASE = (
    ((247, 30, 29, 27, 28, 56, 190), (113, 225, 224, 223, 222, 221, 189)),
    ((414, 286, 258, 257, 259, 260, 467), (413, 441, 442, 443, 444, 445, 342)),
)
"""Rows of landmarks over the upper lid's inner seven: right eye, left eye, in the order of :data:`EYES`."""

ALONG = (0.9, 0.15)
"""How far these rows go along with a lid that shuts: lashes and crease come down almost as they are, the skin
under the brow stays.  In seven drivers who blink the rows follow the lid by 0.25 and 0.1, by their landmarks:
their skin unrolls from under the crease, where a portrait's has to stretch.  At 0.5 and 0.1 lashes are drawn
out into a broad band; at 1 and 0.65 lids dragged the brow's hair down with them."""

TAPER = (0.2, 0.7, 1.0, 1.0, 1.0, 0.9, 0.6)
"""The same share towards the corners, which stay: from the outer one to the inner one."""

_ENDS = [
    [topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER],
    [topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER],
]
"""Corners of the right eye and of the left one."""

Complex = NDArray[np.complex128]


def set_lids(points: Floats, source: Floats, motion: Motion) -> None:
    """Close the avatar's eyes by the same fraction that the driver closed theirs.

    Eyes differ in how wide they are open: transferred as a movement, a blink left wide eyes half open.

    Args:
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates; changed in place.
        source: ``(478, 2)`` their positions in the portrait.
        motion: the driver's; without their shape nothing is changed.
    """
    if motion.shape is None:
        return
    before = motion.shape.nodes[LIDS]
    now = motion.shape.moved(motion.points, LIDS)
    ends = motion.shape.nodes[_ENDS]
    widths = np.maximum(np.hypot(*(ends[:, 1] - ends[:, 0]).T), 1e-6).tolist()
    seen = [gap / width for gap, width in zip(lid_gaps(before), widths, strict=True)]
    rests, ratios, blinks, scores = [], [], [], motion.blink.tolist()
    for eye, left in enumerate(lid_gaps(now)):
        rest = _rest(seen[eye], max(seen), Eye.of(source, eye))
        openness = left / widths[eye]
        believed = max(ramp(rest, WAKE), 1.0 - ramp(openness, NEARLY))
        ratios.append(openness / max(rest, 1e-6))
        blinks.append(ramp(scores[eye], BLINK) * believed)
        rests.append(rest)
    shuts = [min(ratio, 1.0) for ratio in ratios]
    rest_mean = (rests[0] + rests[1]) / 2
    # Of narrow eyes, a few pixels, a share is the more noise.
    known, wider = min(rest_mean / USUAL, 1.0), shuts[0] - shuts[1]
    # Halfway between the two; of narrow eyes nearer to the one that is more open.
    left_mean = (shuts[0] + shuts[1]) / 2 + (1.0 - known) * abs(wider) / 2
    alike = _alike(wider * known, motion)
    for eye, (rest, ratio) in enumerate(zip(rests, ratios, strict=True)):
        blink = blinks[eye] + alike * (min(blinks) - blinks[eye])
        left_open = shuts[eye] + alike * (left_mean - shuts[eye])
        # Where both are to be alike, both are set as soon as one shuts.
        share = max(lid_share(1.0 - left_open), alike * lid_share(1.0 - min(shuts)), blink)
        if ratio > 1.0:
            _hold_wide(points, source, eye, rest)
        if share > 0.0:
            score = scores[eye] + alike * (sum(scores) / 2 - scores[eye])
            wanted = wanted_openness(left_open, rest + alike * (rest_mean - rest), score)
            _lower_lid(points, source, eye, wanted * (1.0 - blink), share)


def _alike(wider: float, motion: Motion) -> float:
    """How far both eyes shut alike, 0..1: people blink with both, and the network's two differ.

    Args:
        wider: by how much the right eye is more open than the left one, shares of the reference's openness,
            as far as that is known.
        motion: the driver's.
    """
    right, left = motion.blink.tolist()
    apart = abs(wider + left - right)
    turned = ramp(float(np.hypot(*motion.head.turn)), TURNED)
    return 1.0 - ramp(apart / (1.0 + UNSURE * turned), WINK)


def _rest(seen: float, wider: float, portrait: Eye) -> float:
    """Openness in the driver's reference that theirs is held against.

    Where the portrait's eye is shut, too, both open from there.

    Args:
        seen: what was seen there of this eye.
        wider: what was seen of the eye that was more open.
        portrait: the portrait's eye.
    """
    own = portrait.gap
    # Eyes are shut together: one that is as good as open tells that the other is narrow.
    judged = seen + ramp(seen / max(wider, 1e-6), TOGETHER) * (wider - seen)
    unlike = (1 - ramp(judged, HALF_SHUT)) * ramp(own, NARROW)
    return seen + unlike * (USUAL - seen)


def wanted_openness(ratio: float, rest: float, score: float = 1.0) -> float:
    """Share of the portrait's gap that a lid leaves open.

    Args:
        ratio: the driver's gap over that of their reference.
        rest: openness in the reference.
        score: blendshape score of a blink.
    """
    narrow = ramp(score, OPEN)
    free = NARROWED + narrow * (FREE - NARROWED)
    shut = (SLIT + narrow * (1 - SLIT)) * (SHUT / max(rest, 1e-6) + LEAST_SHUT)
    shut = min(shut, free - 0.15)
    return ratio if ratio >= free else free * max(ratio - shut, 0.0) / (free - shut)


def _lower_lid(points: Floats, source: Floats, eye: int, wanted: float, share: float) -> None:
    """Move the upper lid to ``wanted`` of its height over the lower one in the portrait, by ``share``."""
    before, now = Eye.of(source, eye), Eye.of(points, eye)
    height = wanted - OVER * (1 - wanted) ** 2
    edge = now.lower + height * (before.upper - before.lower)
    _place(points, EYES[eye][0], now.corner + edge * now.width, share)
    travel = (edge - before.upper)[1:-1]
    travel *= _taper(eye)
    for row, along in zip(CREASE[eye], ALONG, strict=True):
        rest = (as_complex(source[list(row)]) - before.corner) / before.width
        _place(points, row, now.corner + (rest + along * travel) * now.width, share)


def _hold_wide(points: Floats, source: Floats, eye: int, rest: float) -> None:
    """Keep an eye from opening wider than eyes are; ``rest`` is the driver's openness in the reference."""
    before, now = Eye.of(source, eye), Eye.of(points, eye)
    own, gap = before.gap, now.gap
    if own < NARROW[0]:
        return  # the portrait's own eyes are shut: they open as the driver's do
    room = max(WIDER * smoothstep(ramp(rest, NARROW)), SUBTLE)
    wider = gap / max(own, 1e-6) - 1
    if wider <= 0.5 * room:
        return
    allowed = 0.5 * room * (1 + np.tanh((wider - 0.5 * room) / max(0.5 * room, 1e-6)))
    lower = (1 - (1 + allowed) / (1 + wider)) * (now.lower - now.upper)
    _place(points, EYES[eye][0], now.corner + (now.upper + lower) * now.width, 1.0)
    for row, along in zip(CREASE[eye], ALONG, strict=True):
        here = as_complex(points[list(row)])
        _place(points, row, here + along * _taper(eye) * lower[1:-1] * now.width, 1.0)


def _taper(eye: int) -> NDArray[np.float64]:
    """:data:`TAPER` from the image's left to its right."""
    return np.array(TAPER if eye == 0 else TAPER[::-1])


def _place(points: Floats, row: tuple[int, ...], there: Complex, share: float) -> None:
    members = list(row)
    points[members, 0] += share * (there.real - points[members, 0])
    points[members, 1] += share * (there.imag - points[members, 1])
