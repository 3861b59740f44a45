"""Shut lids beside what the same people's lids look like when they blink."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from conftest import SHARED, read_clip

from mien.engine.avatar import Avatar
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.tracking import Tracker
from mien.engine.types import Floats, Frame, Image

BLINKS = (
    ("0668cd1dbe_0", 36, 38),
    ("1448a660fc_0", 40, 25),
    ("870dde0efc_0", 19, 22),
    ("9dfb9de4f1_0", 7, 9),
    ("b05dbe2608_0", 23, 20),
    ("c4ab581d93_0", 21, 8),
    ("e06b285c6f_0", 49, 30),
)
"""Clips with a frame in which the eyes are open and one in which they are shut."""


def eye_patch(image: Image, upper: Floats) -> Floats:
    """``(36, 48, 3)`` Lab colours of a shut eye from corner to corner, relative to the cheek below."""
    across = upper[-1] - upper[0]
    down = np.array([-across[1], across[0]])
    along, height = np.meshgrid(np.linspace(0, 1, 48), np.linspace(-0.35, 0.45, 36))
    places = upper[0] + along[..., None] * across + height[..., None] * down
    x, y = (places[..., axis].astype(np.float32) for axis in range(2))
    soft = cv2.GaussianBlur(image, (0, 0), 0.03 * float(np.hypot(*across)))
    seen = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(seen.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return np.asarray(lab[:24] - np.median(lab[-8:].reshape(-1, 3), axis=0), np.float32)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "clips").is_dir(), reason="the clips are not here")
def test_lids_look_like_the_same_persons_shut_lids(landmarker: Landmarker, runtime: Runtime) -> None:
    """The mean difference was 8.9 where lids were flat and their line was thin."""
    found = []
    for clip, opened, shut in BLINKS:
        frames = read_clip(SHARED / "clips" / f"{clip}.mp4", max(opened, shut) + 1)
        avatar = Avatar.of(frames[opened], landmarker, runtime)
        tracker = Tracker(landmarker=landmarker)
        assert tracker.set_reference(frames[opened])
        motion = tracker.track(Frame(frames[shut], 1, 0, 0.04))
        assert motion is not None and tracker.face is not None
        renderer = Renderer(avatar, runtime)
        drawn = renderer.render(motion).image
        points = renderer._canvas.placed(carry_over(motion, avatar).mesh.vertices)
        for upper, *_ in EYES:
            row = list(upper)
            truth = eye_patch(frames[shut], tracker.face.landmarks[row, :2])
            found.append(np.hypot(*np.moveaxis(eye_patch(drawn, points[row]) - truth, -1, 0)[:2]).mean())
    assert np.mean(found) < 8.3
