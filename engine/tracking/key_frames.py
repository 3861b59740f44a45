"""Additional reference images for turned heads.

A head turned by more than a dozen degrees no longer resembles its reference frame: alignment with it is
distrusted, and the landmarks with their noise take over.  Therefore a few frames on the way are kept as
*key frames*.  A key frame's image is resampled into the layout by its own measured displacement: it shows
the same layout as the reference, seen from another side, and later frames are aligned with it exactly as
with the reference.  The key frame's own error is the mean over all frames that see both it and the
reference (or the landmarks): it converges and is never chained from key to key, so nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import hypot, radians

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import GRID
from mien.engine.face.regions import region_maps
from mien.engine.tracking.alignment import Aligner
from mien.engine.types import Floats

MOST = 6
"""Key frames kept besides the reference; they cover the turns that a warped portrait can show."""

APART = radians(6.0)
"""Minimum distance of a new key frame from the reference and from every other key frame."""

FAIR = (0.25, 0.9)
"""Range of the mean trust on the face in which a frame may become a key frame: below it, the position of
the face is unknown; above it, no key frame is needed."""

MIX = radians(3.0)
"""Key frames contribute if their turn is further away than the nearest one's by less than this."""

ENOUGH = 0.95
"""Mean trust on the face from which only the reference is used."""

LEARN = 0.3
"""Seconds over which a new key frame's own displacement is averaged while it is faded in."""

EVERY = 4
"""Live: align with every key frame once in this many frames, and only with the best one in between."""

LASTS = 0.85
"""Share of its mean trust that the best one must keep; otherwise all are aligned with at once."""

MAX_CORRECTION = 0.06
"""An alignment that contradicts the landmarks by more than this (face units) is rejected."""

_Turn = tuple[float, float]


@dataclass
class _KeyFrame:
    """A frame used for alignment.

    Attributes:
        turn: pitch and yaw, radians.
        since: time at which it was taken, seconds.
        offset: ``(GRID, GRID, 2)`` to be added to displacements measured against it, face units: the
            mean over all frames in which both it and the reference (or the landmarks) were seen.
        weight: ``(GRID, GRID)`` accumulated weight of that mean.
    """

    turn: _Turn
    aligner: Aligner
    since: float
    weight: Floats
    offset: Floats = field(default_factory=lambda: np.zeros((GRID, GRID, 2), np.float32))

    def away(self, turn: _Turn) -> float:
        return hypot(turn[0] - self.turn[0], turn[1] - self.turn[1])

    def learn(self, error: Floats, weight: Floats) -> None:
        self.weight += weight
        self.offset += (weight / self.weight)[..., None] * (error - self.offset)


@dataclass(frozen=True, slots=True)
class _Lead:
    """State for the frames in between: the best image, and the correction contributed by the others.

    Attributes:
        key: the key frame, or None for the reference.
        believed: ``(GRID, GRID)`` trust in it.
        apart: ``(GRID, GRID, 2)`` displacement by all images minus that by the best one, face units.
        more: ``(GRID, GRID)`` the same difference for trust.
    """

    key: _KeyFrame | None
    believed: Floats
    apart: Floats
    more: Floats


