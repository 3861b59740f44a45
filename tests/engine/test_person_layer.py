"""The person as a layer: over its background it is the portrait, and before something else it has no glow."""

from __future__ import annotations

import numpy as np

from mien.engine.avatar.person.person_layer import person_layer, showing

SIDE = 64


def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A portrait, the person's opacity and a background, all of them without any order."""
    random = np.random.default_rng(5)
    still, background = (random.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(2))
    return still, random.random((SIDE, SIDE), np.float32), background


def test_over_its_background_it_is_the_portrait() -> None:
    still, opacity, background = pictures()
    layer = person_layer(still, opacity, background)
    over = layer[..., :3].astype(int) + showing(background, layer[..., 3])
    assert np.abs(over - still).max() == 0
    assert (layer[..., 3] >= np.floor(255 * opacity)).all()


def test_what_an_outline_missed_of_a_white_thing_does_not_glow() -> None:
    """Before a dark wall it was added to whatever it came before: a white line along a jaw."""
    still, dark = np.full((SIDE, SIDE, 3), 240, np.uint8), np.full((SIDE, SIDE, 3), 40, np.uint8)
    layer = person_layer(still, np.zeros((SIDE, SIDE), np.float32), dark)
    skin = np.full_like(still, 150)
    assert (layer[..., :3].astype(int) + showing(skin, layer[..., 3])).max() < 265
    assert layer[..., :3].astype(int).max() <= layer[..., 3].min() + 21


def test_grain_on_a_white_wall_is_no_person() -> None:
    still = np.random.default_rng(2).integers(240, 256, (SIDE, SIDE, 3), np.uint8)
    wall = np.full((SIDE, SIDE, 3), 248, np.uint8)
    layer = person_layer(still, np.zeros((SIDE, SIDE), np.float32), wall)
    assert layer[..., 3].max() < 12
