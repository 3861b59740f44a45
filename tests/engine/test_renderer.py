"""Transfer and rendering: the avatar shows the given motion and nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from known_motion import compressed

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.crop import crop_around, cut, within_image
from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE, Field
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import GRID
from mien.engine.face.regions import region_indices, region_maps
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Gains, Head, Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker
from mien.engine.types import Frame, Image, MienError


def raised(region: str, size: float) -> Motion:
    """A region lifted by ``size`` face units."""
    maps, chosen = region_maps(), list(region_indices([region]))
    up = np.array([0.0, -size], np.float32)
    return replace(
        Motion.neutral(),
        points=maps.at_points[chosen].sum(axis=0)[:, None] * up,
        dense=(maps.at_grid[chosen].sum(axis=0)[:, None] * up).reshape(GRID, GRID, 2),
    )


def test_no_motion_gives_the_portrait_itself(avatar: Avatar, runtime: Runtime) -> None:
    image = Renderer(avatar, runtime).render(Motion.neutral()).image
    np.testing.assert_array_equal(image, avatar.image)


def test_an_avatar_driven_by_its_own_still_stays_still(
    astronaut: Image, avatar: Avatar, runtime: Runtime
) -> None:
    frames = compressed([astronaut] * 8, crf=23)
    with Tracker() as tracker:
        session = Session(tracker, Renderer(avatar, runtime))
        images = [session.step(Frame(f, i, 0, i / 25)).image.astype(np.int16) for i, f in enumerate(frames)]
    change = [np.abs(p - avatar.image).mean() for p in images]
    flicker = [np.abs(b - a).mean() for a, b in pairwise(images)]
    assert max(change) < 0.5
    assert max(flicker) < 0.2


def test_the_image_outside_the_crop_is_unchanged(avatar: Avatar, runtime: Runtime) -> None:
    motion = replace(Motion.neutral(), head=Head((0.2, -0.1), 1.05, 0.1, (0.1, 0.2)))
    image = Renderer(avatar, runtime).render(motion).image
    outside = np.ones(image.shape[:2], bool)
    crop = avatar.crop
    # Above the crop the image ends soon: her hair moves up to there.
    outside[: int(crop.y + crop.side) + 1, max(0, int(crop.x)) : int(crop.x + crop.side) + 1] = False
    assert outside.any()
    np.testing.assert_array_equal(image[outside], avatar.image[outside])
    assert np.abs(image.astype(int) - avatar.image)[~outside].mean() > 1


def test_the_border_of_the_crop_shows_no_seam(avatar: Avatar, runtime: Runtime) -> None:
    """Just inside the crop's border the image changes no more than just outside it."""
    motion = replace(Motion.neutral(), head=Head((0.15, 0.1), 1.0, 0.05, (0.0, 0.0)))
    changed = np.abs(Renderer(avatar, runtime).render(motion).image.astype(int) - avatar.image).max(axis=2)
    bottom = min(avatar.image.shape[0], int(avatar.crop.y + avatar.crop.side)) - 1
    right = min(avatar.image.shape[1], int(avatar.crop.x + avatar.crop.side)) - 1
    assert np.median(changed[bottom - 2 : bottom, :]) <= 1
    assert np.median(changed[:, right - 2 : right]) <= 1


@pytest.mark.parametrize("region", ["brow_inner", "mouth_corner_left", "chin"])
def test_a_lifted_region_is_lifted_on_the_avatar(
    avatar: Avatar, runtime: Runtime, landmarker: Landmarker, region: str
) -> None:
    renderer = Renderer(avatar, runtime)
    before = renderer.render(Motion.neutral()).image
    after = renderer.render(raised(region, 0.04)).image
    flow = cv2.DISOpticalFlow.create(2).calc(
        cv2.cvtColor(before, cv2.COLOR_RGB2GRAY), cv2.cvtColor(after, cv2.COLOR_RGB2GRAY), None
    )
    from mien.engine.face.regions import REGIONS, region_seeds

    index = region_indices([region])[0]
    points = avatar.face.landmarks[list(region_seeds(REGIONS[index])), :2].astype(int)
    moved = flow[points[:, 1], points[:, 0]].mean(axis=0)
    # The soft map is about a half at the region's landmarks, and flow smooths narrow motion.
    assert -moved[1] > 0.25 * 0.04 * avatar.geometry.unit
    assert abs(moved[0]) < 0.5 * abs(moved[1])


