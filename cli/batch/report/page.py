"""``report.html``: one self-contained page for readers who study faces."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from math import isfinite
from pathlib import Path
from statistics import mean
from typing import Any

from mien.cli.batch.pairs import Failure
from mien.cli.batch.report.wording import METRIC_WORDS, number
from mien.cli.batch.resume import mien_version
from mien.engine.utils.files import replacing


def write_report(
    place: Path,
    title: str,
    markers: Sequence[Mapping[str, Any]],
    sections: Sequence[Path],
    failures: Sequence[Failure],
    shown: int,
) -> None:
    """Write the page, whole or not at all.

    Args:
        place: ``DIR/report.html``.
        title: the list's name.
        markers: the finished pairs, in the list's order.
        sections: their sections' files, in the same order.
        failures: what could not be made.
        shown: how many sections the page takes in.
    """
    with replacing(place) as file, file.open("w", encoding="utf-8") as page:
        page.writelines(_parts(title, markers, sections, failures, shown))


def _parts(
    title: str,
    markers: Sequence[Mapping[str, Any]],
    sections: Sequence[Path],
    failures: Sequence[Failure],
    shown: int,
) -> Iterator[str]:
    heading = f"{escape(title)} – Mien"
    yield (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{heading}</title><style>{_asset('page.css')}</style></head><body>"
        f'<a class=skip href="#pairs">to the pairs</a><header><p class=brand>Mien</p>'
        f"<h1>{escape(title)}</h1>{_summary(markers, failures)}</header><main>"
    )
    yield _explanation(markers)
    yield _table(markers, shown)
    yield _failures(failures)
    yield "<div id=pairs>"
    for path in sections[:shown]:
        yield path.read_text("utf-8")
    yield "</div>"
    if len(sections) > shown:
        yield (
            f"<p class=made>The first {shown} of {len(sections)} pairs are shown in full; --report-pairs "
            "shows more. The results of all lie beside this page.</p>"
        )
    yield _how(markers)
    yield f"</main><script>{_asset('page.js')}</script></body></html>\n"


def _asset(name: str) -> str:
    return files("mien.cli.batch.report").joinpath(name).read_text("utf-8")


def _summary(markers: Sequence[Mapping[str, Any]], failures: Sequence[Failure]) -> str:
    tiles = [("pairs" if len(markers) != 1 else "pair", str(len(markers)), "")]
    for key, (word, _) in METRIC_WORDS.items():
        values = _values(markers, key)
        if values:
            spread = f"{min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""
            tiles.append((f"mean {word}" if len(values) > 1 else word, f"{mean(values):.2f}", spread))
    if failures:
        tiles.append(("not made", str(len(failures)), ""))
    cells = "".join(
        f"<div><dt>{word}</dt><dd>{value}</dd><dd class=spread>{spread}</dd></div>"
        for word, value, spread in tiles
    )
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M")
    return f"<dl class=tiles>{cells}</dl><p class=when>{when}, Mien {escape(mien_version())}</p>"


def _values(markers: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    found = [(marker.get("metrics") or {}).get(key) for marker in markers]
    return [float(value) for value in found if value is not None and isfinite(value)]


def _explanation(markers: Sequence[Mapping[str, Any]]) -> str:
    metrics = "".join(f"<dt>{word}</dt><dd>{escape(text)}</dd>" for word, text in METRIC_WORDS.values())
    what = (
        "<p>In each pair a clip of one person, the <b class=driver>driver</b>, moves a photograph of "
        "another; that is the <b class=result>result</b>. Both are then measured in the same way: where does "
        "each place of the face go, against the first frame, once the movement of the whole head is taken "
        "out?</p>"
        "<p>Displacements are given in thousandths (‰) of a <b>face unit</b>, the distance between the outer "
        "corners of the eyes: about 0.09 mm on a grown-up face. Left and right are the person's own.</p>"
    )
    if any(marker.get("recorded") for marker in markers):
        what += (
            "<p>A <b>motion file</b> can drive, too: the result is then held against the movement that is "
            "written in it, which has no noise, so that jitter has no meaning there.</p>"
        )
    table = f"<dl class=terms>{metrics}</dl>" if any(marker.get("metrics") for marker in markers) else ""
    return f"<section class=explain><h2>How to read this</h2>{what}{table}</section>"


def _table(markers: Sequence[Mapping[str, Any]], shown: int) -> str:
    if not markers:
        return ""
    heads = "".join(f"<th scope=col>{word}</th>" for word, _ in METRIC_WORDS.values())
    rows = "".join(_row(marker, index < shown) for index, marker in enumerate(markers))
    return (
        "<section><h2>All pairs</h2><div class=scroll tabindex=0 role=region aria-label='All pairs'>"
        "<table class=all><thead><tr><th scope=col>pair</th>"
        f"{heads}<th scope=col>frames</th><th scope=col>onset</th><th scope=col>apex</th>"
        f"<th scope=col>offset</th></tr></thead><tbody>{rows}</tbody></table></div>"
        "<p class=small>Onset, apex and offset in seconds; those in italics were found from the movement "
        "itself (all regions but the eyelids, so that a blink is not taken for the apex): the apex is its "
        "peak, onset and offset are where it is last and first below a fifth of it.</p></section>"
    )


def _row(marker: Mapping[str, Any], linked: bool) -> str:
    name = escape(str(marker["name"]))
    metrics = marker.get("metrics") or {}
    first = f'<a href="#pair-{name}">{name}</a>' if linked else name
    numbers = "".join(f"<td>{_bar(key, metrics.get(key))}</td>" for key in METRIC_WORDS)
    phases = marker["phases"]
    moments = "".join(
        f"<td>{'<i>' if key in phases['detected'] else ''}{phases[f'{key}_time']:.2f}"
        f"{'</i>' if key in phases['detected'] else ''}</td>"
        for key in ("onset", "apex", "offset")
    )
    return f"<tr><th scope=row>{first}</th>{numbers}<td>{marker['frames']}</td>{moments}</tr>"


def _bar(key: str, value: float | None) -> str:
    """A number, for the fidelity with a bar behind it."""
    if key != "correlation" or value is None:
        return number(value)
    return f'<span class=bar style="--share:{100 * min(max(value, 0), 1):.0f}%">{number(value)}</span>'


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    items = "".join(
        f"<li><b>{escape(failure.name)}</b> (line {failure.line}): {escape(failure.reason)}</li>"
        for failure in failures
    )
    return f"<section class=failed><h2>Not made</h2><ul>{items}</ul></section>"


def _how(markers: Sequence[Mapping[str, Any]]) -> str:
    options: Mapping[str, Any] = markers[0]["request"]["options"] if markers else {}
    made = {key: value for key, value in options.items() if value not in (None, [], "", False)}
    listed = escape(json.dumps(made, ensure_ascii=False, sort_keys=True, indent=1))
    versions = markers[0].get("versions", {}) if markers else {}
    libraries = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        "<section class=how><h2>How it was made</h2>"
        "<p>A landmark network finds the face in every frame; image alignment against the reference frame "
        "then measures how far each place has moved, to fractions of a pixel. That movement, without the "
        "driver's own face, is carried over to the photograph through one common face layout, region by "
        "region, and the photograph's own pixels are moved by it. NAME.npz is that movement.</p>"
        f"<p class=small>{escape(libraries)}</p>"
        f"<details><summary>Options</summary><pre>{listed}</pre></details>"
        "<h2>Limits</h2><ul>"
        "<li>The metrics measure movement only. They do not say whether an expression looks genuine, or what "
        "it means.</li>"
        "<li>Measured movement contains the camera's noise and the compression's; movements below about "
        "0.05 px of the driver cannot be told from it.</li>"
        "<li>Movement of the whole head is taken out by position, size and tilt. What a turn of the head "
        "adds remains in the courses.</li>"
        "<li>Where skin appears that the photograph does not show (an opening mouth, a turned head), the "
        "image is made up.</li>"
        "<li>Depicting people in motion that they never made needs their consent.</li></ul></section>"
    )
