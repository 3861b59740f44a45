"""The rendered mesh: it shows what moved, keeps what is small, and does not tear."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.lips.lip_contact import LOWER_ROWS, UPPER_ROWS, part_lips
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import GRID, N_MESH, layout
from mien.engine.face.regions import region_indices, region_maps
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.mesh.topology import MOUTH, face_topology
from mien.engine.mesh.unfolding import unfolded
from mien.engine.motion import Head, Motion
from mien.engine.types import Floats

SIDE = 256
UPPER, LOWER = 13, 14


@pytest.fixture(scope="module")
def canvas(avatar: Avatar) -> Canvas:
    return make_canvas(avatar, SIDE)


def speaking(size: float) -> Motion:
    """Upper lip up by a quarter of ``size``, lower lip and chin down by the rest; face units."""
    motion = Motion.neutral()
    points = motion.points.copy()
    flat = layout().points
    line = flat[list(topo.LIPS_LOWER_INNER)]
    below = flat[:, 1] > np.interp(flat[:, 0], line[:, 0], line[:, 1])
    below[list(topo.LIPS_LOWER_INNER)], below[list(topo.LIPS_UPPER_INNER)] = True, False
    aside = np.clip(1 - np.abs(flat[:, 0]) / 0.45, 0, 1)
    points[:N_MESH, 1] = np.where(below, 0.75 * size * np.sqrt(aside), 0)
    upper = list(topo.LIPS_UPPER_INNER[1:-1] + topo.LIPS_UPPER_OUTER[1:-1])
    points[upper, 1] = -0.25 * size
    return replace(motion, points=points)


def stretch_of(shift: Floats) -> tuple[Floats, Floats]:
    """Determinant of the backward map, and its largest step between neighbouring pixels."""
    x = np.gradient(shift[0] + np.arange(shift.shape[2]))
    y = np.gradient(shift[1] + np.arange(shift.shape[1])[:, None])
    size = np.hypot(np.hypot(x[0], x[1]), np.hypot(y[0], y[1]))
    return x[1] * y[0] - x[0] * y[1], size


def test_the_raster_is_the_map_itself() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(-20, 120, (400, 2)).astype(np.float32)
    places[:4] = [[-30, -30], [130, -30], [-30, 90], [130, 90]]
    triangles = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
    colours = np.concatenate([places, np.ones((400, 1))], axis=1).astype(np.float32)
    found = Rasterizer(100, 60).draw(places, np.zeros(400, np.float32), colours, triangles)
    y, x = np.mgrid[:60, :100]
    assert np.abs(found[..., 0] - x).max() < 0.01
    assert np.abs(found[..., 1] - y).max() < 0.01


def test_what_is_nearer_hides_what_is_behind() -> None:
    places = np.array([[0, 0], [60, 0], [0, 60], [0, 0], [60, 0], [0, 60]], np.float32)
    colours = np.repeat([[1.0, 0, 0], [2.0, 0, 0]], 3, axis=0).astype(np.float32)
    depth = np.repeat([0.0, 5.0], 3).astype(np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    raster = Rasterizer(40, 40)
    assert raster.draw(places, depth, colours, triangles)[5, 5, 0] == pytest.approx(1.0, abs=1e-3)
    assert raster.draw(places, -depth, colours, triangles)[5, 5, 0] == pytest.approx(2.0, abs=1e-3)


def test_mouth_and_eyes_are_cuts() -> None:
    mesh = face_topology()
    assert len(mesh.triangles) == 898
    skin = mesh.triangles[: 898 - 46]
    assert skin.max() < N_MESH  # none across an opening: it would be made of copies
    assert (mesh.layer[skin] == 1).all()
    mouth = mesh.openings[MOUTH]
    assert set(mesh.landmark[mouth]) == set(topo.LIPS_INNER)


@pytest.mark.parametrize("region", ["brow_inner", "cheek_right", "mouth_corner_left", "chin"])
def test_small_motion_is_that_of_the_measured_field(avatar: Avatar, canvas: Canvas, region: str) -> None:
    """Within a tenth of a pixel of the dense field's own inverse, between the vertices as well."""
    maps, chosen = region_maps(), list(region_indices([region]))
    up = np.array([0.004, -0.012], np.float32)
    motion = replace(
        Motion.neutral(),
        points=maps.at_points[chosen].sum(axis=0)[:, None] * up,
        dense=(maps.at_grid[chosen].sum(axis=0)[:, None] * up).reshape(GRID, GRID, 2),
    )
    driving = carry_over(motion, avatar)
    shift = canvas.mesh.warp(driving.mesh).shift
    axis = (np.arange(SIDE) * canvas.to_grid[0, 0] + canvas.to_grid[0, 2]).astype(np.float32)
    lookup = np.stack(np.meshgrid(axis, axis), axis=2)
    wanted = [cv2.remap(plane * canvas.pixels, lookup, None, cv2.INTER_LINEAR) for plane in driving.dense]
    sure = wanted[2] / canvas.pixels > 0.99
    sure &= np.hypot(wanted[0], wanted[1]) < 2
    assert sure.sum() > 5000
    assert np.hypot(wanted[0], wanted[1])[sure].max() > 0.3
    apart = np.hypot(shift[0] - wanted[0], shift[1] - wanted[1])[sure]
    assert np.quantile(apart, 0.99) < 0.1
    assert apart.mean() < 0.02


