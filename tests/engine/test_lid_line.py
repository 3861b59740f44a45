"""Where lids meet: smooth edges at any slant, a visible line of lashes, and a lid in the light around it."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar.canvas.lid_skin import LidSkin
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lid_line import DARKER, draw_edges
from mien.engine.avatar.eyes.lid_shade import BROW, heights, shaded
from mien.engine.types import Floats, Image

DARK, BRIGHT = (50, 35, 28), (215, 175, 150)


def slanting() -> tuple[Image, tuple[Floats, Floats]]:
    """A dark lid over a bright cheek, whose edge is a stair, and that edge."""
    y, x = np.mgrid[:48, :80]
    image = np.where((y < 12 + x * 0.3)[..., None], DARK, BRIGHT).astype(np.uint8)
    at = np.linspace(10, 70, 9)
    edge = np.stack([at, 12 + 0.3 * at], axis=1).astype(np.float32)
    return image, (edge, edge.copy())


def test_a_slanting_edge_has_no_stair() -> None:
    image, edges = slanting()
    before = image.astype(int)
    draw_edges(image, np.ones(image.shape[:2], np.float32), edges, np.array(DARK, np.float32), 1.0)
    # Along the edge's foot a stair goes all the way from one colour to the other within a pixel.
    rows = np.arange(15, 66)
    foot = np.round(14.5 + 0.3 * rows).astype(int)
    steps = [np.abs(np.diff(one[foot, rows].sum(axis=1))).max() for one in (before, image.astype(int))]
    assert np.abs(np.diff(before[14:33, 40].sum(axis=1))).max() > 400
    assert np.abs(np.diff(image.astype(int)[14:33, 40].sum(axis=1))).max() < 300
    assert steps[1] < 250


@pytest.mark.parametrize("shut", [0.0, 0.05])
def test_open_eyes_stay_sharp(shut: float) -> None:
    image, edges = slanting()
    before = image.astype(int)
    draw_edges(image, np.ones(image.shape[:2], np.float32), edges, np.array(DARK, np.float32), shut)
    assert np.abs(image - before).max() <= 40 * shut * 20


def test_what_a_nose_hides_gets_no_lashes() -> None:
    image, edges = slanting()
    image[:] = BRIGHT
    seen = np.ones(image.shape[:2], np.float32)
    seen[:, 40:] = 0.0
    draw_edges(image, seen, edges, np.array(DARK, np.float32), 1.0)
    np.testing.assert_array_equal(image[:, 46:], np.broadcast_to(BRIGHT, image[:, 46:].shape))
    assert image[:, 20:34].min() < 110


def test_a_lid_gets_lighter_towards_a_bright_cheek_steadily() -> None:
    clear = np.full((60, 90, 3), DARK, np.float32)
    clear[40:] = BRIGHT
    cheek = np.zeros((60, 90), np.float32)
    cheek[44:54, 15:75] = 1.0
    colours = np.full((60, 90, 3), DARK, np.float32)
    x = np.linspace(15, 75, 9, dtype=np.float32)
    brow, crease, edge = (np.stack([x, np.full(9, y, np.float32)], axis=1) for y in (10, 14, 26))
    found = shaded(colours, clear, cheek, (brow, crease, edge), 1)[:, 45].sum(axis=1)
    assert sum(DARK) < found[5] < 0.9 * found[26], "some of the brow's shadow stays"
    assert (np.diff(found[8:30]) > -0.5).all()
    assert found[26] > 2 * sum(DARK)
    assert found[26] < sum(BRIGHT) - 100
    np.testing.assert_allclose(heights((brow, crease, edge), (60, 90))[[5, 26, 40], 45], [BROW, 1, 1])


def test_an_eye_in_deep_shadow_has_a_line_that_is_seen() -> None:
    image = np.full((240, 240, 3), DARK, np.uint8)
    image[140:] = BRIGHT
    points = np.zeros((478, 2), np.float32)
    rows = (*EYES[0][:2], (247, 30, 29, 27, 28, 56, 190), (113, 225, 224, 223, 222, 221, 189))
    for row, height in zip(rows, (-24, 18, -34, -42), strict=True):
        angle = np.linspace(np.pi, 0, 9)
        angle = angle if len(row) == 9 else angle[1:-1]
        points[list(row)] = np.stack([120 + 60 * np.cos(angle), 120 + height * np.sin(angle)], axis=1)
    skin = LidSkin.of(image, points, 0)
    assert skin is not None
    x, y = (points[EYES[0][0][4]] - skin.corner + 0.5) * skin.fine - 0.5
    lid = skin.colours[int(y), int(x), :3].astype(float).sum()
    assert lid > 1.3 * sum(DARK)
    assert skin.lashes.sum() < (DARKER + 0.1) * lid
