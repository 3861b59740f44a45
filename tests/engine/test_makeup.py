"""Eye shadow stays on a lid that shuts, and what only looks like it does not come onto it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from test_lid_skin import SKIN, drawn_eye

from mien.engine.avatar.canvas.lid_skin import LidSkin
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.avatar.eyes.makeup import eye_shadow
from mien.engine.types import Floats, Image

BLUE = (120, 130, 165)


def both_eyes(
    colours: tuple[tuple[int, ...] | None, ...], brows: tuple[int, ...] = SKIN
) -> tuple[Image, Floats]:
    """A face with two drawn eyes, lids in these colours (None: the skin's), and skin under the brow."""
    one, points = drawn_eye()
    other, found = one.copy(), points.copy()
    for mine, theirs in zip((*EYES[0][:2], *CREASE[0]), (*EYES[1][:2], *CREASE[1]), strict=True):
        found[list(theirs)] = points[list(mine)] + (240, 0)
    image = np.concatenate([one, other], axis=1)
    bare = np.all(image == SKIN, axis=2)
    painted = image.copy()
    for eye, colour in enumerate(colours):
        centre = (120 + 240 * eye, 120)
        cv2.ellipse(painted, centre, (80, 78), 0, 180, 360, brows, -1)
        if colour is not None:
            cv2.ellipse(painted, centre, (70, 54), 0, 180, 360, colour, -1)
    image[bare] = painted[bare]
    return image, found


def test_a_blue_lid_stays_blue_when_it_shuts() -> None:
    image, points = both_eyes((BLUE, BLUE))
    shadow = eye_shadow(image, points)
    assert shadow is not None and shadow[2] - shadow[0] > 0.2
    upper = points[EYES[0][0][4]]
    lids = []
    for made_up in (None, shadow):
        skin = LidSkin.of(image, points, 0, made_up)
        assert skin is not None
        x, y = (upper - skin.corner + 0.5) * skin.fine - 0.5
        lids.append(skin.colours[int(y) - 10 * skin.fine, int(x), :3].astype(float))
    assert lids[1][2] / lids[1][0] > 1.15 * lids[0][2] / lids[0][0]


@pytest.mark.parametrize("lids", [(None, None), (BLUE, None), (None, BLUE)])
def test_bare_lids_and_a_shadow_on_one_of_them_are_no_make_up(
    lids: tuple[tuple[int, ...] | None, ...],
) -> None:
    assert eye_shadow(*both_eyes(lids)) is None


def test_the_shadow_of_a_brow_is_no_make_up() -> None:
    """It is as grey right under the brow."""
    grey = (90, 85, 84)
    assert eye_shadow(*both_eyes((grey, grey), grey)) is None


def test_the_hue_of_what_is_nearly_black_is_not_believed() -> None:
    """Rims of glasses before both eyes made lids violet."""
    violet = (30, 20, 50)
    assert eye_shadow(*both_eyes((violet, violet))) is None
