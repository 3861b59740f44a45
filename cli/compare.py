"""``mien compare DRIVING RESULT [RESULT ...]``: existing results of any tool against their driver.

One table for all; what was adapted to make a result comparable, or prevents it, is a line each.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser
from mien.engine.utils.exit_status import status_of

if TYPE_CHECKING:
    from mien.train.metrics.comparison import Compared

COLUMNS = (
    *("result", "frames", "correlation", "ceiling", "gain", "jitter", "by 0.1's measure", "torn"),
    *("shut", "closed", "wide", "opened", "strength", "likeness", "lost"),
)
"""docs/metrics.md explains each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit status 2 with one line for what the user can mend, 1 if a result was not measured."""
    return status_of(lambda: _run(_parser().parse_args(arguments)))


def _parser() -> Parser:
    parser = Parser(prog="mien compare", description=__doc__)
    parser.add_argument(
        "driving",
        metavar="DRIVING",
        help="the driving clip or a passage of it: clip.mp4:100-140, or a folder",
    )
    parser.add_argument("results", nargs="+", metavar="RESULT", help="what a tool made of it: clip or folder")
    parser.add_argument("--avatar", type=Path, metavar="FILE", help="the portrait: tears are looked for then")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table there: .csv or .json")
    return parser


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from mien.engine.landmarks import make_landmarker
    from mien.streams.images import fit_within, load_image
    from mien.train.metrics.comparison import Comparison, find_results, see
    from mien.train.metrics.passage import Passage

    if options.output is not None and options.output.suffix not in (".csv", ".json"):
        raise UsageError(f"{options.output}: the table is written as .csv or .json.")
    results = find_results(options.results)
    portrait = None if options.avatar is None else fit_within(load_image(options.avatar), 1024)
    with make_landmarker() as landmarker:
        driving = see(Passage.parse(options.driving), landmarker)
        comparison = Comparison(driving, landmarker, portrait)
        found = [comparison.result(passage) for passage in results]
    rows = [row_of(one) for one in found]
    console = Console()
    for line in (table(rows), *(f"Note: {note}" for one in found for note in one.notes)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if options.output is not None:
        _write(options.output, rows)
    return 0 if all(one.motion is not None for one in found) else 1


def row_of(one: Compared) -> dict[str, str | int | float | None]:
    """A result's figures by column; None where there is none."""
    row: dict[str, str | int | float | None] = dict.fromkeys(COLUMNS)
    row |= {"result": one.name, "frames": one.frames}
    if one.motion is not None:
        row |= {"correlation": one.motion.correlation, "gain": one.motion.gain, "jitter": one.motion.jitter}
    row |= {"ceiling": one.ceiling, "by 0.1's measure": one.layout_correlation, "torn": one.torn}
    if one.expression is not None:
        row |= {name: getattr(one.expression, name) for name in COLUMNS[8:]}
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in row.items()}


def table(rows: Sequence[dict[str, str | int | float | None]]) -> str:
    """Markdown; a column that no result has a figure for is left out."""
    shown = [name for name in COLUMNS if any(row[name] is not None for row in rows)]
    lines = [f"| {' | '.join(shown)} |", "|---" * len(shown) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(_cell(row[name]) for name in shown)} |" for row in rows)])


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _write(path: Path, rows: Sequence[dict[str, str | int | float | None]]) -> None:
    from mien.engine.utils.files import write_atomic

    if path.suffix == ".json":
        write_atomic(path, json.dumps(rows, indent=1) + "\n")
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue())
