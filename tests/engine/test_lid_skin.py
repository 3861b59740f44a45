"""Shut lids show smooth skin and a line of lashes, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from shut_eyes import shutting

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.avatar_mouth import portrait_look
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.lid_skin import AvatarLids, LidSkin, ShutLid
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lid_edges import eyeball_below
from mien.engine.avatar.eyes.lid_shade import Rows, shaded
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.types import Floats, Image
from mien.engine.utils.images import filled

SKIN, WHITE, LASHES = (190, 140, 120), (240, 240, 235), (40, 25, 20)


def placed(avatar: Avatar, motion: Motion) -> tuple[AvatarLids, Image, tuple[ShutLid, ...]]:
    canvas = make_canvas(avatar, None)
    moving = carry_over(motion, avatar).mesh
    lids = AvatarLids(avatar, canvas, portrait_look(avatar, canvas))
    return lids, canvas.still.copy(), lids.place(moving, canvas.mesh.warp(moving))


@pytest.mark.parametrize(("eyes", "count"), [((), 0), ((0,), 1), ((1,), 1), ((0, 1), 2)])
def test_each_eye_that_shuts_has_its_lid(avatar: Avatar, eyes: tuple[int, ...], count: int) -> None:
    assert len(placed(avatar, shutting(avatar, 1.0, eyes))[2]) == count


def test_open_eyes_are_left_alone(avatar: Avatar) -> None:
    assert placed(avatar, Motion.neutral())[2] == ()
    assert placed(avatar, shutting(avatar, 0.1))[2] == ()


def test_a_shut_lid_is_drawn_around_its_eye_alone(avatar: Avatar) -> None:
    lids, image, found = placed(avatar, shutting(avatar, 1.0, (0,)))
    before = image.copy()
    assert lids.draw(image, found) > 0
    changed = np.argwhere((image != before).any(axis=2))[:, ::-1]
    eye = avatar.geometry.points[[*EYES[0][0], *EYES[0][1]]]
    width = float(np.ptp(eye[:, 0]))
    assert len(changed) > width
    assert (changed.min(axis=0) > eye.min(axis=0) - width).all()
    assert (changed.max(axis=0) < eye.max(axis=0) + width).all()


def test_half_shut_lids_are_smooth_and_the_eye_between_them_stays_as_it_is(
    close_up: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    """Of what is seen through them, lids that are half shut show little; they were that with streaks."""
    large = cv2.resize(close_up, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    avatar = Avatar.of(np.ascontiguousarray(large, np.uint8), landmarker, runtime)
    lids, still, found = placed(avatar, shutting(avatar, 0.48))
    changes = []
    for shut in (0.29, 1.0):
        image = still.copy()
        lids.draw(image, tuple(replace(lid, shut=shut) for lid in found))
        changes.append(np.abs(image.astype(int) - still).sum(axis=2))
    half, whole = (lids._canvas.moving_part(change) for change in changes)
    for lid in found:
        opening = filled(np.concatenate([lid.edges[0], lid.edges[1][::-1]]), half[lid.box].shape)
        within = cv2.erode(opening, np.ones((7, 1), np.uint8)) > 0.99
        around = cv2.dilate(opening, np.ones((9, 9), np.uint8)) == 0
        assert within.sum() > 50
        assert half[lid.box][within].mean() < 5
        assert half[lid.box][around].mean() > 0.4 * whole[lid.box][around].mean()


def drawn_eye() -> tuple[Image, Floats]:
    """A large drawn eye on flat skin, its lower lid's landmarks within the white, and long lashes."""
    image = np.full((240, 240, 3), SKIN, np.uint8)
    cv2.ellipse(image, (120, 120), (60, 36), 0, 0, 360, WHITE, -1)
    cv2.ellipse(image, (120, 120), (60, 36), 0, 180, 360, LASHES, 3)
    for x in range(75, 170, 12):
        cv2.line(image, (x, 92), (x - 4, 74), LASHES, 2)
    points = np.zeros((478, 2), np.float32)
    upper, lower, _, _ = EYES[0]
    angle = np.linspace(np.pi, 0, 9)
    for row, height in ((upper, -36), (lower, 26)):
        points[list(row)] = np.stack([120 + 60 * np.cos(angle), 120 + height * np.sin(angle)], axis=1)
    for row, height in (((247, 30, 29, 27, 28, 56, 190), -46), ((113, 225, 224, 223, 222, 221, 189), -66)):
        angle = np.linspace(np.pi, 0, 9)[1:-1]
        points[list(row)] = np.stack([120 + 64 * np.cos(angle), 120 + height * np.sin(angle)], axis=1)
    angle = np.linspace(0, 2 * np.pi, len(topo.FACE_OVAL), endpoint=False)
    points[list(topo.FACE_OVAL)] = 120 + 300 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return image, points


def test_white_of_the_eye_below_the_landmarks_is_found() -> None:
    image, points = drawn_eye()
    upper, lower = (points[list(row)] for row in EYES[0][:2])
    below = eyeball_below(image, upper, lower)
    assert 7 < below[4, 1] < 18, "ten pixels of white"
    flat = np.full_like(image, SKIN)
    np.testing.assert_array_equal(eyeball_below(flat, upper, lower), 0)


