"""What of a layer's person may be seen in each strip of a moving part."""

import cv2
import numpy as np
import pytest

from mien.engine.avatar.fine_layer import FineLayer
from mien.engine.avatar.person.silhouette import STRIP, Silhouette
from mien.engine.types import Floats, Image

CORNER, SIDE = (30, 20), 200


@pytest.fixture
def bust() -> Image:
    """A head on shoulders, 280 x 260 RGBA, cut off below."""
    layer = np.zeros((260, 280, 4), np.uint8)
    cv2.ellipse(layer, (130, 80), (35, 50), 0, 0, 360, (90, 80, 70, 255), -1)
    cv2.ellipse(layer, (130, 260), (120, 110), 0, 0, 360, (90, 80, 70, 255), -1)
    return layer


def still() -> Floats:
    return np.zeros((2, SIDE, SIDE), np.float32)


def rolled() -> Floats:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) - SIDE / 2
    return np.stack([0.03 * x - 0.2 * y + 3, 0.2 * x + 0.03 * y - 7]).astype(np.float32)


@pytest.mark.parametrize("shift", [still(), rolled(), still() + 25.5, still() - 25.5, still() + 400])
def test_beyond_the_strips_nobody_is_seen(bust: Image, shift: Floats) -> None:
    strips = Silhouette.of(bust, CORNER).strips(shift)
    seen = FineLayer(bust, CORNER, (SIDE, SIDE)).at(shift, (slice(0, SIDE), slice(0, SIDE))).max(axis=2) > 0
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    row, column = y + shift[1] + CORNER[1], x + shift[0] + CORNER[0]
    # What lies beyond the layer is its mirror image, and nobody.
    seen &= (row >= 0) & (row < len(bust)) & (column >= 0) & (column < bust.shape[1])
    for box in strips:
        assert box[0].stop - box[0].start <= STRIP
        seen[box] = False
    assert not seen.any()


def test_strips_are_as_wide_as_the_person_there(bust: Image) -> None:
    strips = Silhouette.of(bust, CORNER).strips(still())
    widths = [columns.stop - columns.start for _, columns in strips]
    assert widths[0] < 90
    assert widths[-1] == SIDE
    assert sum((rows.stop - rows.start) * width for (rows, _), width in zip(strips, widths, strict=True)) < (
        0.75 * SIDE**2
    )


def test_an_empty_layer_has_no_strips() -> None:
    assert Silhouette.of(np.zeros((260, 280, 4), np.uint8), CORNER).strips(still()) == []