def test_gains_by_region_leave_the_other_regions_alone(avatar: Avatar, runtime: Runtime) -> None:
    both = raised("brow_inner", 0.04)
    chin = raised("chin", 0.04)
    both = replace(both, points=both.points + chin.points, dense=both.dense + chin.dense)
    session = Session(None, Renderer(avatar, runtime), Gains.only(["brow_inner"]))
    silenced = session.play(Frame(avatar.image, 0, 0, 0.0), both).image.astype(int)
    alone = Renderer(avatar, runtime).render(raised("brow_inner", 0.04)).image.astype(int)
    assert np.abs(silenced - alone).mean() < 0.15


def test_head_shifts_go_the_same_way_on_the_screen(avatar: Avatar) -> None:
    motion = replace(Motion.neutral(), head=Head((0.2, 0.1), 1.0, 0.0, (0.0, 0.0)))
    moved = carry_over(motion, avatar).points - avatar.source_points
    expected = np.array([0.2, 0.1]) * avatar.geometry.unit / avatar.crop.pixels_per_norm
    np.testing.assert_allclose(moved, np.broadcast_to(expected, moved.shape), atol=2e-3)


def test_excessive_head_motion_stays_within_what_the_portrait_can_show(
    avatar: Avatar, runtime: Runtime
) -> None:
    motion = replace(Motion.neutral(), head=Head((3.0, 2.0), 4.0, 0.2, (0.5, 1.2)))
    driving = carry_over(motion, avatar)
    assert np.isfinite(driving.points).all()
    assert np.isfinite(driving.dense).all()
    assert np.abs(driving.points).max() < 2.0
    assert Renderer(avatar, runtime).render(motion).image.shape == avatar.image.shape


def test_the_dense_flow_inverts_what_moved_forward(avatar: Avatar) -> None:
    driving = carry_over(raised("cheek_right", 0.03), avatar)
    backward, weight = driving.dense[:2], driving.dense[2]
    assert 0.99 <= weight.max() <= 1.0
    assert weight.min() == 0.0
    on_face = weight > 0.99
    assert backward[1][on_face].max() > 0.5 * 0.03 * avatar.geometry.unit / avatar.crop.pixels_per_norm
    assert np.abs(backward[:, weight == 0]).max() < 0.2


@pytest.mark.parametrize("size", [128, 300, 512])
def test_the_face_crop_has_the_size_that_was_asked_for(avatar: Avatar, runtime: Runtime, size: int) -> None:
    renderer = Renderer(avatar, runtime, crop=size)
    assert renderer.size == (size, size)
    assert renderer.render(raised("brow_inner", 0.05)).image.shape == (size, size, 3)