def test_the_cleared_skin_has_neither_lashes_nor_white() -> None:
    image, points = drawn_eye()
    skin = LidSkin.of(image, points, 0)
    assert skin is not None
    counts = skin.colours[..., 3] > 128
    assert counts.sum() > 2000
    lighter = skin.colours[counts][:, :3].astype(float) / SKIN
    assert 0.65 < lighter.min() < lighter.max() < 1.2, "the shade of a lid, no more"
    assert np.ptp(lighter, axis=1).max() < 0.15
    assert skin.lashes @ (0.3, 0.6, 0.1) < 70


def open_eye() -> tuple[Floats, Rows]:
    """Where the skin below an eye is in 40 x 60 pixels, and the rows of landmarks around it."""
    cheek = np.zeros((40, 60), np.float32)
    cheek[30:] = 1
    x = np.linspace(5, 55, 7, dtype=np.float32)
    brow, crease, upper, lower = (np.stack([x, np.full(7, y, np.float32)], axis=1) for y in (5, 12, 22, 30))
    return cheek, (brow, crease, upper, lower)


def test_a_grey_lid_takes_the_hue_of_the_skin_below() -> None:
    colours = np.full((40, 60, 3), np.mean(SKIN), np.float32)
    colours[30:] = SKIN
    cheek, rows = open_eye()
    found = shaded(colours, colours, cheek, rows, 0, 1)[12:22, 10:50]
    assert (found[..., 0] / found[..., 2]).min() > 1 + 0.5 * (SKIN[0] / SKIN[2] - 1)


def test_hair_of_a_brow_right_over_the_eye_does_not_make_a_lid_of_soot() -> None:
    """The skin below counts, what is under the brow is darker than that by half at most."""
    hair = np.full((40, 60, 3), 12, np.float32)
    clear = hair.copy()
    clear[30:] = SKIN
    cheek, rows = open_eye()
    found = shaded(hair, clear, cheek, rows, 0, 1)
    assert found[6:24, 10:50].min() > 0.45 * min(SKIN)
    np.testing.assert_allclose(
        shaded(clear[30:], clear[30:], cheek[30:], rows, 0, 1)[:5], clear[30:35], atol=0.1
    )


def test_a_lid_at_the_faces_outline_has_nothing_of_the_background() -> None:
    """In half profiles a blue wall behind the further eye made its lid blue."""
    image, points = drawn_eye()
    image[:, :52] = (20, 60, 200)
    points[list(topo.FACE_OVAL), 0] = np.maximum(points[list(topo.FACE_OVAL), 0], 52)
    skin = LidSkin.of(image, points, 0)
    assert skin is not None
    counts = skin.colours[..., 3] > 60
    assert counts.sum() > 2000
    assert (skin.colours[counts][:, 0] > skin.colours[counts][:, 2]).all()


def test_what_is_nearly_black_does_not_make_a_lid_of_a_strong_colour() -> None:
    hair = np.full((40, 60, 3), (14, 4, 0), np.float32)
    clear = hair.copy()
    clear[30:] = SKIN
    cheek, rows = open_eye()
    found = shaded(hair, clear, cheek, rows, 0, 1)[4:24, 10:50]
    assert (found[..., 0] / found[..., 2]).max() < 1.35 * SKIN[0] / SKIN[2]


def test_an_eye_of_a_few_pixels_has_no_skin_of_its_own() -> None:
    image, points = drawn_eye()
    small = cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA)
    assert LidSkin.of(np.asarray(small, np.uint8), points / 20, 0) is None


def test_an_eye_behind_the_nose_has_no_skin_of_its_own() -> None:
    image, points = drawn_eye()
    for mine, other in zip(EYES[0][:2], EYES[1][:2], strict=True):
        points[list(other)] = points[list(mine)]
    assert LidSkin.of(image, points, 0) is not None
    for row in EYES[1][:2]:
        points[list(row), 0] = 60 + 3 * (points[list(row), 0] - 60)
    assert LidSkin.of(image, points, 0) is None


def test_lids_keep_their_own_lashes_until_they_are_half_shut(avatar: Avatar) -> None:
    """Cleared skin over them made the edges of narrowed eyes blurred and pale."""
    lids, still, found = placed(avatar, shutting(avatar, 0.48))
    cleared = tuple(replace(lid.skin, rooted=np.zeros_like(lid.skin.rooted)) for lid in found)

    def changed(skins: tuple[LidSkin, ...], shut: float) -> float:
        image, total = still.copy(), 0.0
        lids.draw(
            image, tuple(replace(lid, skin=skin, shut=shut) for lid, skin in zip(found, skins, strict=True))
        )
        before, after = (lids._canvas.moving_part(one) for one in (still, image))
        for lid in found:
            strip = cv2.remap(lid.skin.rooted, lid.lookup[0], lid.lookup[1], cv2.INTER_LINEAR) > 200
            # The line lies on the edge itself.
            strip[round(float(lid.edges[0][:, 1].mean())) - 2 :] = False
            assert strip.any()
            total += np.abs(after[lid.box][strip].astype(float) - before[lid.box][strip]).sum()
        return total

    own = tuple(lid.skin for lid in found)
    assert changed(own, 0.3) < 0.8 * changed(cleared, 0.3)
    assert changed(own, 0.7) == changed(cleared, 0.7)
