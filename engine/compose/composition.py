"""Motion with known content: expressions of single regions at a chosen strength and time.

A :class:`mien.engine.compose.actions.FacialAction` is the expression of some regions between its onset and
its offset.  Its shape over the face is either a recording's own movement, cut out with the regions' soft
maps, or a soft push of the regions.  What is guaranteed is the regions' displacement at the apex: the shape
is scaled until the tracker's own fit (:func:`mien.engine.motion.region_fit.fit_regions`) returns the
requested value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.compose.actions import FacialAction
from mien.engine.face.layout import GRID, N_MESH
from mien.engine.face.regions import REGIONS, region_maps
from mien.engine.motion import Head, Motion
from mien.engine.motion.recording import Recording
from mien.engine.motion.region_fit import RegionFits, fit_regions
from mien.engine.types import Floats, NoFaceError, UsageError

STILL = 5e-4
"""A recorded displacement below this (face units; 0.05 px on a face 100 px wide) is noise, not expression."""

MOST = 0.25
"""Largest displacement that may be requested, face units; larger ones tear a face."""

ROUNDS = 25


def compose(
    actions: Sequence[FacialAction],
    seconds: float,
    fps: float,
    recording: Recording | None = None,
    keep: Sequence[int] = (),
    with_head: bool = False,
) -> Recording:
    """Compose motion from facial actions.

    Args:
        actions: the actions; those on the same region add up.
        seconds, fps: length and frame rate of the result.
        recording: source of actions without a ``move``.
        keep: additional regions (indices) that continue as recorded; the others rest.
        with_head: also play the recording's head motion; gaze and everything else stays neutral.

    Raises:
        MienError: a recorded movement too small to amplify, or a movement too large to show.
    """
    count = max(1, round(seconds * fps))
    times = tuple(index / fps for index in range(count))
    moving = [_Prepared.of(action, recording) for action in actions]
    kept = _kept_weights(keep, recording) if keep and recording is not None else None
    motions = []
    for index, time in enumerate(times):
        parts = [part.at(time, recording) for part in moving]
        head, body, shading = Head(), None, None
        if recording is not None and (kept is not None or with_head):
            now = motion_at(recording, time)
            if kept is not None:
                parts.append(_masked(now, kept))
            if with_head:
                head, body, shading = now.head, now.body, now.shading
        motions.append(replace(_added(parts, index, time, head), body=body, shading=shading))
    return Recording(tuple(motions), times, fps)


@dataclass(frozen=True)
class _Part:
    """One contribution to a motion; shapes as in :class:`mien.engine.motion.motion.Motion`."""

    points: Floats
    dense: Floats
    gaze: Floats
    blink: Floats

    def times(self, factor: float) -> _Part:
        f = np.float32(factor)
        return _Part(self.points * f, self.dense * f, self.gaze * f, self.blink * f)


@dataclass(frozen=True)
class _Prepared:
    """An action with its shape; ``at`` gives its contribution to the motion at any time."""

    action: FacialAction
    weights: Floats
    push: _Part | None

    @staticmethod
    def of(action: FacialAction, recording: Recording | None) -> _Prepared:
        if action.move is not None:
            _check_size(action, np.array([action.move], np.float32))
            return _Prepared(action, _share(action.regions), _push(action.regions, action.move))
        if recording is None or action.source is None:
            raise UsageError("Without a recording a movement is needed: --move X,Y in face units.")
        apex = motion_at(recording, action.source.apex)
        weights = _recorded_weights(action, apex)
        push = _masked(apex, weights) if action.smooth else None
        return _Prepared(action, weights, push)

    def at(self, time: float, recording: Recording | None) -> _Part:
        timing = self.action.timing
        if self.push is not None:
            return self.push.times(timing.envelope(time))
        assert recording is not None and self.action.source is not None
        now = motion_at(recording, timing.to(self.action.source, time))
        return _masked(now, self.weights).times(timing.window(time))


def motion_at(recording: Recording, time: float) -> Motion:
    """Sample the recorded motion at any time (seconds): linear between frames, also across gaps.

    Raises:
        NoFaceError: the recording shows no face.
    """
    seen = [i for i, motion in enumerate(recording.motions) if motion is not None]
    if not seen:
        raise NoFaceError("The recording shows no face. Make another one.")
    moments = [recording.times[i] for i in seen]
    after = int(np.searchsorted(moments, time))
    first, second = (
        recording.motions[seen[max(after - 1, 0)]],
        recording.motions[seen[min(after, len(seen) - 1)]],
    )
    assert first is not None and second is not None
    if second.time <= first.time:
        return first
    return first.mixed(second, min(max((time - first.time) / (second.time - first.time), 0.0), 1.0))


def _share(regions: Sequence[int]) -> Floats:
    """``(K,)`` 1 for the given regions, 0 for the others."""
    weights = np.zeros(len(REGIONS), np.float32)
    weights[list(regions)] = 1.0
    return weights


def _masked(motion: Motion, weights: Floats) -> _Part:
    """Cut out the motion with the regions' soft maps, each scaled by its weight ``(K,)``."""
    maps = region_maps()
    at_points = weights @ maps.at_points
    at_grid = (weights @ maps.at_grid).reshape(GRID, GRID, 1)
    eyes = at_points[[N_MESH, N_MESH + 5]]
    return _Part(
        motion.points * at_points[:, None],
        motion.dense * at_grid,
        motion.gaze * eyes[:, None],
        motion.blink * np.clip(eyes, 0.0, 1.0),
    )


