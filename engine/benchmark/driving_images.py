"""Driver of a benchmark: a clip, or the built-in portrait moved by the built-in motion."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.motion.recording import load_recording
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Image, NoFaceError, SourceError
from mien.engine.utils.assets import DEMO_MOTION, PORTRAIT
from mien.engine.utils.image_files import load_image
from mien.engine.utils.images import fit_within

KEPT = 60
"""Images kept in memory; played back and forth, so that nothing jumps."""


def read_portrait(path: Path | None, side: int = 1024) -> Image:
    """The portrait, or the built-in one, ``side`` pixels at most: ``(H, W, 3) uint8`` RGB.

    Raises:
        SourceError: missing, damaged or not an image.
    """
    return fit_within(load_image(path or PORTRAIT), side)


def driver_images(
    clip: list[Image] | None, size: tuple[int, int], landmarker: Landmarker, runtime: Runtime
) -> list[Image]:
    """The driver's images, each ``(height, width, 3) uint8`` RGB; ``size`` is width and height.

    Args:
        clip: what :func:`read_clip` gave; None for the built-in driver.

    Raises:
        NoFaceError: no face in the clip.
    """
    if clip is None:
        avatar = Avatar.of(read_portrait(None), landmarker, runtime)
        renderer = Renderer(avatar, runtime)
        motions = [motion for motion in load_recording(DEMO_MOTION) if motion is not None]
        images = [renderer.render(motion).image for motion in motions[:KEPT]]
    else:
        images = clip
        if not any(landmarker.detect(image) for image in images[:10]):
            raise NoFaceError("No face was found at the start of the --clip. Give a clip of a face.")
    return [_fit(image, size) for image in images]


def read_clip(clip: Path) -> list[Image]:
    """The first images of a video, each ``(h, w, 3) uint8`` RGB.

    Raises:
        SourceError: no such file, or no video.
    """
    if not clip.is_file():
        raise SourceError(f"{clip} is not a file. Give a video of a face, or leave --clip out.")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # errors are reported below
    video = cv2.VideoCapture(str(clip))
    images: list[Image] = []
    while len(images) < KEPT:
        there, image = video.read()
        if not there:
            break
        images.append(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
    video.release()
    if not images:
        raise SourceError(f"{clip} is not a video that OpenCV reads. Give an mp4, for example.")
    return images


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Fit the whole image into the size, repeating its border around it."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = round(image.shape[1] * scale), round(image.shape[0] * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, inner, interpolation=how)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    right, bottom = width - inner[0] - left, height - inner[1] - top
    out = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)
