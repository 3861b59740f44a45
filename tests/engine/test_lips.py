"""On a smiling portrait, a driver's opening mouth moves the lips without squeezing them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.crop import cut
from mien.engine.avatar.lips.lip_contact import LOWER_ROWS, keep_within_edges
from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import N_MESH, apply2, inverse2, jacobians, layout
from mien.engine.face.lips import DriverLips, brought_together, lip_axes
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion, Shape
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Floats

UPPER, LOWER = 13, 14
UPPER_EDGE, LOWER_EDGE = 0, 17


@pytest.fixture
def mesh() -> Floats:
    """The layout's own face with its lips hardly apart; 200 px per face unit."""
    return np.ascontiguousarray(layout().points * np.float32(200.0))


def opened(mesh: Floats, gap: float) -> Floats:
    """The same face with everything below its mouth ``gap`` pixels lower, less towards the corners."""
    left, right = (mesh[topo.LIPS_LOWER_INNER[k], 0] for k in (0, -1))
    middle = (mesh[UPPER, 1] + mesh[LOWER, 1]) / 2
    below = mesh[:, 1] > middle
    below[list(topo.LIPS_LOWER_INNER)], below[list(topo.LIPS_UPPER_INNER)] = True, False
    share = np.clip((mesh[:, 0] - left) * (right - mesh[:, 0]) * 4 / (right - left) ** 2, 0.0, 1.0)
    found = mesh.copy()
    found[:, 1] += np.where(below, gap * share, 0.0).astype(np.float32)
    return found


def thickness(points: Floats) -> tuple[float, float]:
    """Heights of the upper and the lower lip at their middle."""
    return (
        float(np.linalg.norm(points[UPPER] - points[UPPER_EDGE])),
        float(np.linalg.norm(points[LOWER] - points[LOWER_EDGE])),
    )


def test_lips_are_brought_together_in_their_own_shape(mesh: Floats) -> None:
    found = brought_together(opened(mesh, 30.0), 200.0)
    lips = list(topo.LIPS_LOWER_INNER + topo.LIPS_UPPER_INNER)
    np.testing.assert_allclose(found[lips], mesh[lips], atol=2.0)
    assert thickness(found)[1] == pytest.approx(thickness(mesh)[1], rel=0.1)


def test_a_mouth_that_is_hardly_open_keeps_its_maps(mesh: Floats) -> None:
    axes = jacobians(mesh)
    assert lip_axes(axes, mesh, 200.0) is axes


def test_an_open_mouths_lips_have_the_maps_of_their_outer_edges(mesh: Floats) -> None:
    wide = opened(mesh, 30.0)
    before = jacobians(wide)
    after = lip_axes(before, wide, 200.0)
    assert before[UPPER, 1, 1] > 240  # the gap, mistaken for skin
    for inner in (UPPER, LOWER):
        np.testing.assert_allclose(after[inner], 200 * np.eye(2), atol=25)
    changed = np.flatnonzero(np.abs(after[:N_MESH] - before[:N_MESH]).max(axis=(1, 2)))
    outline = np.ascontiguousarray(layout().points[list(topo.LIPS_OUTER)])
    away = [-cv2.pointPolygonTest(outline, layout().points[i].tolist(), True) for i in changed]
    assert max(away) < 1e-3


def test_the_maps_change_gradually_with_the_gap(mesh: Floats) -> None:
    heights = []
    for gap in np.linspace(0.0, 0.06, 19):
        wide = opened(mesh, float(200 * gap))
        heights.append(float(lip_axes(jacobians(wide), wide, 200.0)[UPPER, 1, 1]))
    assert np.abs(np.diff(heights)).max() < 15


def speaking(size: float, gap: float = 0.0) -> Motion:
    """The upper lip goes up by a quarter of ``size``, the lower one down by the rest; face units.

    The driver's face is the layout's, their lips ``gap`` further apart in the reference.
    """
    motion = Motion.neutral()
    points = motion.points.copy()
    points[list(topo.LIPS_UPPER_INNER[1:-1] + topo.LIPS_UPPER_OUTER[1:-1]), 1] = -0.25 * size
    points[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] = 0.75 * size
    nodes = layout().nodes.copy()
    nodes[list(topo.LIPS_LOWER_INNER), 1] += gap
    maps = np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1))
    return replace(motion, points=points, shape=Shape(nodes, maps))


def driven(avatar: Avatar, motion: Motion) -> Floats:
    """The avatar's landmarks after the motion, pixels."""
    points = carry_over(motion, avatar).points
    corner = np.array([avatar.crop.x, avatar.crop.y], np.float32)
    places = ((points + 1) * (255 / 2) + 0.5) * np.float32(avatar.crop.side / 256)
    return np.asarray(places + corner, np.float32)


def test_a_smile_keeps_its_lips_when_the_driver_speaks(avatar: Avatar) -> None:
    before = avatar.geometry.points
    gap = float(np.linalg.norm(before[UPPER] - before[LOWER])) / avatar.geometry.unit
    assert gap > 0.09  # the portrait smiles with its mouth open
    for was, now in zip(thickness(before), thickness(driven(avatar, speaking(0.16))), strict=True):
        assert now == pytest.approx(was, rel=0.1)


