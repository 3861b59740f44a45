"""Where lids meet: smooth edges at any slant, a visible line of lashes, and a lid in the light around it."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar.canvas.lid_skin import LidSkin
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lid_line import draw_edges, lash_line, line_colour
from mien.engine.avatar.eyes.lid_shade import shaded, unrolled
from mien.engine.landmarks import topology as topo
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


def bows(*levels: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Rows of landmarks at these heights: under the brow, of the crease, of both lids' edges."""
    x = np.linspace(15, 75, 9, dtype=np.float32)
    brow, crease, upper, lower = (np.stack([x, np.full(9, y, np.float32)], axis=1) for y in levels)
    return brow, crease, upper, lower


def test_a_lid_has_the_light_of_the_skin_below_and_at_the_brow_that_of_the_brow() -> None:
    clear = np.full((60, 90, 3), DARK, np.float32)
    clear[40:] = BRIGHT
    cheek = np.zeros((60, 90), np.float32)
    cheek[44:54, 15:75] = 1.0
    colours = np.full((60, 90, 3), DARK, np.float32)
    found = shaded(colours, clear, cheek, bows(10, 14, 26, 40), 0, 1)[:, 45].sum(axis=1)
    assert sum(DARK) <= found[8] < 0.8 * found[13], "some of the brow's shadow stays"
    assert 0.8 * sum(BRIGHT) < found[16] < 1.2 * sum(BRIGHT)
    assert found[25] < 0.95 * found[16], "darker towards the lashes"


def test_a_lid_is_lightest_on_the_eyeball_and_darker_towards_both_corners() -> None:
    skin = np.full((60, 90, 3), BRIGHT, np.float32)
    cheek = np.ones((60, 90), np.float32)
    for eye in range(2):
        found = shaded(skin, skin, cheek, bows(10, 16, 26, 40), eye, 1).sum(axis=2)
        row = found[14, ::-1] if eye else found[14]
        middle, outer, inner = row[40:46].mean(), row[15:18].mean(), row[72:75].mean()
        assert middle > sum(BRIGHT) > outer > inner


def test_what_is_darker_is_more_saturated_and_grey_stays_grey() -> None:
    grey = line_colour(np.full(3, 40, np.float32), np.full(3, 150, np.float32))
    assert np.ptp(grey) < 0.1 and grey[0] < 80
    lashes = line_colour(np.full(3, 40, np.float32), np.array(BRIGHT, np.float32))
    assert lashes[0] / lashes[2] > 1.1 * BRIGHT[0] / BRIGHT[2]


def test_a_shut_eye_is_unrolled_upwards_from_its_lashes() -> None:
    place, height, up = unrolled(bows(10, 20, 26, 40), (60, 90))
    np.testing.assert_allclose(place[0, [15, 45, 75]], [0, 0.5, 1], atol=1e-5)
    np.testing.assert_allclose(height[[30, 26, 52], 45], [0, 0, 12 / 60], atol=1e-5)
    # The skin under the brow stays, the crease comes down with the lid.
    assert -0.5 < height[10, 45] < -0.4
    assert -0.2 < height[20, 45] < -0.1
    np.testing.assert_allclose(up[[4, 10, 26, 50], 45], [1, 1, 0, 0], atol=1e-5)
    assert (np.diff(height[:, 45]) >= 0).all()


def test_a_half_shut_lid_has_lashes() -> None:
    """Its skin is cleared of the portrait's: in the middle of every blink there were none."""
    image = np.full((100, 140, 3), BRIGHT, np.uint8)
    edge = np.stack([np.linspace(20, 120, 9), np.full(9, 50.0)], axis=1).astype(np.float32)
    draw_edges(image, np.ones(image.shape[:2], np.float32), (edge, edge + 8), np.float32([60, 30, 25]), 0.5)
    column = image[:, 70].astype(int).sum(axis=1)
    assert column[44:51].min() < 0.45 * sum(BRIGHT)
    assert column[54:].min() > 0.9 * sum(BRIGHT)


def test_the_line_is_as_thick_as_lashes_and_has_no_cut_edges() -> None:
    image = np.full((200, 260, 3), BRIGHT, np.uint8)
    edge = np.stack([np.linspace(30, 230, 9), np.full(9, 100.0)], axis=1).astype(np.float32)
    draw_edges(
        image, np.ones(image.shape[:2], np.float32), (edge, edge.copy()), np.float32([60, 30, 25]), 1.0
    )
    column = image[:, 130].astype(int).sum(axis=1)
    thick = (column < (column.max() + column.min()) / 2).sum() / 200
    assert 0.08 < thick < 0.16
    assert np.abs(np.diff(column)).max() < 0.15 * np.ptp(column)


def test_an_eye_in_deep_shadow_has_a_line_that_is_seen() -> None:
    image = np.full((240, 240, 3), DARK, np.uint8)
    image[140:] = BRIGHT
    points = np.zeros((478, 2), np.float32)
    around = np.linspace(0, 2 * np.pi, len(topo.FACE_OVAL), endpoint=False)
    points[list(topo.FACE_OVAL)] = 120 + 300 * np.stack([np.cos(around), np.sin(around)], axis=1)
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
    assert skin.lashes.sum() < 0.7 * lid


def test_the_line_is_a_bow_whatever_a_squint_does_to_the_landmarks() -> None:
    x = np.linspace(10, 90, 9, dtype=np.float32)
    wavy = np.stack([x, 20 + 3 * np.sin((x - 10) / 80 * 4 * np.pi)], axis=1).astype(np.float32)
    darkest = lash_line(wavy, (40, 100))[:, 25:75].argmax(axis=0)
    assert np.ptp(darkest) <= 3 and np.abs(np.diff(darkest)).max() <= 1


def test_a_line_that_slants_a_little_is_as_dark_everywhere_and_is_sharp() -> None:
    """In eyes of 40 pixels it was a row of steps, and a band with a blurred edge."""
    x = np.linspace(10, 50, 9)
    edge = np.stack([x, 20.3 + 0.06 * x], axis=1).astype(np.float32)
    image = np.full((44, 60, 3), BRIGHT, np.uint8)
    draw_edges(image, np.ones(image.shape[:2], np.float32), (edge, edge), np.float32([60, 30, 25]), 1.0)
    dark = 1 - image.astype(float).sum(axis=2) / sum(BRIGHT)
    across = dark[:, 22:39]
    middle = (across * np.arange(44)[:, None]).sum(axis=0) / across.sum(axis=0)
    assert np.abs(np.diff(middle, 2)).max() < 0.03
    assert np.abs(np.diff(dark[:, 30])).max() > 0.3


def test_the_line_reaches_both_corners_and_is_thin_there() -> None:
    x = np.linspace(30, 230, 9)
    edge = np.stack([x, np.full(9, 40.0)], axis=1).astype(np.float32)
    line = lash_line(edge, (80, 260))
    thick = (line > 0.6).sum(axis=0)
    assert thick[[33, 227]].min() > 0
    assert thick[[33, 227]].max() < 0.6 * thick[130]
    assert line[:, [5, 255]].max() == 0
