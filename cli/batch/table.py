"""A spreadsheet saved as text, as Excel, Numbers and R write it: rows of cells with their line numbers."""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

from mien.engine.types import SourceError
from mien.engine.utils.files import read_user_file

WANTED = "Give a CSV file with the columns driving and avatar."

LONGEST_CELL = 50
"""Lines that a quoted cell may have; a quote that is not closed by then is a mistake."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        line: where it begins, from 1.
        cells: its cells.
        problem: why it cannot be read, or None.
    """

    line: int
    cells: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What a file says.

    Attributes:
        rows: those with anything in them.
        delimiter: what its cells are parted by.
        notes: remarks.
    """

    rows: tuple[Row, ...]
    delimiter: str
    notes: tuple[str, ...]

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma can stand for the point in its numbers."""
        return self.delimiter != ","


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        SourceError: no such file, a folder, or a workbook.
    """
    text, notes = _text(path)
    # Old Macs and some instruments end lines with a carriage return alone.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    begin, delimiter = 0, _delimiter(lines[first])
    if lines[first].strip().lower().startswith("sep=") and len(lines[first].strip()) == 5:
        begin, delimiter = first + 1, lines[first].strip()[4]
    return Table(tuple(_rows(lines, begin, delimiter)), delimiter, tuple(notes))


def _rows(lines: list[str], begin: int, delimiter: str) -> list[Row]:
    rows = []
    index = begin
    while index < len(lines):
        cells, used = _cells(lines, index, delimiter)
        if cells is None:
            rows.append(Row(index + 1, (), "A quote is opened and not closed, or text follows a closed one."))
        elif any(cell.strip() for cell in cells):
            rows.append(Row(index + 1, tuple(cells)))
        index += used
    return rows


def _cells(lines: list[str], index: int, delimiter: str) -> tuple[list[str] | None, int]:
    """The cells of the row that begins at ``index``, and how many lines it has."""
    for count in range(1, LONGEST_CELL + 1):
        part = lines[index : index + count]
        if len(part) < count:
            break
        try:
            cells = next(csv.reader(["\n".join(part)], delimiter=delimiter, strict=True), [])
        except (csv.Error, ValueError):
            if part[-1].count('"') % 2 == 0 and count == 1:
                break  # every quote is closed: more lines would not mend it
            continue
        return cells, count
    return None, 1


def _text(path: Path) -> tuple[str, list[str]]:
    data = read_user_file(path, WANTED, WANTED)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), []
    if b"\x00" in data:
        raise SourceError(f"{path} is not a CSV file. Save the table as CSV (UTF-8), not as a workbook.")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), [f"{path.name} is not UTF-8; read as Windows text."]


def _delimiter(first: str) -> str:
    """Comma, semicolon (what many countries' Excel writes) or tab: the commonest in the first line."""
    return max(",;\t", key=first.count)
