"""Offline refinement: a second, non-causal pass over a clip's motion.

Alignment with the reference frame measures each moment by itself and is left unchanged.  Where it had to
be given up (little trust: an open mouth, a shadow, a hand), the landmarks stand in, and they jitter;
there, the displacement is fitted over a short window before *and* after, which neither lags nor flattens
what it smooths.  A face that is lost for a moment is bridged from both sides.

All widths are in seconds, so that 25 and 200 frames per second give the same curves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeGuard

import numpy as np

from mien.engine.face.layout import GRID, N_MESH, layout, to_pixels
from mien.engine.motion import Motion
from mien.engine.motion.region_fit import RegionFits
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

WIDTH = 0.05
"""Standard deviation of the temporal window, seconds."""

REACH = 3 * WIDTH
"""Frames further away in time than this are ignored, seconds."""

LONGEST_GAP = 0.3
"""Longest gap without a face that is bridged from both sides, seconds; the avatar rests during longer
ones."""

LOOK_AHEAD = REACH + LONGEST_GAP
"""Seconds by which a frame must be followed before it is final."""

_Item = tuple[float, Motion | None]


def refined(motions: Sequence[Motion | None], times: Sequence[float]) -> list[Motion | None]:
    """Refine the motions of a whole clip.

    Args:
        motions: one per frame as measured by the tracker; None where no face was seen.
        times: of the frames, seconds, increasing.

    Returns:
        As many motions; None where the face was lost for longer than :data:`LONGEST_GAP`.
    """
    return list(refined_stream(zip(times, motions, strict=True)))


def refined_stream(items: Iterable[tuple[float, Motion | None]]) -> Iterator[Motion | None]:
    """Refine frames one by one, each delayed by :data:`LOOK_AHEAD`, so that memory stays bounded.

    Args:
        items: time and motion of every frame.
    """
    known: deque[_Item] = deque()
    waiting: deque[_Item] = deque()
    for item in items:
        known.append(item)
        waiting.append(item)
        while item[0] - waiting[0][0] > LOOK_AHEAD:
            yield _refined_at(waiting.popleft(), known)
            while waiting[0][0] - known[0][0] > LOOK_AHEAD:
                known.popleft()
    while waiting:
        yield _refined_at(waiting.popleft(), known)


def _refined_at(item: _Item, known: Iterable[_Item]) -> Motion | None:
    time, motion = item
    if motion is None:
        return _bridged(time, list(known))
    return _steadied(
        motion, [(t - time, m) for t, m in known if _together(m, motion) and abs(t - time) <= REACH]
    )


def _bridged(time: float, known: Sequence[_Item]) -> Motion | None:
    """Interpolate between the last face before and the first after; None where they are too far apart."""
    before = [(t, m) for t, m in known if t < time and m is not None]
    after = [(t, m) for t, m in known if t > time and m is not None]
    if not before or not after:
        return None
    (start, first), (end, last) = before[-1], after[0]
    if end - start > LONGEST_GAP or not _together(first, last):
        return None
    index = first.index + sum(start < t <= time for t, _ in known)
    return replace(first.mixed(last, (time - start) / (end - start)), time=time, index=index, mouth=None)


def _together(motion: Motion | None, other: Motion) -> TypeGuard[Motion]:
    """Whether two motions are relative to one reference: another person's says nothing about this one's."""
    return motion is not None and motion.shape is other.shape


def _steadied(motion: Motion, near: Sequence[tuple[float, Motion]]) -> Motion:
    """The motion with its distrusted nodes fitted over ``near`` (time differences and motions)."""
    if len(near) < 4:
        return motion
    lags = np.array([lag for lag, _ in near])
    windows = np.exp(-0.5 * (lags / WIDTH) ** 2)
    trust = _steady_trust(windows, near)
    if float(trust.min()) >= 0.999:
        return motion
    dense = motion.dense + (1.0 - trust[..., None]) * (_fitted(lags, windows, near) - motion.dense)
    dense = dense.astype(np.float32)
    points = motion.points.copy()
    at = to_pixels(layout().points, GRID).reshape(-1, 1, 2)
    points[:N_MESH] += sample(dense - motion.dense, at, cubic=True).reshape(-1, 2)
    return replace(motion, points=points, dense=dense, fits=RegionFits.of(dense, trust))


def _steady_trust(windows: np.ndarray, near: Sequence[tuple[float, Motion]]) -> Floats:
    total = sum(w * m.trust for w, (_, m) in zip(windows, near, strict=True))
    return np.asarray(total / windows.sum(), np.float32)


def _fitted(lags: np.ndarray, windows: np.ndarray, near: Sequence[tuple[float, Motion]]) -> Floats:
    """Value at lag 0 of a parabola in time through every node's displacement, ``(GRID, GRID, 2)``.

    A weighted mean would flatten every peak; a parabola follows it.
    """
    weights = [w * (0.1 + m.trust) for w, (_, m) in zip(windows, near, strict=True)]
    scaled = lags / WIDTH
    moments = [sum(w * s**k for w, s in zip(weights, scaled, strict=True)) for k in range(5)]
    values = [
        sum((w * s**k)[..., None] * m.dense for w, s, (_, m) in zip(weights, scaled, near, strict=True))
        for k in range(3)
    ]
    return _parabola_at_zero(moments, values)


def _parabola_at_zero(moments: list[Floats], values: list[Floats]) -> Floats:
    """Solve every node's 3x3 normal equations for the constant term (Cramer's rule)."""
    s0, s1, s2, s3, s4 = (np.asarray(m, np.float64) for m in moments)
    c0, c1, c2 = s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2
    det = s0 * c0 + s1 * c1 + s2 * c2
    top = c0[..., None] * values[0] + c1[..., None] * values[1] + c2[..., None] * values[2]
    return np.asarray(top / det[..., None], np.float32)
