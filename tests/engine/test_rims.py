"""Rims of glasses stay where they are, before lids that shut behind them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from shut_eyes import shutting

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.avatar_mouth import portrait_look
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.lid_skin import AvatarLids
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.rims import Rims
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime
from mien.engine.types import Floats, Image

DARK = (30, 25, 25)


@pytest.fixture(scope="module")
def portrait(close_up: Image, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    """A face without glasses, its eyes about 50 pixels wide."""
    large = np.asarray(cv2.resize(close_up, (512, 512), interpolation=cv2.INTER_CUBIC), np.uint8)
    return Avatar.of(large, landmarker, runtime)


def eye_of(points: Floats, eye: int) -> tuple[Floats, float]:
    """Middle and width of an eye, pixels."""
    upper = points[list(EYES[eye][0])]
    return (upper[0] + upper[-1]) / 2, float(np.hypot(*(upper[-1] - upper[0])))


def spectacled(image: Image, points: Floats, reach: float) -> tuple[Image, Image]:
    """The image with a round rim around each eye, and where its upper halves are; ``reach`` in eye widths."""
    found, rims = image.copy(), np.zeros(image.shape[:2], np.uint8)
    ends = []
    for eye in range(2):
        middle, width = eye_of(points, eye)
        centre, radius = np.round(middle + np.array([0, 0.12 * width])).astype(int), round(reach * width)
        thick = max(2, round(0.07 * width))
        cv2.circle(found, tuple(centre.tolist()), radius, DARK, thick, cv2.LINE_AA)
        cv2.ellipse(rims, tuple(centre.tolist()), (radius, radius), 0, 230, 310, 1)
        ends.append(centre + np.array([radius if eye == 0 else -radius, 0]))
    cv2.line(found, tuple(ends[0].tolist()), tuple(ends[1].tolist()), DARK, thick, cv2.LINE_AA)
    return found, rims


def test_upper_rims_are_seen_before_shut_lids(
    portrait: Avatar, landmarker: Landmarker, runtime: Runtime
) -> None:
    image, rims = spectacled(portrait.image, portrait.geometry.points, 0.66)
    avatar = Avatar.of(image, landmarker, runtime)
    canvas = make_canvas(avatar, None)
    lids = AvatarLids(avatar, canvas, portrait_look(avatar, canvas))
    moving = carry_over(shutting(avatar, 1.0), avatar).mesh
    shown = canvas.still.copy()
    found = lids.place(moving, canvas.mesh.warp(moving))
    assert len(found) == 2
    lids.draw(shown, found)
    # Wherever a lid was drawn the rim is as dark as it was.
    before, now = (each[rims > 0].astype(int).mean(axis=1) for each in (image, shown))
    assert len(now) > 60
    assert np.median(now - before) < 6
    assert np.quantile(now - before, 0.95) < 30


def test_what_is_before_an_eye_goes_where_its_surroundings_go(portrait: Avatar) -> None:
    image, _ = spectacled(portrait.image, portrait.geometry.points, 0.66)
    rims = Rims.of(image, portrait.geometry.points, 0)
    assert rims is not None
    size = rims.colours.shape[:2]
    ring = np.linalg.pinv(rims.fit)[:, :2].astype(np.float32) + np.float32(3)
    drawn = rims.draw(np.full((*size, 3), 200, np.uint8), ring, np.ones(size, np.float32))
    solid = rims.colours[:-3, :-3, 3] > 250
    np.testing.assert_allclose(drawn[3:, 3:][solid], rims.colours[:-3, :-3, :3][solid], atol=3)
    assert (drawn[3:, 3:][rims.colours[:-3, :-3, 3] == 0] == 200).all()


@pytest.mark.parametrize("eye", [0, 1])
def test_lashes_brows_and_creases_are_no_rims(portrait: Avatar, avatar: Avatar, eye: int) -> None:
    for one in (portrait, avatar):
        assert Rims.of(one.image, one.geometry.points, eye) is None
    middle, width = eye_of(portrait.geometry.points, eye)
    creased = portrait.image.copy()
    at = tuple(np.round(middle).astype(int).tolist())
    cv2.ellipse(creased, at, (round(0.5 * width), round(0.4 * width)), 0, 200, 340, DARK, 2, cv2.LINE_AA)
    assert Rims.of(creased, portrait.geometry.points, eye) is None


@pytest.mark.parametrize("eye", [0, 1])
def test_a_texture_of_lines_is_no_rim(portrait: Avatar, eye: int) -> None:
    hatched = portrait.image.copy()
    hatched[::5] = DARK
    hatched[:, ::5] = DARK
    assert Rims.of(hatched, portrait.geometry.points, eye) is None


def test_skin_behind_rims_is_free_of_them(portrait: Avatar) -> None:
    points = portrait.geometry.points
    image, _ = spectacled(portrait.image, points, 0.66)
    rims = Rims.of(image, points, 1)
    assert rims is not None
    corner = np.array(rims.corner)
    rows, columns = (slice(at, at + size) for at, size in zip(corner[::-1], rims.colours.shape, strict=False))
    cleared = rims.cleared(np.ascontiguousarray(image[rows, columns]), corner, eye_of(points, 1)[1])
    line = rims.colours[..., 3] > 250
    off = np.abs(cleared.astype(int) - portrait.image[rows, columns])[line].mean()
    was = np.abs(image[rows, columns].astype(int) - portrait.image[rows, columns])[line].mean()
    assert off < 0.35 * was
