"""Clips in the report: driver and result side by side, small enough to be embedded."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from mien.cli.batch.face_window import squared
from mien.cli.batch.report.motion_field import jpeg_uri
from mien.engine.types import Image
from mien.streams.factory import open_sink

SIDE = 320
GAP = 4
MOST_BYTES = 900_000
MOST_SECONDS = 8.0
QUALITIES = (17, 22, 27, 33)
"""Rate factors to try, best first, until a clip fits."""


@dataclass(frozen=True)
class Passage:
    """Frames of a clip that the player shows: indices, their times in seconds, and those from 0."""

    frames: tuple[int, ...]
    start: float
    times: tuple[float, ...]

    @staticmethod
    def about(times: Sequence[float], apex: int) -> Passage:
        """A whole short clip; of a long one, the part around the apex."""
        middle = times[apex]
        start = max(times[0], min(middle - MOST_SECONDS / 2, times[-1] - MOST_SECONDS))
        chosen = tuple(i for i, t in enumerate(times) if start <= t <= start + MOST_SECONDS)
        first = times[chosen[0]]
        return Passage(chosen, first, tuple(times[i] - first for i in chosen))


def beside(driver: Image, result: Image) -> Image:
    """``(SIDE, 2 * SIDE + GAP, 3)``: two images in one."""
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    return np.concatenate([squared(driver, SIDE), gap, squared(result, SIDE)], axis=1)


def player(
    driver: Sequence[Image],
    result: Sequence[Image],
    passage: Passage,
    fps: float,
    poster: int,
    name: str,
    who: str,
) -> str:
    """An HTML ``<figure>`` that plays the passage in a loop, at any speed.

    Args:
        driver, result: images of the two faces, frame by frame of the whole clip.
        poster: frame of the clip to show at first (the apex).
        name: the pair's.
        who: what drives: "driver", or "motion file", whose side shows the portrait at rest.
    """
    images = [beside(driver[i], result[i]) for i in passage.frames]
    data = _encoded(images, passage.times, fps)
    still = jpeg_uri(images[passage.frames.index(poster)] if poster in passage.frames else images[0])
    speeds = "".join(
        f'<button type=button data-speed="{speed}">{text}</button>'
        for speed, text in ((1, "original speed"), (0.25, "4× slower"), (0.1, "10× slower"))
    )
    width = 2 * SIDE + GAP
    left = who if who == "driver" else f"{who} (the portrait at rest)"
    return (
        f'<figure class=player data-start="{passage.start:.4f}" data-fps="{fps:.4f}">'
        f"<div class=labels aria-hidden=true><span class=driver>{left}</span>"
        "<span class=result>result</span></div>"
        f'<video muted loop playsinline preload=metadata controls width="{width}" height="{SIDE}" '
        f'poster="{still}" aria-label="{escape(name)}: {left} on the left, result on the right" '
        f'src="data:video/mp4;base64,{base64.b64encode(data).decode()}"></video>'
        f'<div class=controls role=group aria-label="player">'
        "<input class=seek type=range min=0 max=1000 value=0 aria-label='place in the clip'>"
        f"<button type=button data-play>play</button>{speeds}"
        "<button type=button data-step=-1 aria-label='one frame back'>◂ frame</button>"
        "<button type=button data-step=1 aria-label='one frame on'>frame ▸</button>"
        "<output class=clock></output></div></figure>"
    )


def _encoded(images: Sequence[Image], times: Sequence[float], fps: float) -> bytes:
    """Encode as H.264 in MP4, at the best quality that fits."""
    data = b""
    height, width = images[0].shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for quality in QUALITIES:
            with open_sink(path, width=width, height=height, fps=fps, quality=quality) as sink:
                for image, time in zip(images, times, strict=True):
                    sink.write(image, time)
            data = path.read_bytes()
            if len(data) <= MOST_BYTES:
                break
    return data
