"""Time courses as inline SVG: what each region of the two faces does, on axes with units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np

from mien.cli.batch.report.wording import arrow, direction_words, region_words
from mien.engine.face.regions import REGIONS
from mien.engine.motion.phases import Phases
from mien.engine.types import Floats

WIDTH, HEIGHT = 380, 196
LEFT, RIGHT, TOP, BOTTOM = 46, 46, 30, 34
MOST_POINTS = 400
"""Most points of a curve: about as many as the plot has pixels."""


@dataclass(frozen=True)
class Courses:
    """Time courses of a pair.

    Attributes:
        times: ``(T,)`` seconds.
        driver, result: ``(T, K, 2)`` displacements in face units; no result where none was measured.
        phases: onset, apex and offset as indices into the times.
        pixels: pixels of the driver's image per face unit.
        where: whose pixels those are: "driver", or "portrait" when recorded motion drives.
    """

    times: Floats
    driver: Floats
    result: Floats | None
    phases: Phases
    pixels: float
    where: str = "driver"


@dataclass(frozen=True)
class Axis:
    """A linear axis with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @staticmethod
    def over(low: float, high: float, count: int = 4) -> Axis:
        """Ticks at 1, 2 or 5 times a power of ten, about ``count`` of them."""
        span = max(high - low, 1e-9)
        raw = span / count
        power = 10.0 ** floor(log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
        first, last = ceil(low / step - 1e-6), floor(high / step + 1e-6)
        return Axis(low, high, tuple(round(i * step, 10) for i in range(first, last + 1)))

    def at(self, value: float, start: float, end: float) -> float:
        return start + (value - self.low) / max(self.high - self.low, 1e-9) * (end - start)


def strongest(courses: Courses) -> tuple[int, ...]:
    """The regions, those that move most in the driver at the apex first."""
    moved = np.linalg.norm(courses.driver[courses.phases.apex], axis=1)
    return tuple(int(k) for k in np.argsort(-moved))


def main_direction(courses: Courses, region: int) -> Floats:
    """``(2,)`` unit vector in which the driver's region moves at the apex."""
    apex = courses.driver[courses.phases.apex, region]
    length = float(np.hypot(*apex))
    return np.asarray(apex / length if length > 1e-6 else (0.0, -1.0), np.float32)


def curve_range(courses: Courses, regions: Sequence[int]) -> Axis:
    """The vertical axis, thousandths of a face unit, that holds the courses of all these regions."""
    low, high = 0.0, 1.0
    for region in regions:
        direction = main_direction(courses, region)
        for clip in _clips(courses):
            along = 1000 * (clip[:, region] @ direction)
            low, high = min(low, float(along.min())), max(high, float(along.max()))
    return Axis.over(min(1.08 * low, -0.1 * high), 1.08 * high, 4)


def curve_figure(courses: Courses, region: int, up: Axis) -> str:
    """One region's plot, an HTML ``<figure>``.

    Args:
        up: the vertical axis (thousandths of a face unit), the same for all plots of a pair, so that what
            looks larger is larger.
    """
    direction = main_direction(courses, region)
    name = REGIONS[region]
    x, y = float(direction[0]), float(direction[1])
    heading = (
        f"<b>{escape(region_words(name).capitalize())}</b> "
        f'<span class="way">{arrow(x, y)} {direction_words(name, x, y)}</span>'
    )
    return (
        f"<figure class=curve><figcaption>{heading}</figcaption>"
        f"{_plot(courses, region, direction, up)}</figure>"
    )


def _plot(courses: Courses, region: int, direction: Floats, up: Axis) -> str:
    across = Axis.over(float(courses.times[0]), float(courses.times[-1]), 5)
    label = _spoken(courses, region, direction)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="{escape(label)}">',
        _frame(across, up, courses),
        _marks(courses, across),
        _line(courses.times, 1000 * courses.driver[:, region] @ direction, across, up, "driver"),
    ]
    if courses.result is not None:
        parts.append(_line(courses.times, 1000 * courses.result[:, region] @ direction, across, up, "result"))
    span = f'data-from="{across.low:.4f}" data-to="{across.high:.4f}"'
    parts.append(f'<line class=now {span} x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg>')
    return "".join(parts)


