"""Plot of latency and memory over time as PNG, drawn with OpenCV to avoid a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.engine.types import Floats, Image
from mien.engine.utils.files import write_atomic

WIDTH, HEIGHT = 1200, 640
LEFT, RIGHT, TOP, GAP = 90, 30, 50, 70
INK, GRID, FAINT, STRONG = (40, 40, 40), (225, 225, 225), (205, 190, 160), (160, 70, 10)
"""Colours, BGR."""

BINS = 120
"""Time steps over which medians and 95th percentiles are drawn."""


def draw_latency(
    path: Path, track: Sequence[tuple[float, float]], memory: Sequence[tuple[float, float]]
) -> None:
    """Write the plot.

    Args:
        track: seconds and latency in ms of every frame.
        memory: seconds and resident MB.

    Raises:
        MienError: the file cannot be written.
    """
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    upper = (TOP, TOP + 330)
    lower = (TOP + 330 + GAP, HEIGHT - 50)
    points = np.asarray(track, np.float32).reshape(-1, 2)
    end = float(points[:, 0].max()) if len(points) else 1.0
    most = float(np.percentile(points[:, 1], 99.5)) * 1.2 if len(points) else 1.0
    _axes(image, upper, end, most, "capture to delivery, ms: every frame, median, 95 %")
    _dots(image, upper, points, end, most)
    for share, colour, width in ((95, INK, 1), (50, STRONG, 2)):
        _curve(image, upper, _binned(points, share, end), end, most, colour, width)
    kept = np.asarray(memory, np.float32).reshape(-1, 2)
    kept = kept[np.isfinite(kept).all(axis=1)]
    top = float(kept[:, 1].max()) * 1.2 if len(kept) else 1.0
    _axes(image, lower, end, top, "resident memory, MB")
    _curve(image, lower, kept, end, top, STRONG, 2)
    _text(image, "seconds", (WIDTH // 2 - 30, HEIGHT - 10))
    done, data = cv2.imencode(".png", image)
    write_atomic(path, data.tobytes() if done else b"")


def _binned(points: Floats, share: float, end: float) -> Floats:
    """A percentile of the second column over equal steps of the first."""
    if not len(points):
        return points
    edges = np.linspace(0.0, end, min(BINS, max(2, len(points) // 10)) + 1)
    which = np.clip(np.digitize(points[:, 0], edges) - 1, 0, len(edges) - 2)
    rows = [
        ((edges[step] + edges[step + 1]) / 2, np.percentile(points[which == step, 1], share))
        for step in np.unique(which)
    ]
    return np.asarray(rows, np.float32)


def _axes(image: Image, rows: tuple[int, int], end: float, most: float, title: str) -> None:
    top, bottom = rows
    for value in _ticks(most):
        y = round(bottom - (bottom - top) * value / most)
        cv2.line(image, (LEFT, y), (WIDTH - RIGHT, y), GRID, 1)
        _text(image, f"{value:g}", (LEFT - 60, y + 5))
    for value in _ticks(end):
        x = round(LEFT + (WIDTH - RIGHT - LEFT) * value / end)
        cv2.line(image, (x, top), (x, bottom), GRID, 1)
        _text(image, f"{value:g}", (x - 12, bottom + 20))
    cv2.rectangle(image, (LEFT, top), (WIDTH - RIGHT, bottom), INK, 1)
    _text(image, title, (LEFT, top - 12))


def _ticks(most: float) -> list[float]:
    """Round values from 0 to ``most``, four to eight of them."""
    power = 10.0 ** np.floor(np.log10(max(most, 1e-6)))
    step = next(step * power for step in (0.2, 0.5, 1.0, 2.0) if most / (step * power) <= 8)
    return [float(value) for value in np.arange(0.0, most, step).round(6)]


def _pixels(rows: tuple[int, int], points: Floats, end: float, most: float) -> np.ndarray:
    top, bottom = rows
    x = LEFT + (WIDTH - RIGHT - LEFT) * points[:, 0] / end
    y = bottom - (bottom - top) * np.clip(points[:, 1] / most, 0.0, 1.0)
    return np.asarray(np.stack([x, y], axis=1).round(), np.int32)


def _dots(image: Image, rows: tuple[int, int], points: Floats, end: float, most: float) -> None:
    where = _pixels(rows, points, end, most)
    image[where[:, 1], where[:, 0]] = FAINT


def _curve(
    image: Image,
    rows: tuple[int, int],
    points: Floats,
    end: float,
    most: float,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    if len(points) > 1:
        cv2.polylines(image, [_pixels(rows, points, end, most)], False, colour, width, cv2.LINE_AA)


def _text(image: Image, text: str, at: tuple[int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.48, INK, 1, cv2.LINE_AA)
