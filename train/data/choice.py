"""Choice of the pairs of a clip that are worth training on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

INNER_LIPS = (13, 14)
LIDS = ((159, 145), (386, 374))
EYE_CORNERS = (33, 263)
NOSE_TIP = 4


def openness(landmarks: Floats) -> Floats:
    """How far mouth and eyes are open.

    Args:
        landmarks: ``(F, 478, 2+) float32``.

    Returns:
        ``(F, 2) float32``: mouth gap and mean lid gap in eye distances (outer corners).
    """
    points = landmarks[..., :2]
    unit = np.linalg.norm(points[:, EYE_CORNERS[0]] - points[:, EYE_CORNERS[1]], axis=1) + 1e-6
    mouth = np.linalg.norm(points[:, INNER_LIPS[0]] - points[:, INNER_LIPS[1]], axis=1)
    eyes = sum(np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in LIDS) / 2
    return np.stack([mouth / unit, eyes / unit], axis=1).astype(np.float32)


def choose_pairs(
    landmarks: Floats, sources: int, drivings: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Choose pairs ``(P, 2)`` of source and driving index, grouped by source.

    Half of the sources resemble portraits (mouth shut, eyes open).  Of each source's driving frames, a third
    is arbitrary, a third opens or shuts the mouth, a sixth the eyes, and a sixth moves the head.
    """
    count = len(landmarks)
    opening = openness(landmarks)
    nose = landmarks[:, NOSE_TIP, :2]
    sources = min(sources, count)
    portrait = np.exp(-25 * opening[:, 0]) * np.clip(opening[:, 1], 0.01, None)
    first = _draw(portrait**2, (sources + 1) // 2, rng, np.arange(0))
    chosen = np.concatenate([first, _draw(np.ones(count), sources - len(first), rng, first)])
    pairs: list[tuple[int, int]] = []
    for source in np.sort(chosen):
        taken = np.array([source])
        wishes = (
            (np.abs(opening[:, 0] - opening[source, 0]) ** 1.5, drivings // 3),
            (np.abs(opening[:, 1] - opening[source, 1]) ** 2, drivings // 6),
            (np.linalg.norm(nose - nose[source], axis=1), drivings // 6),
            (np.ones(count), drivings),
        )
        for weights, wanted in wishes:
            wanted = min(wanted, drivings + 1 - len(taken))
            taken = np.concatenate([taken, _draw(weights, wanted, rng, taken)])
        pairs.extend((int(source), int(driving)) for driving in np.sort(taken[1:]))
    return np.array(pairs, np.int32).reshape(-1, 2)


def _draw(
    weights: np.ndarray, wanted: int, rng: np.random.Generator, taken: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Draw up to ``wanted`` distinct indices, not in ``taken``, with probability by weight."""
    weights = np.array(weights, np.float64)
    weights[taken] = 0.0
    wanted = min(wanted, int((weights > 0).sum()))
    if wanted <= 0:
        return np.arange(0)
    return np.asarray(rng.choice(len(weights), wanted, replace=False, p=weights / weights.sum()))
