"""Section of the report for one pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from mien.cli.batch.metrics import Measured
from mien.cli.batch.report.curves import Courses, curve_figure, curve_range, main_direction, strongest
from mien.cli.batch.report.motion_field import field_figure, magnification
from mien.cli.batch.report.player import Passage, player
from mien.cli.batch.report.wording import METRIC_WORDS, direction_words, number, region_words
from mien.engine.face.regions import REGIONS
from mien.engine.types import Face, Image

SHOWN = 6
"""Number of time courses shown expanded: the regions that move most."""


@dataclass(frozen=True)
class Clip:
    """One side of a pair, as the report shows it.

    Attributes:
        images: ``(h, w, 3) uint8`` RGB around the face, frame by frame.
        face: the face in the first of them.
    """

    images: Sequence[Image]
    face: Face

    def still(self) -> Clip:
        """The same face at rest, shown beside the result of a motion file, which has no images."""
        return Clip([self.images[0]] * len(self.images), self.face)


def pair_section(
    marker: Mapping[str, Any], driver: Clip, result: Clip, courses: Courses, measured: Measured | None
) -> str:
    """HTML of the section, without external references."""
    name = str(marker["name"])
    times = [float(t) for t in courses.times]
    passage = Passage.about(times, courses.phases.apex)
    who = "motion file" if marker["recorded"] else "driver"
    clip = player(driver.images, result.images, passage, float(marker["fps"]), courses.phases.apex, name, who)
    return (
        f'<section class=pair id="pair-{escape(name)}"><h2>{escape(name)}</h2>'
        f"<p class=who>{escape(_file(marker, 'driving'))} drives {escape(_file(marker, 'avatar'))}</p>"
        f"<div class=top>{clip}<div class=facts>{_numbers(marker)}{_phases(marker)}"
        f"{_strongest(courses)}</div></div>"
        f"{_fields(driver, result, courses, measured, who)}{_curves(courses, who)}{_notes(marker)}</section>"
    )


def _file(marker: Mapping[str, Any], which: str) -> str:
    path = str(marker["request"][which]["path"])
    return path.rstrip("/").rpartition("/")[2]


def _numbers(marker: Mapping[str, Any]) -> str:
    metrics = marker.get("metrics")
    if not metrics:
        return ""
    cells = "".join(
        f"<div><dt>{METRIC_WORDS[key][0]}</dt><dd>{number(metrics.get(key))}</dd></div>"
        for key in METRIC_WORDS
    )
    return f"<dl class=numbers>{cells}</dl>"


def _phases(marker: Mapping[str, Any]) -> str:
    phases = marker["phases"]
    rows = "".join(
        f"<tr><th scope=row>{name}</th><td>{phases[f'{name}_time']:.3f} s</td><td>frame {phases[name]}</td>"
        f"<td>{'detected' if name in phases['detected'] else 'given'}</td></tr>"
        for name in ("onset", "apex", "offset")
    )
    return f"<table class=phases><caption>When it happens</caption>{rows}</table>"


def _strongest(courses: Courses) -> str:
    """The regions that move most at the apex, in words."""
    apex = courses.phases.apex
    items = []
    for k in strongest(courses)[:3]:
        moved = courses.driver[apex, k]
        length = float(np.hypot(*moved))
        text = (
            f"{region_words(REGIONS[k])}: {direction_words(REGIONS[k], *map(float, moved))} by "
            f"{1000 * length:.1f} ‰ ({length * courses.pixels:.2f} px of the {courses.where})"
        )
        if courses.result is not None:
            along = float(courses.result[apex, k] @ main_direction(courses, k))
            text += f"; the result {1000 * along:.1f} ‰"
        items.append(f"<li>{escape(text)}</li>")
    return f"<h3>What moves most at the apex</h3><ul class=most>{''.join(items)}</ul>"


def _fields(driver: Clip, result: Clip, courses: Courses, measured: Measured | None, who: str) -> str:
    if measured is None:
        return ""
    apex = courses.phases.apex
    theirs, ours = measured.driver_field[apex], measured.result_field[apex]
    times = magnification(theirs, ours)
    return (
        "<h3>Movement at the apex</h3><div class=fields>"
        + field_figure(driver.images[0], driver.face, theirs, times, f"the {who}", "driver")
        + field_figure(result.images[0], result.face, ours, times, "the result", "result")
        + "</div>"
    )


def _curves(courses: Courses, who: str) -> str:
    order = strongest(courses)
    up = curve_range(courses, order)
    shown = "".join(curve_figure(courses, k, up) for k in order[:SHOWN])
    others = "".join(curve_figure(courses, k, up) for k in sorted(order[SHOWN:]))
    return (
        "<h3>Time courses</h3>"
        f"<p class=key><span class=driver>{who}</span> <span class=result>result</span> "
        "<span class=phase>onset to offset, apex</span>"
        " The scale is the same in all plots of a pair; up is the way the region moves at the apex.</p>"
        f"<div class=curves>{shown}</div><details><summary>The other {len(order) - SHOWN} regions</summary>"
        f"<div class=curves>{others}</div></details>"
    )


def _notes(marker: Mapping[str, Any]) -> str:
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in marker["notes"])
    recorded = marker["recorded"]
    origin = "recorded motion" if recorded else f"motion relative to frame {marker['reference']}"
    made = (
        f"{marker['frames']} frames, {marker['fps']:.4g} per second; {origin}; mouth {marker['mouth']}; "
        f"one face unit is {marker['face_pixels']:.0f} px in the {'portrait' if recorded else 'driver'}. "
        f"Files: {', '.join(marker['files'])}."
    )
    return f"<p class=made>{escape(made)}</p>" + (f"<ul class=notes>{notes}</ul>" if notes else "")