def _clips(courses: Courses) -> list[Floats]:
    return [courses.driver] if courses.result is None else [courses.driver, courses.result]


def _spoken(courses: Courses, region: int, direction: Floats) -> str:
    """The plot as a sentence, for screen readers."""
    apex = courses.phases.apex
    driver = 1000 * float(courses.driver[apex, region] @ direction)
    text = (
        f"Time course of the {region_words(REGIONS[region])}: at the apex, {courses.times[apex]:.2f} s, "
        f"the driver has moved by {driver:.1f} thousandths of a face unit"
    )
    if courses.result is not None:
        text += f", the result by {1000 * float(courses.result[apex, region] @ direction):.1f}"
    return text + "."


def _frame(across: Axis, up: Axis, courses: Courses) -> str:
    """Grid, ticks and units: thousandths of a face unit on the left, the driver's pixels on the right."""
    right, bottom, pixels = WIDTH - RIGHT, HEIGHT - BOTTOM, courses.pixels
    parts = []
    for tick in up.ticks:
        y = up.at(tick, bottom, TOP)
        kind = "zero" if tick == 0 else "grid"
        parts.append(f'<line class={kind} x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class=end x="{LEFT - 5}" y="{y + 3.5:.1f}">{tick:g}</text>')
    scaled = Axis.over(up.low * pixels / 1000, up.high * pixels / 1000, 4)
    for tick in scaled.ticks:
        y = scaled.at(tick, bottom, TOP)
        parts.append(f'<line class=tick x1="{right}" x2="{right + 4}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{right + 7}" y="{y + 3.5:.1f}">{tick:g}</text>')
    for tick in across.ticks:
        x = across.at(tick, LEFT, right)
        parts.append(f'<line class=tick x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text class=mid x="{x:.1f}" y="{bottom + 15}">{tick:g}</text>')
    parts.append(f'<text class=mid x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 5}">seconds</text>')
    parts.append(f'<text class=unit x="2" y="{TOP - 19}">‰ of a face unit</text>')
    parts.append(f'<text class="unit end" x="{WIDTH - 2}" y="{TOP - 19}">px of the {courses.where}</text>')
    return "".join(parts)


def _marks(courses: Courses, across: Axis) -> str:
    """Onset, apex and offset."""
    parts = []
    times, bottom = courses.times, HEIGHT - BOTTOM
    phases = (
        ("onset", courses.phases.onset),
        ("apex", courses.phases.apex),
        ("offset", courses.phases.offset),
    )
    for name, index in phases:
        x = across.at(float(times[index]), LEFT, WIDTH - RIGHT)
        kind = "apex" if name == "apex" else "edge"
        parts.append(f'<line class="phase {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        if name == "apex":
            parts.append(f'<text class="mid word" x="{x:.1f}" y="{TOP - 3}">{name}</text>')
    start = across.at(float(times[courses.phases.onset]), LEFT, WIDTH - RIGHT)
    end = across.at(float(times[courses.phases.offset]), LEFT, WIDTH - RIGHT)
    box = f'x="{start:.1f}" y="{TOP}" width="{max(end - start, 0):.1f}" height="{bottom - TOP}"'
    return f"<rect class=span {box}/>" + "".join(parts)


def _line(times: Floats, values: Floats, across: Axis, up: Axis, kind: str) -> str:
    pick = np.unique(np.linspace(0, len(times) - 1, min(len(times), MOST_POINTS)).round().astype(int))
    points = " ".join(
        f"{across.at(float(times[i]), LEFT, WIDTH - RIGHT):.1f},"
        f"{up.at(float(values[i]), HEIGHT - BOTTOM, TOP):.1f}"
        for i in pick
    )
    return f'<polyline class="{kind}" points="{points}"/>'
