"""Plot of throughput over latency, one curve per method: what a larger batch gains and costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.engine.benchmark.gpu.plan import METHODS, PRESETS
from mien.engine.benchmark.gpu.report import Timing
from mien.engine.types import Image
from mien.engine.utils.files import write_atomic

WIDTH, HEIGHT, EDGE = 1200, 640, 80
COLOURS = ((10, 70, 160), (160, 70, 10), (40, 130, 40), (130, 40, 130), (90, 90, 90))
"""One per method, RGB."""


def draw(timings: Sequence[Timing]) -> Image:
    """Draw ``(640, 1200, 3) uint8`` RGB: both presets side by side, both axes logarithmic."""
    image: Image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for index, preset in enumerate(PRESETS):
        mine = [t for t in timings if t.case.preset == preset and t.ms]
        left = EDGE + index * WIDTH // 2
        if mine:
            _panel(image, left, left + WIDTH // 2 - EDGE - 20, preset, mine)
    return image


def _panel(image: Image, left: int, right: int, preset: str, timings: Sequence[Timing]) -> None:
    top, bottom = EDGE, HEIGHT - EDGE
    x = np.log10([t.ms for t in timings if t.ms])
    y = np.log10([t.frames_per_second for t in timings if t.frames_per_second])
    (x0, x1), (y0, y1) = ((float(v.min()) - 0.1, float(v.max()) + 0.1) for v in (x, y))
    cv2.rectangle(image, (left, top), (right, bottom), (180, 180, 180), 1)
    _text(image, f"{preset}: frames per second over ms per batch", (left, top - 20))
    for value, label in ((x0, left), (x1, right - 60)):
        _text(image, f"{10**value:.2f} ms", (label, bottom + 22))
    for value, row in ((y1, top + 18), (y0, bottom - 8)):
        _text(image, f"{10**value:,.0f}", (left + 6, row))
    for number, method in enumerate(METHODS):
        mine = sorted((t for t in timings if t.case.method == method), key=lambda t: t.case.batch)
        if not mine:
            continue
        points = [
            (
                int(left + (np.log10(t.ms or 1) - x0) / (x1 - x0) * (right - left)),
                int(bottom - (np.log10(t.frames_per_second or 1) - y0) / (y1 - y0) * (bottom - top)),
            )
            for t in mine
        ]
        colour = COLOURS[number]
        cv2.polylines(image, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
        for point, timing in zip(points, mine, strict=True):
            cv2.circle(image, point, 4, colour, -1, cv2.LINE_AA)
            _text(image, str(timing.case.batch), (point[0] + 6, point[1] - 6), colour)
        _text(image, method, (left + 150, bottom - 12 - 20 * number), colour)


def _text(image: Image, words: str, at: tuple[int, int], colour: tuple[int, int, int] = (40, 40, 40)) -> None:
    cv2.putText(image, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)


def write(path: Path, timings: Sequence[Timing]) -> None:
    """Write the plot as PNG; raises :class:`MienError` if it cannot be written."""
    image = cv2.cvtColor(draw(timings), cv2.COLOR_RGB2BGR)
    write_atomic(path, cv2.imencode(".png", image)[1].tobytes())
