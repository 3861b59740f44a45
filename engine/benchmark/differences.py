"""Output of the comparison with an earlier result."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from mien.engine.benchmark.against import changes
from mien.engine.benchmark.report import as_json, line


def print_changes(console: Console, before: dict[str, Any], result: dict[str, Any]) -> int:
    """Print what changed beyond noise.

    Args:
        before: an earlier result, as :func:`mien.engine.benchmark.against.read_result` returns it.
        result: this run's.

    Returns:
        1 if something got slower, else 0.
    """
    now = as_json(result)
    found = changes(before, now)
    then, here = (about.get("machine", {}).get("processor") for about in (before, now))
    if then != here:
        line(
            console,
            f"The earlier result is from another processor ({then}): differences may be the machine's.",
        )
    if not found:
        line(console, "The earlier result has none of these figures: run the same parts as then.")
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("median ms", "before", "now", "change", "noise"):
        table.add_column(heading, justify="left" if heading == "median ms" else "right", no_wrap=True)
    changed = [change for change in found if change.slower or change.faster]
    for change in changed:
        table.add_row(
            change.name,
            f"{change.before:.1f}",
            f"{change.now:.1f}",
            f"{100 * change.relative:+.0f} %",
            f"{100 * change.limit:.0f} %",
        )
    if changed:
        console.print(table, soft_wrap=True)
    slower = sum(change.slower for change in found)
    faster = len(changed) - slower
    line(console, f"of {len(found)} medians {slower} got slower beyond noise and {faster} faster")
    return int(slower > 0)