@pytest.mark.parametrize("size", [0.15, 0.3, 0.45])
def test_an_opened_mouth_does_not_tear(avatar: Avatar, canvas: Canvas, size: float) -> None:
    warp = canvas.mesh.warp(carry_over(speaking(size), avatar).mesh)
    assert warp.mouth is not None and warp.cover is not None
    inside = np.zeros((SIDE, SIDE), np.uint8)
    inside[warp.mouth] = warp.cover > 0
    around = cv2.dilate(inside, np.ones((7, 7), np.uint8)) > 0
    determinant, step = stretch_of(warp.shift)
    assert (determinant[~around] <= 0).mean() < 2e-4, "nothing is folded but at the mouth's very corners"
    assert np.quantile(step[~around], 0.999) < 4, "nothing jumps"
    rows = np.flatnonzero(warp.cover.max(axis=1) > 0.5)
    opening = (rows[-1] - rows[0]) / canvas.pixels * avatar.crop.pixels_per_norm / avatar.geometry.unit
    assert opening > 0.7 * size, "it opens as far as it is asked to"


def test_teeth_do_not_show_along_the_lower_lip_of_a_mouth_that_opens_further(
    avatar: Avatar, canvas: Canvas
) -> None:
    """The portrait smiles: its teeth hang from the upper lip, and below them is the hollow, up to the lip."""
    assert avatar.cavity.shows_inside
    warp = canvas.mesh.warp(carry_over(speaking(0.3), avatar).mesh)
    assert warp.cover is not None
    columns = warp.cover.shape[1]
    for column in range(columns // 3, 2 * columns // 3):
        hollow = np.flatnonzero(warp.cover[:, column] > 0.99)
        assert warp.cover[hollow[-1] + 1, column] > 0.25, "the pixel that the lip's edge cuts"


@pytest.mark.parametrize("left", [0.0, 0.05, 0.1, 0.15])
def test_a_smile_that_shuts_shows_no_teeth_in_the_slit(avatar: Avatar, canvas: Canvas, left: float) -> None:
    """Squeezed into it they were a dashed white line."""
    mesh = carry_over(speaking((left - 1) * avatar.cavity.gap), avatar).mesh
    assert mesh.gap < 0.3 * avatar.cavity.gap
    image = canvas.moving_part(compose(canvas, None, canvas.mesh.warp(mesh)))
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    corner = np.array(canvas.corner, np.float32)
    upper, lower = (
        canvas.placed(mesh.vertices[list(row)]) - corner for row in (UPPER_ROWS[1], LOWER_ROWS[1])
    )
    across = upper + np.linspace(0, 1, 41, dtype=np.float32)[:, None, None] * (lower - upper)
    seen = cv2.remap(grey, across, None, cv2.INTER_NEAREST).astype(int)[:, 1:-1]
    assert (seen.max(axis=0) - np.maximum(seen[0], seen[-1])).max() < 30, "hardly lighter than the lips"


def test_the_slit_of_a_smile_that_shuts_does_not_flicker(avatar: Avatar) -> None:
    """Between lips that all but meet, teeth as bright as the slit is dark were mixed into it."""
    canvas = make_canvas(avatar, SIDE)
    brightest = []
    for left in (-0.01, -0.006, -0.002, 0.002, 0.006, 0.01):
        mesh = carry_over(speaking(left - avatar.cavity.gap), avatar).mesh
        assert mesh.gap < 0.02
        image = compose(canvas, None, canvas.mesh.warp(mesh))
        ring = np.round(canvas.placed(mesh.vertices[list(topo.LIPS_INNER)]) - np.array(canvas.corner))
        slit = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [ring.astype(np.int32)], 1) > 0
        brightest.append(float(np.quantile(image[slit].max(axis=1), 0.9)))
    steps = -np.diff(brightest)
    assert brightest[0] - brightest[-1] > 20
    assert steps.min() > 0
    assert steps.max() < 15


