"""Boxes of an image: rows and columns, cut to each other, widened, and of larger pixels."""

from __future__ import annotations

Box = tuple[slice, slice]
"""Rows and columns."""


def within_box(bounds: Box, box: Box) -> Box:
    """``bounds`` as seen from the corner of ``box``, cut to it."""
    rows, columns = (
        slice(max(0, part.start - whole.start), max(0, part.stop - whole.start))
        for part, whole in zip(bounds, box, strict=True)
    )
    return rows, columns


def in_both(one: Box, other: Box) -> Box | None:
    """What two boxes share; None where that is nothing."""
    rows, columns = (
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def widened(box: Box, by: int, size: tuple[int, ...]) -> Box:
    """``box`` and so many rows and columns around it, as far as an image of this height and width goes."""
    rows, columns = (
        slice(max(0, side.start - by), min(length, side.stop + by))
        for side, length in zip(box, size[:2], strict=True)
    )
    return rows, columns


def scaled(box: Box, step: int) -> Box:
    """The pixels of a box of cells, each of ``step`` x ``step`` pixels."""
    rows, columns = (slice(step * side.start, step * side.stop) for side in box)
    return rows, columns
