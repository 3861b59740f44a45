"""A portrait behind glass or in fog is noticed and said; bright, dim, grey and soft ones are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.person.behind_glass import is_behind_glass
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime
from mien.engine.types import Image


def veiled(image: Image, share: float, light: float) -> Image:
    """The image through a pane that lets a share of it pass and mirrors a bright sky."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.5)
    return np.asarray(np.clip(share * soft + light, 0, 255), np.uint8)


def test_a_portrait_behind_glass_is_said(close_up: Image, landmarker: Landmarker, runtime: Runtime) -> None:
    plain = Avatar.of(close_up, landmarker, runtime, "me.png")
    glass = Avatar.of(veiled(close_up, 0.45, 130), landmarker, runtime, "me.png")
    assert not any("glass" in note for note in plain.notes)
    assert sum("me.png is pale all over, as behind glass" in note for note in glass.notes) == 1


@pytest.mark.parametrize("side", [120, 256, 900])
def test_a_veil_is_seen_at_any_size(close_up: Image, landmarker: Landmarker, side: int) -> None:
    image = np.asarray(cv2.resize(close_up, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    for one, found in ((image, False), (veiled(image, 0.45, 130), True)):
        assert is_behind_glass(one, landmarker.detect(one)[0].landmarks[:, :2]) == found


def test_bright_dim_and_soft_portraits_are_not_behind_glass(close_up: Image, landmarker: Landmarker) -> None:
    points = landmarker.detect(close_up)[0].landmarks[:, :2]
    bright = np.clip(1.6 * close_up.astype(np.float32), 0, 255)
    dim = 0.25 * close_up.astype(np.float32)
    soft = cv2.GaussianBlur(close_up, (0, 0), 2.0)
    for image in (bright, dim, soft):
        assert not is_behind_glass(np.asarray(image, np.uint8), points)
