"""A background that is filled in behind a person has the texture of what is beside them."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar.crop import Square
from mien.engine.avatar.person.fill_texture import fine_structure, gone_on
from mien.engine.avatar.person.layers import filled_behind

SIDE = 256
WHOLE = Square(0.0, 0.0, float(SIDE))
HOLE = slice(70, 186)
"""Columns of a person from the top down to the bottom."""


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """A rough wall, ``(SIDE, SIDE, 3) uint8``."""
    rough = np.random.default_rng(7).normal(0, 20, (SIDE, SIDE, 1))
    return np.clip(120 + rough.repeat(3, 2), 0, 255).astype(np.uint8)


def someone() -> np.ndarray:
    person = np.zeros((SIDE, SIDE), np.float32)
    person[:, HOLE] = 1.0
    return person


def added(picture: np.ndarray, known: np.ndarray, most: float = 255.0) -> np.ndarray:
    fine = fine_structure(picture.astype(np.float32), known, SIDE)
    return gone_on(fine, known, np.full(known.shape, most, np.float32), SIDE)


def test_the_texture_goes_on_behind_the_person(wall: np.ndarray) -> None:
    picture = wall.copy()
    picture[:, HOLE] = (255, 0, 0)
    found = filled_behind(picture, someone(), WHOLE)
    uncovered = found[20:-20, HOLE.start : HOLE.start + 25].astype(float)
    assert uncovered.std() > 0.6 * wall.std(), "a plain blur had a tenth of it"
    assert np.abs(uncovered.mean(axis=(0, 1)) - 120).max() < 8, "nothing of the person is in it"
    np.testing.assert_array_equal(found[:, :60], picture[:, :60])


def test_it_is_not_mirrored(wall: np.ndarray) -> None:
    found = added(wall, someone() == 0)[20:-20, ..., 0]
    uncovered, beside = found[:, HOLE.start + 3 : HOLE.start + 20], wall[20:-20, ..., 0].astype(float)
    whole, mirrored = 0.0, 0.0
    for first in range(10, HOLE.start - 17):
        like = np.corrcoef(uncovered.ravel(), beside[:, first : first + 17].ravel())[0, 1]
        unlike = np.corrcoef(uncovered.ravel(), beside[:, first : first + 17][:, ::-1].ravel())[0, 1]
        whole, mirrored = max(whole, like), max(mirrored, unlike)
    assert whole > 0.9 > 0.3 > mirrored


def test_where_the_background_is_known_and_where_it_is_plain_nothing_is_added(wall: np.ndarray) -> None:
    known = someone() == 0
    assert not added(wall, known)[known].any()
    plain = np.full((SIDE, SIDE, 3), 90, np.float32)
    assert np.abs(added(plain, known)).max() < 0.01
    assert not added(plain, np.zeros_like(known)).any()


def test_a_portraits_frame_is_not_repeated() -> None:
    framed = np.full((SIDE, SIDE, 3), 90, np.float32)
    framed[:, :3] = framed[:, -3:] = 0
    assert np.abs(added(framed, someone() == 0)).max() < 12


def test_an_edge_further_away_does_not_come_back_on_a_plain_wall() -> None:
    picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
    picture[:, :36] = 20
    known = someone() == 0
    assert np.abs(added(picture, known)).max() > 20
    found = filled_behind(picture, someone(), WHOLE)
    assert np.abs(np.diff(found[:, HOLE.start + 3 : HOLE.stop - 3].astype(int), axis=1)).max() < 6


def test_a_halo_on_a_plain_wall_does_not_stay_there() -> None:
    """A sharpened photograph has a bright rim around a head; what is structure beside one stays."""
    halo = slice(HOLE.stop + 4, HOLE.stop + 6)
    for wall, kept in ((8, False), (60, True)):
        picture = np.full((SIDE, SIDE, 3), 150, np.uint8)
        picture[:, halo] = 150 + wall
        found = filled_behind(picture, someone(), WHOLE).astype(int)
        assert bool(found[20:-20, halo].mean() > 150 + wall / 3) is kept


def test_beside_a_plain_place_a_fold_further_away_makes_no_patch() -> None:
    """A curtain's fold came back beside an ear, as far as a halo would be filled in."""
    picture = np.full((SIDE, SIDE, 3), 120, np.uint8)
    picture[:, HOLE.stop + 33 : HOLE.stop + 43] = 200
    ring = slice(HOLE.stop + 5, HOLE.stop + 8)
    found = filled_behind(picture, someone(), WHOLE).astype(int)
    assert np.abs(found[20:-20, ring] - 120).max() < 8


def test_a_strand_that_colours_do_not_tell_is_not_left_on_a_bare_wall() -> None:
    picture = np.full((SIDE, SIDE, 3), 240, np.uint8)
    picture[100:103, HOLE.stop : HOLE.stop + 16] = 40
    rough = someone()
    rough[90:113, HOLE.stop : HOLE.stop + 18] = 1.0
    found = filled_behind(picture, someone(), WHOLE, rough)
    assert found.min() > 225
    picture[:, HOLE.stop + 22 : HOLE.stop + 60 : 4] = 150  # a blind: what is beside it may be its own
    assert filled_behind(picture, someone(), WHOLE, rough).min() < 60
