"""Where the network's paint counts within an opened mouth."""

from __future__ import annotations

import numpy as np

from mien.engine.avatar.mouth import CLOSING, PAINTED, paint_strength, painted_share


def test_a_place_without_paint_within_a_painted_mouth_is_no_hole() -> None:
    """Paint crosses zero between a tooth and a dark gap; by itself that pixel showed the black cavity."""
    paint = np.zeros((64, 64, 3), np.float32)
    paint[20:40, 20:32], paint[20:40, 33:44] = 0.4, -0.4
    share = painted_share(paint_strength(paint))
    assert share[20:40, 20:44].min() == 1.0
    assert share[:20].max() == share[40:].max() == share[:, :20].max() == 0.0, "and it grows nowhere"


def test_a_wide_place_without_paint_stays_as_it_is() -> None:
    paint = np.full((64, 64, 3), 0.4, np.float32)
    paint[20 : 20 + 2 * CLOSING, 20 : 20 + 2 * CLOSING] = PAINTED[0] / 2
    assert painted_share(paint_strength(paint))[20 + CLOSING, 20 + CLOSING] == 0.0