def _recorded_weights(action: FacialAction, apex: Motion) -> Floats:
    """``(K,)`` weights with which the recorded apex, cut out, moves the regions by the requested amount."""
    chosen = list(action.regions)
    recorded = apex.regions[chosen]
    length = np.hypot(recorded[:, 0], recorded[:, 1])
    moving = length > STILL
    if not moving.any() or (action.strength is not None and not moving.all()):
        still = REGIONS[chosen[int(np.argmin(length))]]
        raise UsageError(
            f"{still} hardly moves in the recording ({1000 * length.min():.2f} thousandths of a face unit): "
            "nothing to amplify. Choose another region or passage, or give --move."
        )
    scale = (
        np.full(len(chosen), action.gain, np.float32) if action.strength is None else action.strength / length
    )
    _check_size(action, recorded * scale[:, None])
    return _scaled(chosen, [apex] * len(chosen), np.asarray(recorded * scale[:, None], np.float32))


def _kept_weights(regions: Sequence[int], recording: Recording) -> Floats:
    """``(K,)`` weights with which the recording, cut out, moves the regions as recorded, each at its peak."""
    chosen = list(regions)
    seen = [motion for motion in recording.motions if motion is not None]
    length = np.stack([np.hypot(*motion.regions[chosen].T) for motion in seen])
    peaks = [seen[int(i)] for i in length.argmax(axis=0)]
    return _scaled(chosen, peaks, np.stack([m.regions[k] for m, k in zip(peaks, chosen, strict=True)]))


def _scaled(chosen: list[int], moments: Sequence[Motion], aim: Floats) -> Floats:
    """Weights ``(K,)`` that move each chosen region, cut out of its own moment, by its aim ``(R, 2)``.

    The soft maps alone would lose up to a third, because the neighbours' share of a region rests.
    """
    weights = _share(chosen)
    power = (aim * aim).sum(axis=1)
    recorded = np.stack([motion.regions[k] for motion, k in zip(moments, chosen, strict=True)])
    moving = np.hypot(recorded[:, 0], recorded[:, 1]) > STILL
    along = (recorded * aim).sum(axis=1) / np.maximum((recorded * recorded).sum(axis=1), 1e-12)
    # A region at rest in the recording has no length to match.
    weights[chosen] = np.where(moving, along, 1.0)
    for _ in range(ROUNDS):
        fits: dict[int, Floats] = {}
        for row, (motion, k) in enumerate(zip(moments, chosen, strict=True)):
            if id(motion) not in fits:
                fits[id(motion)] = fit_regions(_masked(motion, weights).dense, motion.trust)[0]
            share = float(fits[id(motion)][k] @ aim[row]) / max(float(power[row]), 1e-12)
            if moving[row] and share > 0.2:
                weights[k] *= np.clip(1.0 / share, 0.5, 2.0)
    return weights


def _push(regions: Sequence[int], move: tuple[float, float]) -> _Part:
    """A soft push that moves each region by ``move`` (face units), as measured by the tracker's fit."""
    maps = region_maps()
    chosen = list(regions)
    aim = np.tile(np.array(move, np.float32), (len(chosen), 1))
    give = aim.copy()
    trust = np.ones((GRID, GRID), np.float32)
    for _ in range(ROUNDS):
        dense = _spread(maps.at_grid[chosen], give).reshape(GRID, GRID, 2)
        got, _ = fit_regions(dense, trust)
        give = give + aim - got[chosen]
    dense = _spread(maps.at_grid[chosen], give).reshape(GRID, GRID, 2)
    return _Part(
        _spread(maps.at_points[chosen], give), dense, np.zeros((2, 2), np.float32), np.zeros(2, np.float32)
    )


def _spread(weights: Floats, vectors: Floats) -> Floats:
    """``(P, 2)`` sum of vectors ``(R, 2)``, spread with soft maps ``(R, P)``."""
    return np.asarray(weights.T @ vectors, dtype=np.float32)


def _check_size(action: FacialAction, moves: NDArray[np.floating[Any]]) -> None:
    longest = float(np.hypot(moves[:, 0], moves[:, 1]).max())
    if longest > MOST:
        names = ", ".join(REGIONS[i] for i in action.regions)
        raise UsageError(
            f"{names} would move by {longest:.2f} face units; more than {MOST:g} tears a face. Ask for less."
        )


def _added(parts: Sequence[_Part], index: int, time: float, head: Head) -> Motion:
    """The sum of the parts as a motion whose points, field, regions and affines agree."""
    motion = Motion.neutral(index, time)
    if parts:
        dense = _sum([part.dense for part in parts])
        motion = replace(
            motion,
            points=_sum([part.points for part in parts]),
            dense=dense,
            gaze=_sum([part.gaze for part in parts]),
            blink=np.clip(_sum([part.blink for part in parts]), 0.0, 1.0),
            fits=RegionFits.of(dense, motion.trust),
        )
    return replace(motion, head=head, confidence=1.0)


def _sum(arrays: Sequence[Floats]) -> Floats:
    return np.asarray(np.sum(np.stack(arrays), axis=0), dtype=np.float32)
