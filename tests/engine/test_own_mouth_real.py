"""The driver's own mouth on real people: what it shows is the driver's, and within the lips."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from conftest import SHARED, read_clip
from scipy.interpolate import RBFInterpolator

from mien.engine.animator import Animator
from mien.engine.avatar import Avatar
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.mouth.view import INNER
from mien.engine.runtime import Runtime
from mien.engine.types import Floats, Frame, Image
from mien.engine.utils.light import LUMINANCE
from mien.streams.images import load_image

OPEN = 0.06
"""Gap of the driver's lips, face units, from which on a mouth counts as open."""


@dataclass
class Found:
    """Of a driver on an avatar: correlations on open frames, colour between the lips, change beyond them."""

    alike: list[float] = field(default_factory=list)
    colour: int = 0
    outside: int = 0


def measured(clip: str, portrait: str, reference: int, landmarker: Landmarker, runtime: Runtime) -> Found:
    """Every eighth of a clip's first 110 frames, relative to one of them, with and without the own mouth."""
    path, still = SHARED / "clips" / f"{clip}.mp4", SHARED / f"{portrait}.jpg"
    if not path.exists() or not still.exists():
        pytest.skip("the clips are not here")
    avatar = Avatar.of(load_image(still), landmarker, runtime)
    images, found = read_clip(path, 110), Found()
    with (
        Animator(avatar, runtime=runtime, crop=512, mouth="own") as own,
        Animator(avatar, runtime=runtime, crop=512, mouth="painted") as painted,
    ):
        own.set_reference(images[reference])
        canvas = own.renderer._canvas  # type: ignore[attr-defined]
        for index, image in enumerate(images):
            frame = Frame(image, index, 0, index / 25)
            motion = own.tracker.track(frame)
            if motion is not None:
                # The light on the driver's skin comes along with the own mouth and changes what is beside it.
                motion = replace(motion, light=None, shading=None)
            shown = own.session.play(frame, motion).image
            if motion is None or motion.mouth is None or own.tracker.face is None or index % 8:
                continue
            mesh = carry_over(motion, avatar).mesh
            ring = canvas.placed(mesh.vertices[INNER]) - np.array(canvas.corner)
            mask = np.zeros(shown.shape[:2], np.uint8)
            cv2.fillPoly(mask, [np.round(ring * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
            change = np.abs(shown.astype(int) - painted.session.play(frame, motion).image).max(axis=2)
            found.outside = max(
                found.outside, int(change[cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 0].max())
            )
            found.colour = max(found.colour, int(np.ptp(shown[mask > 0].astype(int), axis=1).max()))
            if motion.mouth.gap > OPEN and mesh.gap > OPEN:
                seen = own.tracker.face.landmarks[INNER, :2] - 0.5
                found.alike.append(likeness(shown, ring, mask, frame.image, seen))
    return found


def likeness(shown: Image, ring: Floats, mask: Image, driver: Image, seen: Floats) -> float:
    """Correlation of what is between the avatar's lips with the driver's mouth, warped by the lips."""
    core = cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0
    rows, columns = np.nonzero(core)
    if len(rows) < 30:
        return 1.0
    spline = RBFInterpolator(ring.astype(float), seen.astype(float), smoothing=1.0)
    at = spline(np.stack([columns, rows], axis=1).astype(float)).astype(np.float32)
    warped = cv2.remap(driver, at[None, :, 0], at[None, :, 1], cv2.INTER_CUBIC)[0]
    return float(np.corrcoef(warped @ LUMINANCE, shown[core] @ LUMINANCE)[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clip", "portrait", "reference"),
    [
        ("acc7d70f33_0", "stills/s_e5ac43bd1f_0", 1),
        ("b70d083c2e_0", "art/statue", 65),
        ("c1e62ffe96_0", "art/character_3d_c", 73),
    ],
)
def test_what_is_between_the_lips_is_the_drivers(
    clip: str, portrait: str, reference: int, landmarker: Landmarker, runtime: Runtime
) -> None:
    found = measured(clip, portrait, reference, landmarker, runtime)
    assert len(found.alike) >= 3
    assert np.mean(found.alike) > 0.8
    assert found.outside <= 1


@pytest.mark.slow
def test_a_grey_portrait_has_no_colour_between_its_lips(landmarker: Landmarker, runtime: Runtime) -> None:
    found = measured("0492970d2d_0", "stills/s_3b59433282_0", 0, landmarker, runtime)
    assert found.colour <= 1
