"""The driver's mouth is found where the spline puts it, and its opening drawn in shares of a pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.engine.mouth import carrying
from mien.engine.types import Floats
from mien.engine.utils.images import share_within


def ring(width: float, height: float, tilt: float = 0.0) -> Floats:
    """``(20, 2)`` an edge of lips around the origin, from one corner over the upper lip."""
    angle = np.pi + 2 * np.pi * np.arange(20) / 20
    points = np.stack([0.5 * width * np.cos(angle), 0.5 * height * np.sin(angle)], axis=1)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return (points @ turn).astype(np.float32)


@pytest.mark.parametrize(("width", "height"), [(83, 60), (166, 140), (40, 9)])
def test_places_between_the_nodes_are_the_splines(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = np.array([0.5 * width, 0.5 * height], np.float32)
    inner = ring(width - 2, height - 2, 0.1) + middle
    there, outer = ring(60, 30) + np.float32(50), ring(76, 52) + np.float32(50)
    box = slice(0, height), slice(0, width)
    found = carrying.carried(inner, there, outer, box)
    assert found.shape == (height, width, 2)
    monkeypatch.setattr(carrying, "COLUMNS", width)
    monkeypatch.setattr(carrying, "ROWS", height)
    apart = np.abs(found - carrying.carried(inner, there, outer, box))
    assert apart.max() < 0.6 and apart.mean() < 0.05


def test_the_box_does_not_change_the_places() -> None:
    """Wider boxes have other nodes."""
    inner, there, outer = (ring(*size) + np.float32(60) for size in ((80, 50), (60, 30), (76, 52)))
    part = carrying.carried(inner, there, outer, (slice(30, 90), slice(20, 100)))
    whole = carrying.carried(inner, there, outer, (slice(20, 100), slice(10, 110)))
    assert np.abs(part - whole[10:70, 10:90]).mean() < 0.05


@pytest.mark.parametrize("width", [30, 90, 150, 260])
def test_an_openings_shares_are_areas(width: int) -> None:
    outline = ring(width - 6, 0.4 * width, 0.2) + np.array([0.5 * width, 0.5 * width], np.float32)
    found = share_within(outline, (slice(0, width), slice(0, width)))
    x, y = outline.T.astype(np.float64)
    area = 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))
    assert found.sum() / 255 == pytest.approx(area, rel=0.04)
    large = np.zeros((32 * width, 32 * width), np.uint8)
    cv2.fillPoly(large, [np.round((outline + 0.5) * 32 - 0.5).astype(np.int32)], 255)
    exact = cv2.resize(large, (width, width), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(found - exact).max() < 255 / (5 if width < 100 else 2.5 if width < 200 else 1.5)
    assert np.abs(found - exact)[exact > 0].mean() < 4