@pytest.mark.parametrize("pixels", [1.3, 2.0, 3.5, 6.0])
def test_a_slit_is_as_dark_as_it_is_open(avatar: Avatar, pixels: float) -> None:
    """And not a row of black blocks: what it covers is the area between the lips."""
    shut = replace(avatar, cavity=replace(avatar.cavity, gap=0.0))
    canvas = make_canvas(shut, SIDE)
    moving = carry_over(Motion.neutral(), shut).mesh
    vertices, ring = moving.vertices.copy(), face_topology().openings[MOUTH]
    scale = SIDE / 2
    line = (vertices[list(topo.LIPS_UPPER_INNER)] + vertices[list(topo.LIPS_LOWER_INNER)]) / 2
    half = np.zeros_like(line)
    half[:, 1] = pixels / 2 / scale * np.sin(np.linspace(0, np.pi, 11))
    vertices[list(topo.LIPS_UPPER_INNER)], vertices[list(topo.LIPS_LOWER_INNER)] = line - half, line + half
    vertices[ring] = vertices[list(topo.LIPS_INNER)]
    warp, cavity = canvas.mesh.warp(replace(moving, vertices=vertices, gap=0.02)), shut.cavity
    assert warp.cover is not None and warp.inside is not None
    # Beside the opening there is flesh, in it the hollow's dark.
    dark = warp.cover * ((cavity.flesh - warp.inside) / (cavity.flesh - cavity.deep)).mean(axis=2)
    x, y = (canvas.placed(vertices[list(topo.LIPS_INNER)]) - np.array(canvas.corner)).T
    area = abs(float(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1)))) / 2
    assert dark.sum() == pytest.approx(area, rel=0.15)
    assert (dark.max(axis=0) > 0.1).sum() > 0.75 * np.ptp(x), "from corner to corner"


def test_lips_meet_and_do_not_pass_through_each_other() -> None:
    points = np.ascontiguousarray(layout().points * np.float32(100))
    moved = points.copy()
    moved[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] -= 20
    part_lips(moved)
    upper, lower = list(topo.LIPS_UPPER_INNER[1:-1]), list(topo.LIPS_LOWER_INNER[1:-1])
    assert (moved[lower, 1] - moved[upper, 1]).min() > -0.5
    kept = points.copy()
    part_lips(kept)
    np.testing.assert_array_equal(kept, points)


def test_folds_are_smoothed_and_nothing_else() -> None:
    points = np.ascontiguousarray(layout().points * np.float32(100))
    moved = points + np.float32(3)
    assert unfolded(points, moved) is moved
    moved[50] += (0, 40)  # a cheek's point over its neighbours
    found = unfolded(points, moved)
    assert abs(found[50, 1] - points[50, 1] - 3) < 20
    far = np.hypot(*(points - points[50]).T) > 60
    np.testing.assert_allclose(found[far], moved[far])


def test_skin_that_a_full_lower_lip_hides_follows_the_lip() -> None:
    """It rose as the lip sank: what the two shared was drawn pixel by pixel from one or the other."""
    lip, below = [84, 17, 314], [83, 18, 313]
    points = np.ascontiguousarray(layout().points * np.float32(100))
    points[lip, 1] = points[below, 1] + 2
    moved = points.copy()
    moved[lip, 1] += 8
    moved[below, 1] -= 8
    found = unfolded(points, moved)
    assert (found[below, 1] - points[below, 1]).min() > -2
    np.testing.assert_allclose(unfolded(points, points + np.float32(3)), points + np.float32(3))


def test_a_turned_head_hides_and_does_not_fold_its_face(avatar: Avatar, canvas: Canvas) -> None:
    for yaw in (-0.4, 0.4):
        motion = replace(Motion.neutral(), head=Head((0.0, 0.0), 1.0, 0.0, (0.0, yaw)))
        driving = carry_over(motion, avatar)
        shift = canvas.mesh.warp(driving.mesh).shift
        determinant, _ = stretch_of(shift)
        scale = canvas.pixels
        face = ((driving.points[list(topo.FACE_OVAL)] + 1) * scale + (SIDE / 2 - scale)).astype(np.int32)
        inside = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [cv2.convexHull(face)], 1)
        inside = cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0
        assert (determinant[inside] <= 0).mean() < 0.005


def test_no_motion_is_no_shift(avatar: Avatar, canvas: Canvas) -> None:
    warp = canvas.mesh.warp(carry_over(Motion.neutral(), avatar).mesh)
    assert np.abs(warp.shift).max() < 1e-3
    assert avatar.mesh.sheet.positions.shape[1] == 2
    assert avatar.mesh.between.mesh.nodes.max() < FIELD_SIZE**2


def test_a_raised_brow_moves_neither_hair_nor_collar(avatar: Avatar, canvas: Canvas) -> None:
    maps = region_maps()
    share = maps.at_points[list(region_indices(["brows"]))].sum(axis=0)
    points = Motion.neutral().points.copy()
    points[:N_MESH, 1] = -0.03 * share[:N_MESH]
    grid = maps.at_grid[list(region_indices(["brows"]))].sum(axis=0).reshape(GRID, GRID)
    dense = np.stack([np.zeros_like(grid), -0.03 * grid], axis=2)
    shift = np.abs(
        canvas.mesh.warp(carry_over(replace(Motion.neutral(), points=points, dense=dense), avatar).mesh).shift
    )
    chin = (avatar.source_points[topo.CHIN, 1] + 1) / 2 * SIDE
    brow = (avatar.source_points[topo.RIGHT_EYEBROW_UPPER[2], 1] + 1) / 2 * SIDE
    assert shift.max() > 0.5
    assert shift[:, int(chin) :].max() < 0.02
    assert shift[:, : int(brow - 0.25 * SIDE)].max() < 0.05
