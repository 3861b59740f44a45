"""Short drivers for runs of the whole program: real frames of a talking head, and odd ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fakes.media import beeps, make_video

LENGTH = 8
BLACK = np.zeros((288, 352, 3), np.uint8)


def talking(clip: Path, count: int = LENGTH) -> list[np.ndarray]:
    """The first frames of ``clip`` at twice their size, RGB: a face of 90 pixels."""
    from mien.streams.factory import open_source

    frames: list[np.ndarray] = []
    with open_source(str(clip)) as source:
        for frame in source:
            frames.append(cv2.resize(frame.image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
            if len(frames) == count:
                break
    return frames


def make_driver(path: Path, images: list[np.ndarray], *, sound: bool = False) -> Path:
    """A 25 fps H.264 clip of ``images``, with beeps if asked."""
    return make_video(path, images, sound=beeps([0.1], len(images) / 25) if sound else None)


def images_of(path: Path) -> list[np.ndarray]:
    """Every image of a video file or a folder of images, RGB, as our own reader has them."""
    from mien.streams.factory import open_source

    with open_source(str(path)) as source:
        return [frame.image for frame in source]


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(first.astype(np.int16) - second).mean())