def test_an_open_mouthed_drivers_lips_move_as_pieces(avatar: Avatar, mesh: Floats) -> None:
    """Measured across an open mouth, the driver's lips seemed to move less than they did."""
    wide = opened(mesh, 30.0) / np.float32(200.0)
    maps = inverse2(jacobians(wide))
    moved = speaking(0.16).points[:N_MESH]  # in the driver's image
    nodes = layout().nodes.copy()
    nodes[:N_MESH] = wide
    motion = speaking(0.16)
    points = motion.points.copy()
    points[:N_MESH] = apply2(maps[:N_MESH], moved)
    assert abs(points[LOWER, 1]) < 0.8 * abs(moved[LOWER, 1])
    open_mouthed = replace(motion, points=points, shape=Shape(nodes, maps))
    found = driven(avatar, open_mouthed)
    for was, now in zip(thickness(avatar.geometry.points), thickness(found), strict=True):
        assert now == pytest.approx(was, rel=0.12)
    plain = driven(avatar, speaking(0.16))
    np.testing.assert_allclose(found[[UPPER, LOWER]], plain[[UPPER, LOWER]], atol=0.02 * avatar.geometry.unit)


def test_shut_lips_part_without_being_stretched(mesh: Floats) -> None:
    shut = opened(mesh, -0.062 * 200.0)
    before = jacobians(shut)
    after = lip_axes(before, shut, 200.0)
    assert before[LOWER, 1, 1] < 160  # the missing gap, taken for shrunken skin
    np.testing.assert_allclose(after[LOWER], 200 * np.eye(2), atol=25)


def test_no_dark_is_painted_over_its_upper_lip(avatar: Avatar, whole_runtime: Runtime) -> None:
    """The painter once filled the squeezed part of the lip with the inside of a mouth."""
    code = whole_runtime.encode(cut(avatar.image, avatar.crop, IMAGE_SIZE))
    motion = speaking(0.16)
    image = Renderer(replace(avatar, code=code), whole_runtime).render(motion).image
    points = driven(avatar, motion)
    lip = (points[UPPER] + points[UPPER_EDGE]) / 2
    nose = (points[2] + points[UPPER_EDGE]) / 2
    for x, y in (lip, nose):
        patch = image[int(y) - 1 : int(y) + 2, int(x) - 3 : int(x) + 4]
        assert patch.mean() > 110


def test_lips_of_a_gaping_driver_move_as_they_are_seen(mesh: Floats) -> None:
    """Next to the corners of an open mouth the local maps are squeezed, their inverse is large."""
    wide = opened(mesh, 50.0) / np.float32(200.0)
    maps = inverse2(jacobians(wide))
    nodes = layout().nodes.copy()
    nodes[:N_MESH] = wide
    seen = np.tile(np.array([[0.05, 0.1]], np.float32), (len(nodes), 1))
    found = DriverLips.of(nodes, maps).as_pieces(apply2(maps, seen))
    lips = list(topo.LIPS_OUTER + topo.LIPS_INNER)
    assert np.abs(apply2(maps, seen)[lips] - seen[lips]).max() > 0.05
    np.testing.assert_allclose(found[lips], seen[lips], atol=0.02)


def puckered(mesh: Floats) -> Floats:
    """The same face with its mouth half as wide."""
    found = mesh.copy()
    centre = mesh[[UPPER, LOWER]].mean(axis=0)
    away = np.hypot(*((mesh - centre) / np.float32([60.0, 50.0])).T)
    share = np.clip(1.5 - away, 0.0, 1.0)
    found[:, 0] -= 0.5 * share * (mesh[:, 0] - centre[0])
    return found


def test_lips_of_a_puckered_driver_move_as_they_are_seen(mesh: Floats) -> None:
    """Maps of a mouth half as wide are squeezed: what went aside by 0.05 went aside by twice that."""
    narrow = puckered(mesh) / np.float32(200.0)
    maps = inverse2(jacobians(narrow))
    nodes = layout().nodes.copy()
    nodes[:N_MESH] = narrow
    seen = np.tile(np.array([[0.05, 0.1]], np.float32), (len(nodes), 1))
    lips = list(topo.LIPS_OUTER + topo.LIPS_INNER)
    assert np.abs(apply2(maps, seen)[lips] - seen[lips]).max() > 0.04
    found = DriverLips.of(nodes, maps).as_pieces(apply2(maps, seen))
    np.testing.assert_allclose(found[lips], seen[lips], atol=0.02)


def test_what_lies_between_a_lips_edges_stays_there(mesh: Floats) -> None:
    row = list(LOWER_ROWS[0])
    small = mesh + np.random.default_rng(0).normal(0, 1, mesh.shape).astype(np.float32)
    kept = small.copy()
    keep_within_edges(kept, mesh)
    np.testing.assert_array_equal(kept[row], small[row])
    thrown = mesh.copy()
    thrown[row, 1] -= 40
    keep_within_edges(thrown, mesh)
    np.testing.assert_allclose(thrown, mesh, atol=0.01)


def test_a_lip_whose_map_back_is_nearly_singular_does_not_fly_off() -> None:
    """A driver whose reference is half in profile: the far corner is a fold, 0.27 face units became 2.4."""
    lip = np.array(topo.LIPS_LOWER_INNER[6:10])
    to_image = np.tile(np.eye(2, dtype=np.float32), (4, 1, 1))
    back = np.tile(np.array([[9.0, 1.0], [0.0, 1.0]], np.float32), (4, 1, 1))
    measured = np.zeros((len(layout().nodes), 2), np.float32)
    measured[lip] = (-0.2, 0.25)
    found = DriverLips(1.0, 0.0, 1 + 0j, ((lip, to_image, back),), None).as_pieces(measured)
    assert np.hypot(*found[lip].T).max() < 1.4 * np.hypot(0.2, 0.25)
    gentle = np.tile(np.array([[1.1, 0.0], [0.0, 0.9]], np.float32), (4, 1, 1))
    found = DriverLips(1.0, 0.0, 1 + 0j, ((lip, to_image, gentle),), None).as_pieces(measured)
    np.testing.assert_allclose(found[lip], apply2(gentle, measured[lip]), atol=1e-6)
