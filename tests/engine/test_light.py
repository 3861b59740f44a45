"""Light: sRGB to linear light and back, brighter without clipping."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.utils.light import lit, relit

GREYS = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)


def brighter(factor: float) -> np.ndarray:
    return lit(GREYS, np.full(GREYS.shape, factor, np.float32))[:, 0, 0].astype(int)


def test_a_factor_of_one_changes_nothing() -> None:
    assert np.array_equal(brighter(1.0), GREYS[:, 0, 0])


@pytest.mark.parametrize("factor", [0.25, 0.8, 1.2, 3.0])
def test_what_is_brighter_stays_brighter(factor: float) -> None:
    values = brighter(factor)
    assert np.diff(values).min() >= 0
    assert np.array_equal(np.sign(values - GREYS[:, 0, 0])[40:180], np.full(140, np.sign(factor - 1)))


def test_highlights_that_become_brighter_keep_their_shape() -> None:
    assert len(np.unique(brighter(1.5)[200:])) > 20, "clipped, five of them would be left"


def test_a_matrix_and_a_factor_agree() -> None:
    of_matrix = relit(GREYS, np.diag([0.5, 0.5, 0.5]).astype(np.float32))[:180, 0, 0].astype(int)
    assert np.abs(of_matrix - brighter(0.5)[:180]).max() <= 1