@pytest.fixture(scope="module")
def tight(astronaut: Image, avatar: Avatar, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    """A portrait that the face fills from brow to chin, wider than high."""
    low, high = (at(avatar.face.landmarks[:, :2], axis=0).astype(int) for at in (np.min, np.max))
    part = astronaut[low[1] - 10 : high[1] + 10, low[0] - 40 : high[0] + 40]
    large = cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return Avatar.of(np.asarray(large, np.uint8), landmarker, runtime)


def test_the_crop_of_a_tight_portrait_is_what_there_is_of_it(tight: Avatar, runtime: Runtime) -> None:
    height, width = tight.image.shape[:2]
    assert tight.crop.side > max(height, width)
    view = within_image(tight.crop, tight.image, tight.face)
    assert view.side == min(height, width)
    assert 0 <= view.x <= width - view.side
    assert 0 <= view.y <= height - view.side
    found = Renderer(tight, runtime, crop=256).render(Motion.neutral()).image
    apart = np.abs(found.astype(int) - cut(tight.image, view, 256))
    print("grey levels apart", apart.mean(), apart.max())
    assert apart.max() <= 2


def test_the_crop_of_a_narrow_portrait_shows_the_whole_face(astronaut: Image, avatar: Avatar) -> None:
    """Data of micro-expressions is often cropped to the face, which is higher than wide."""
    low, high = (at(avatar.face.landmarks[:, :2], axis=0).astype(int) for at in (np.min, np.max))
    part = astronaut[low[1] - 10 : high[1] + 10, low[0] - 5 : high[0] + 5]
    landmarks = avatar.face.landmarks - np.array([low[0] - 5, low[1] - 10, 0], np.float32)
    face = replace(avatar.face, landmarks=landmarks)
    view = within_image(crop_around(face), part, face)
    height, width = part.shape[:2]
    assert width < high[1] - low[1]
    assert view.side <= height
    assert view.y <= landmarks[:, 1].min() and landmarks[:, 1].max() <= view.y + view.side
    assert view.x == pytest.approx((width - view.side) / 2), "as much beside it on the left as on the right"


def test_a_crop_within_the_portrait_is_left_as_it_is(astronaut: Image, avatar: Avatar) -> None:
    own = avatar.crop
    assert within_image(own, astronaut, avatar.face) == own
    beyond = replace(own, x=-15.0, y=astronaut.shape[0] - own.side + 10.0)
    moved = within_image(beyond, astronaut, avatar.face)
    assert moved.side == own.side
    assert moved.x >= 0 and moved.y <= astronaut.shape[0] - own.side


def test_a_tight_crop_moves_as_the_whole_portrait_does(
    tight: Avatar, landmarker: Landmarker, runtime: Runtime
) -> None:
    """Head and brows, at the crop's scale: nothing fades out towards the border of the image."""
    motion = replace(raised("brow_inner", 0.08), head=Head(shift=(0.05, -0.04), roll=0.03))
    side = min(tight.image.shape[:2])
    scale = 256 / side
    crop = Renderer(tight, runtime, crop=256)
    whole = Renderer(tight, runtime)
    shifts = []
    for renderer in (crop, whole):
        before, after = (
            landmarker.detect(renderer.render(m).image)[0].landmarks[:, :2]
            for m in (Motion.neutral(), motion)
        )
        shifts.append(after - before)
    apart = np.linalg.norm(shifts[0] - scale * shifts[1], axis=1)
    assert np.median(np.linalg.norm(shifts[0], axis=1)) > 4
    assert np.median(apart) < 1


def test_a_portrait_without_a_face_is_refused(landmarker: Landmarker, runtime: Runtime) -> None:
    with pytest.raises(MienError, match=r"No face was found in wall\.png"):
        Avatar.of(np.full((300, 300, 3), 128, np.uint8), landmarker, runtime, "wall.png")


def test_several_faces_and_cropped_faces_are_reported(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    small = cv2.resize(astronaut, (400, 400), interpolation=cv2.INTER_AREA)
    framed = np.full_like(astronaut, 200)
    framed[:400, :400] = small
    pair = np.hstack([astronaut, framed])
    notes = Avatar.of(np.ascontiguousarray(pair), landmarker, runtime, "pair.png").notes
    assert any("2 faces; the largest is used" in note for note in notes)
    half = np.ascontiguousarray(astronaut[:, 205:])
    notes = Avatar.of(half, landmarker, runtime, "half.png").notes
    assert any("cut by the image's border" in note for note in notes)


def test_paint_in_the_mouth_is_added_rounded_and_clipped(avatar: Avatar) -> None:
    canvas = make_canvas(avatar, 256)
    whole = slice(0, 256), slice(0, 256)
    cover, inside = np.ones((256, 256), np.float32), np.zeros((256, 256, 3), np.float32)
    warp = Warp(np.zeros((2, 256, 256), np.float32), whole, cover, inside)
    still = np.zeros((FIELD_SIZE, FIELD_SIZE, 2), np.float32)
    visible = np.ones((FIELD_SIZE, FIELD_SIZE), np.float32)
    paint = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)
    plain = compose(canvas, Field(still, visible, paint), replace(warp, mouth=None)).astype(float)
    for amount in (0.1, -0.1, 2.0):
        paint[:] = amount
        found = compose(canvas, Field(still, visible, paint), warp).astype(float)
        wanted = np.clip(plain + 255 * amount, 0, 255)
        assert np.abs(found - wanted)[4:-4, 4:-4].max() <= 0.51
