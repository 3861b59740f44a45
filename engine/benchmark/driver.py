"""The face that drives a benchmark: a clip, or the built-in portrait moved by the built-in motion."""

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
"""Pictures held in memory; played to and fro, so that nothing jumps."""


def read_portrait(path: Path | None, side: int = 1024) -> Image:
    """The portrait, or the built-in one, ``side`` pixels at most: ``(H, W, 3) uint8`` RGB.

    Raises:
        SourceError: missing, damaged or not an image.
    """
    return fit_within(load_image(path or PORTRAIT), side)


def driver_images(
    clip: Path | None, size: tuple[int, int], landmarker: Landmarker, runtime: Runtime
) -> list[Image]:
    """The driver's pictures, each ``(height, width, 3) uint8`` RGB; ``size`` is width and height.

    Raises:
        MienError: no clip, or no face in it.
    """
    if clip is None:
        avatar = Avatar.of(read_portrait(None), landmarker, runtime)
        renderer = Renderer(avatar, runtime)
        motions = [motion for motion in load_recording(DEMO_MOTION) if motion is not None]
        pictures = [renderer.render(motion).image for motion in motions[:KEPT]]
    else:
        pictures = _read(clip)
        if not any(landmarker.detect(picture) for picture in pictures[:10]):
            raise NoFaceError(f"No face was found at the start of {clip}. Give a clip of a face.")
    return [_fit(picture, size) for picture in pictures]


def _read(clip: Path) -> list[Image]:
    if not clip.is_file():
        raise SourceError(f"{clip} is not a file. Give a video of a face, or leave --clip out.")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with the clip is said below
    video = cv2.VideoCapture(str(clip))
    pictures: list[Image] = []
    while len(pictures) < KEPT:
        there, picture = video.read()
        if not there:
            break
        pictures.append(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8))
    video.release()
    if not pictures:
        raise SourceError(f"{clip} is not a video that OpenCV reads. Give an mp4, for example.")
    return pictures


def _fit(picture: Image, size: tuple[int, int]) -> Image:
    """The whole picture within the size; its border repeats beside it, as a room's wall would."""
    width, height = size
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, inner, interpolation=how)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    right, bottom = width - inner[0] - left, height - inner[1] - top
    out = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)
