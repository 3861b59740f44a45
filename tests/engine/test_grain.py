"""A portrait's grain is found on its skin and laid on what is made up."""

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
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.grain import SIDE, grain_of, grained
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime
from mien.engine.types import Image


def fine(image: Image) -> float:
    """Deviation of the finest detail, grey levels; a line in it does not count."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(1.48 * np.median(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.5))))


def on_film(image: Image, strength: float) -> Image:
    """An image blurred and printed on grainy paper."""
    noise = np.random.default_rng(3).normal(0, strength, image.shape[:2])[..., None]
    return np.asarray(np.clip(cv2.GaussianBlur(image, (0, 0), 3) + noise, 0, 255), np.uint8)


def test_the_grain_of_a_print_is_found_and_flat_colour_has_none(astronaut: Image, avatar: Avatar) -> None:
    points, unit = avatar.geometry.points, avatar.geometry.unit
    found = grain_of(on_film(astronaut, 8), points, unit)
    assert found is not None and found.shape == (SIDE, SIDE)
    assert 5 < float(found.std()) < 9
    assert grain_of(np.full_like(astronaut, 150), points, unit) is None


def test_grain_goes_over_an_image_of_any_size_and_keeps_its_light() -> None:
    grain = np.random.default_rng(0).normal(0, 6, (SIDE, SIDE)).astype(np.float32)
    flat = np.full((150, 90, 3), 120, np.uint8)
    found = grained(flat, grain)
    assert found.shape == flat.shape
    assert abs(float(found.mean()) - 120) < 1
    assert np.ptp(found, axis=2).max() == 0, "no colour"
    assert 5 < float(found.std()) < 7


def lid_of(avatar: Avatar) -> Image:
    """The middle of the right upper lid, shut, above its lashes."""
    canvas = make_canvas(avatar, None)
    moving = carry_over(shutting(avatar, 1.0), avatar).mesh
    lids = AvatarLids(avatar, canvas, portrait_look(avatar, canvas))
    drawn = canvas.still.copy()
    lids.draw(drawn, lids.place(moving, canvas.mesh.warp(moving)))
    upper, lower = (canvas.placed(avatar.source_points[list(row)]) for row in EYES[0][:2])
    (x, top), (_, bottom) = upper[4], upper[4] + 0.6 * (lower[4] - upper[4])
    across = 0.25 * (upper[-1, 0] - upper[0, 0])
    return drawn[int(top) : int(bottom), int(x - across) : int(x + across)]


@pytest.mark.parametrize(("strength", "least", "most"), [(8, 4, 12), (0, 0, 1.5)])
def test_the_shut_lid_of_a_grainy_portrait_is_as_grainy(
    close_up: Image,
    landmarker: Landmarker,
    runtime: Runtime,
    strength: float,
    least: float,
    most: float,
) -> None:
    large = np.asarray(cv2.resize(close_up, (768, 768), interpolation=cv2.INTER_CUBIC), np.uint8)
    found = Avatar.of(on_film(large, strength), landmarker, runtime)
    assert least < fine(lid_of(found)) < most
