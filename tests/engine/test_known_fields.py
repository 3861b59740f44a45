"""The tracker sees a known smooth field of half a pixel, in shape and in strength, at both settings."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from known_motion import noisy, warped

from mien.engine.face.layout import GRID, N_MESH, apply2, layout
from mien.engine.landmarks import topology as topo
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Floats, Frame, Image
from mien.engine.utils.sampling import sample

PIXELS = 0.5


def random_field(side: int, width: float) -> Floats:
    """``(side, side, 2)``: random, smooth over ``width`` pixels, of a mean length of half a pixel."""
    rng = np.random.default_rng(3)
    found = np.stack([cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), width) for _ in "xy"], axis=2)
    return (found * (PIXELS / np.linalg.norm(found, axis=2).mean())).astype(np.float32)


def without_head(field: Floats, nodes: Floats) -> np.ndarray:
    """Displacements ``(N, 2)`` at nodes as complex numbers, without the similarity that fits them best."""
    place, value = nodes @ np.array([1, 1j]), field @ np.array([1, 1j])
    place, value = place - place.mean(), value - value.mean()
    return value - place * (np.vdot(place, value) / np.vdot(place, place))


@pytest.mark.parametrize(
    ("live", "width", "noise", "correlation", "gain"),
    [
        (False, 20.0, 0.0, 0.96, 0.90),
        (False, 20.0, 2.0, 0.95, 0.90),
        (False, 10.0, 0.0, 0.95, 0.98),
        (True, 20.0, 0.0, 0.955, 0.90),
        (True, 20.0, 2.0, 0.95, 0.90),
    ],
)
def test_half_a_pixel_is_seen(
    close_up: Image, live: bool, width: float, noise: float, correlation: float, gain: float
) -> None:
    field = random_field(close_up.shape[0], width)
    moved = warped(close_up, lambda at: sample(field, (at - 0.5).astype(np.float32)[:, None]).reshape(-1, 2))
    first, second = (noisy(image, noise, k) if noise else image for k, image in enumerate((close_up, moved)))
    with Tracker(TrackerSettings(live=live)) as tracker:
        tracker.track(Frame(first, 0, 0, 0.0))
        # Long after the first, so that smoothing over time has no part in it.
        motion = tracker.track(Frame(second, 1, 0, 10.0))
        assert motion is not None and tracker.reference is not None
        geometry = tracker.reference.geometry
    oval = layout().points[list(topo.FACE_OVAL)]
    inside = [cv2.pointPolygonTest(oval, tuple(map(float, p)), False) > 0 for p in layout().nodes[N_MESH:]]
    nodes = geometry.nodes[N_MESH:][inside]
    seen = apply2(geometry.axes[N_MESH:], motion.dense.reshape(GRID * GRID, 2))[inside]
    true = sample(field, (nodes - 0.5).astype(np.float32)[:, None]).reshape(-1, 2)
    t, s = without_head(true, nodes), without_head(seen, nodes)
    strength = float(np.vdot(t, s).real / np.vdot(t, t).real)
    found = float(np.vdot(t, s).real / np.sqrt(np.vdot(t, t).real * np.vdot(s, s).real))
    print(f"live {live}, smooth over {width} px, noise {noise}: correlation {found:.3f}, gain {strength:.2f}")
    assert found >= correlation
    assert gain <= strength <= 1.1
