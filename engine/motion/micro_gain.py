"""Amplification of small facial motion only (``--micro-gain``).

The motion field is scaled locally.  At every grid node, a weight decides how much of the gain applies:

- none within the measurement noise, which is estimated from the node's own time course (its second
  differences: noise is rough, movements are smooth); there the field is even damped a little, so that a
  face at rest stays at rest;
- all of it for movements of a micro-expression's size;
- less and less near larger movements, so that a laugh does not become a grimace.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mien.engine.face.layout import GRID, N_MESH, layout, to_pixels
from mien.engine.face.regions import region_maps
from mien.engine.motion.motion import Motion
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.sampling import sample

LARGE = 0.05
"""Face units (4 px on a face 145 px wide) from which a movement counts as large."""

NEAR = 13
"""Radius in grid nodes within which a large movement suppresses amplification."""

LEAST_NOISE = 0.0004
"""Lower bound of the noise estimate, face units; no camera and codec measure better than this."""

MEMORY = 0.06
"""Weight of a new frame in the running noise estimate: about half a second of video."""

BURIED, CLEAR = 2.0, 5.0
"""Multiples of the noise: up to the first, a movement is not amplified; from the second on, fully."""

CALMED = 0.15
"""Fraction by which motion within the noise is damped while the gain is on."""


class MicroGain:
    """Amplifies the small facial motion of one driver; use one per stream, because it learns the noise.

    Args:
        gain: 1 (off) to 8, as checked by :class:`mien.engine.motion.gains.Gains`.
    """

    def __init__(self, gain: float) -> None:
        self.gain = gain
        self._noise = np.full((GRID, GRID), 2 * LEAST_NOISE, np.float32)
        self._past: list[Floats] = []

    def __call__(self, motion: Motion) -> Motion:
        """Return the motion with its small part amplified."""
        if self.gain == 1.0:
            return motion
        even = np.asarray(cv2.blur(motion.dense, (5, 5)), np.float32)
        self._learn(even)
        scale = self._scale(even)
        at = to_pixels(layout().points, GRID).reshape(-1, 1, 2)
        points = motion.points.copy()
        points[:N_MESH] *= sample(scale, at).reshape(-1, 1)
        maps = region_maps().at_grid
        per_region = (maps @ scale.reshape(-1)) / maps.sum(axis=1)
        return replace(
            motion,
            points=points,
            dense=motion.dense * scale[..., None],
            fits=motion.fits.scaled(per_region),
        )

    def _learn(self, even: Floats) -> None:
        """Update the noise; the mean length of white noise's second differences is 1.25 sqrt(6) sigma."""
        self._past = [*self._past[-2:], even]
        if len(self._past) < 3:
            return
        rough = self._past[2] - 2 * self._past[1] + self._past[0]
        found = np.hypot(rough[..., 0], rough[..., 1]) / np.float32(1.25 * np.sqrt(6.0))
        # A blink is rough, too: a single frame must not raise the estimate by much.
        self._noise += MEMORY * (np.minimum(found, 4 * self._noise) - self._noise)
        np.maximum(self._noise, LEAST_NOISE, out=self._noise)

    def _scale(self, even: Floats) -> Floats:
        """``(GRID, GRID)`` factors for the motion."""
        size = np.hypot(even[..., 0], even[..., 1])
        clear = smoothstep(np.clip((size / self._noise - BURIED) / (CLEAR - BURIED), 0.0, 1.0))
        around = cv2.blur(cv2.dilate(size, np.ones((NEAR, NEAR), np.uint8)), (NEAR, NEAR))
        not_large = 1.0 / (1.0 + (around / LARGE) ** 4)
        calm = CALMED * min(1.0, self.gain - 1.0)
        scale = 1.0 - calm * (1.0 - clear) + (self.gain - 1.0) * clear * not_large
        return np.asarray(cv2.blur(scale.astype(np.float32), (5, 5)), np.float32)