class KeyFrames:
    """The reference image and the key frames; one instance per reference frame.

    Args:
        reference: the reference image.
        most: largest number of key frames.
        every: period in frames of aligning with all images.  In between, only the best one is used, and the
            others' correction is held, so that nothing jumps.
    """

    def __init__(self, reference: Aligner, most: int = MOST, every: int = 1) -> None:
        self._reference = reference
        self._keys: list[_KeyFrame] = []
        self._most = most
        self._trust: Floats | None = None
        self._every = every
        self._lead: _Lead | None = None
        self._since = 0

    def __len__(self) -> int:
        return len(self._keys)

    def align(
        self, gray: NDArray[np.uint8], turn: _Turn, time: float, landmarks: Floats
    ) -> tuple[Floats, Floats]:
        """Displacement from the reference: by alignment with it or the key frames, else by the landmarks.

        Args:
            gray: ``(side, side) uint8``, as returned by :func:`mien.engine.tracking.alignment.sample_layout`.
            turn: pitch and yaw, radians.
            time: of the frame, seconds.
            landmarks: ``(GRID, GRID, 2)`` displacement of ``gray`` by the landmarks, face units.

        Returns:
            ``(GRID, GRID, 2)`` displacements in face units, and ``(GRID, GRID)`` trust, 0..1.
        """
        lead = self._lead
        self._since += 1
        if lead is not None and self._since < self._every:
            own, believed = self._alone(lead, gray, landmarks)
            if face_mean(believed) >= LASTS * face_mean(lead.believed):
                return own + lead.apart, np.clip(believed + lead.more, 0.0, 1.0)
        return self._by_all(gray, turn, time, landmarks)

    def _alone(self, lead: _Lead, gray: NDArray[np.uint8], landmarks: Floats) -> tuple[Floats, Floats]:
        """Displacement by the best image alone (by the landmarks where it is not trusted), and the trust."""
        if lead.key is None:
            flow, trust = self._directly(gray, landmarks)
        else:
            flow, trust = _measured(lead.key.aligner, gray, landmarks)
            unknown = 1.0 if self._trust is None else 1.0 - self._trust
            # Without the reference the landmarks teach; their noise needs many samples to average out.
            lead.key.learn(landmarks - flow, 0.1 * trust * unknown)
            flow = flow + lead.key.offset
        return landmarks + trust[..., None] * (flow - landmarks), trust

    def _directly(self, gray: NDArray[np.uint8], landmarks: Floats) -> tuple[Floats, Floats]:
        direct, trust = _measured(self._reference, gray, landmarks)
        if self._trust is not None:
            trust = 0.5 * (trust + self._trust)
        self._trust = trust
        return direct, trust

    def _by_all(
        self, gray: NDArray[np.uint8], turn: _Turn, time: float, landmarks: Floats
    ) -> tuple[Floats, Floats]:
        self._lead, self._since = None, 0
        direct, trust = self._directly(gray, landmarks)
        plain = landmarks + trust[..., None] * (direct - landmarks)
        result, doubt = plain, 1.0 - trust
        if face_mean(trust) > ENOUGH or not self._keys:
            return plain, trust
        best: tuple[_KeyFrame | None, Floats, Floats] = None, trust, plain
        for key, share in self._shares(turn, time):
            flow, believed = _measured(key.aligner, gray, landmarks)
            key.learn(plain - flow, believed * (0.1 + trust))
            gain = np.float32(share) * believed * (1.0 - trust * trust)
            result = result + gain[..., None] * (flow + key.offset - plain)
            doubt = doubt - np.float32(share) * believed * (1.0 - trust)
            if share > 0.5 and face_mean(believed) > face_mean(best[1]):
                best = key, believed, landmarks + believed[..., None] * (flow + key.offset - landmarks)
        known = 1.0 - doubt
        self._lead = _Lead(best[0], best[1], result - best[2], known - best[1])
        return result.astype(np.float32), known.astype(np.float32)

    def _shares(self, turn: _Turn, time: float) -> list[tuple[_KeyFrame, float]]:
        """The key frames near a turn with their weights, which sum to at most 1 and change smoothly."""
        away = [key.away(turn) for key in self._keys]
        near = [max(0.0, 1.0 - (distance - min(away)) / MIX) for distance in away]
        shares = []
        for key, distance, weight in zip(self._keys, away, near, strict=True):
            fade = min(1.0, max(0.0, 2.0 - distance / APART)) * min(1.0, max(0.0, time - key.since) / LEARN)
            if weight > 0.0 and distance < 2.0 * APART:
                shares.append((key, fade * weight / sum(near)))
        return shares

    def wanted(self, turn: _Turn, trust: Floats) -> bool:
        """Whether a frame with this turn and ``(GRID, GRID)`` trust should become a key frame."""
        if len(self) >= self._most or hypot(*turn) < APART or any(k.away(turn) < APART for k in self._keys):
            return False
        return FAIR[0] <= face_mean(trust) <= FAIR[1]

    def add(self, image: NDArray[np.uint8], turn: _Turn, time: float) -> None:
        """Keep a frame's image, resampled into the layout by its measured displacement."""
        self._keys.append(_KeyFrame(turn, Aligner(image), time, np.full((GRID, GRID), 0.1, np.float32)))


def _measured(aligner: Aligner, gray: NDArray[np.uint8], landmarks: Floats) -> tuple[Floats, Floats]:
    """Displacement and trust; no trust where the alignment contradicts the landmarks too much."""
    flow, trust = aligner.align(gray)
    apart = flow - landmarks
    far = np.hypot(apart[..., 0], apart[..., 1])
    near = np.clip((MAX_CORRECTION - far) / (0.4 * MAX_CORRECTION), 0.0, 1.0)
    return flow, np.asarray(trust * near, np.float32)


def face_mean(values: Floats) -> float:
    """Mean of ``(GRID, GRID)`` values over the face."""
    return float(values.reshape(-1) @ _face_shares())


@lru_cache(maxsize=1)
def _face_shares() -> Floats:
    """Shares of the grid's nodes in a mean over the face."""
    face = (region_maps().rigid_grid > 0).astype(np.float32)
    return np.asarray(face / face.sum(), np.float32)
