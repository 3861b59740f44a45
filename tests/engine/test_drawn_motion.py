"""Small known motion is drawn as it is, on every part of a face, up to the border of a tight portrait."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.crop import within_image
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import GRID, N_MESH, apply2, at_landmarks, layout
from mien.engine.face.regions import REGIONS, region_maps
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.types import Floats, Image
from mien.engine.utils.sampling import sample

SIZE = 0.01
"""Mean displacement, face units: a pixel of a face of 145 px."""

RIM = 0.04
"""Face units within the outline from which on it is looked at: at the outline itself the head takes over."""


def small_motion(seed: int) -> Motion:
    """Smooth, random, everywhere on the face."""
    rng = np.random.default_rng(seed)
    field = np.stack([cv2.GaussianBlur(rng.normal(size=(GRID, GRID)), (0, 0), 4.0) for _ in "xy"], axis=2)
    dense = (field * (SIZE / np.linalg.norm(field, axis=2).mean())).astype(np.float32)
    points = Motion.neutral().points.copy()
    points[:N_MESH] = at_landmarks(dense)
    return replace(Motion.neutral(), dense=dense, points=points)


@pytest.fixture(scope="module")
def tight(astronaut: Image, avatar: Avatar, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    """A portrait that ends a few pixels beyond brow and chin, as those of micro-expressions do."""
    low, high = (at(avatar.face.landmarks[:, :2], axis=0).astype(int) for at in (np.min, np.max))
    part = astronaut[low[1] - 6 : high[1] + 6, low[0] - 6 : high[0] + 6]
    large = cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return Avatar.of(np.asarray(large, np.uint8), landmarker, runtime)


def drawn(canvas: Canvas, avatar: Avatar, motion: Motion, places: Floats) -> Floats:
    """Displacement of ``places`` ``(N, 2)``, pixel indices of the result, from the backward map."""
    shift = np.ascontiguousarray(canvas.mesh.warp(carry_over(motion, avatar).mesh).shift.transpose(1, 2, 0))
    corner = np.array([canvas.left, canvas.top] if canvas.pasted else [0, 0], np.float32)
    there = places.copy()
    for _ in range(4):
        there = places - sample(shift, (there - corner).reshape(-1, 1, 2)).reshape(-1, 2)
    return there - places


@pytest.mark.parametrize("crop", [None, 256])
def test_every_region_moves_as_much_as_it_should(tight: Avatar, crop: int | None) -> None:
    canvas, geometry = make_canvas(tight, crop), tight.geometry
    maps = region_maps()
    oval = layout().points[list(topo.FACE_OVAL)]
    inwards = [cv2.pointPolygonTest(oval, tuple(map(float, p)), True) for p in layout().nodes[N_MESH:]]
    on_face = np.flatnonzero(np.array(inwards) > RIM)
    nodes = geometry.nodes[N_MESH:][on_face]
    inside = (nodes > 2).all(axis=1) & (nodes < np.array(tight.image.shape[1::-1]) - 2).all(axis=1)
    on_face, nodes = on_face[inside], nodes[inside]
    corner, scale = np.zeros(2, np.float32), 1.0
    if crop is not None:
        view = within_image(tight.crop, tight.image, tight.face)
        corner, scale = np.array([view.x, view.y], np.float32), crop / view.side
    places = ((nodes - corner) * np.float32(scale) - 0.5).astype(np.float32)
    true, found = [], []
    for seed in range(4):
        motion = small_motion(seed)
        flat = motion.dense.reshape(-1, 2)[on_face]
        true.append(apply2(geometry.axes[N_MESH:][on_face], flat))
        found.append(drawn(canvas, tight, motion, places) / np.float32(scale))
    t, f = np.concatenate(true), np.concatenate(found)
    print("correlation", np.corrcoef(t.ravel(), f.ravel())[0, 1])
    assert np.corrcoef(t.ravel(), f.ravel())[0, 1] > 0.97
    for name, weights in zip(REGIONS, np.tile(maps.at_grid[:, on_face], 4), strict=True):
        gain = (weights @ (t * f).sum(axis=1)) / (weights @ (t * t).sum(axis=1))
        least = 0.8 if "lid" in name else 0.93  # between the lids there is an eyeball, which stays
        assert least < gain < 1.05, (name, gain)
