"""Coding spreadsheets (``.xlsx``, ``.csv``) as rows with known column names."""

from __future__ import annotations

import csv
import importlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.engine.types import SourceError

HEADER_ROWS = 40
"""Rows searched for the header: SAMM's has a page of notes above it."""


def plain(name: object) -> str:
    """Normalise a column name, removing case, spaces and signs: ``Onset Frame`` equals ``OnsetFrame``."""
    return "".join(c for c in str(name).lower() if c.isalnum())


def read_rows(
    path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> tuple[list[dict[str, str]], list[str]]:
    """Read the rows below the header.

    Args:
        columns: our name -> the names used by data sets.
        needed: required ones of our names; the others are empty if absent.

    Returns:
        The non-empty rows, with every column, and the names of the absent columns.

    Raises:
        SourceError: unreadable, or a needed column is missing.
    """
    table = [[_text(cell) for cell in row] for row in _table(path)]
    places = [_places(row, columns) for row in table[:HEADER_ROWS]]
    # The row that names most of the columns is the header: notes above it may match one by chance.
    at = max(range(len(places)), key=lambda k: len(places[k]), default=-1)
    found = places[at] if at >= 0 else {}
    absent = [name for name in needed if name not in found]
    if absent:
        wanted = ", ".join(" or ".join(columns[name]) for name in absent)
        there = ", ".join(cell for cell in table[at] if cell) if found else ""
        raise SourceError(
            f"{path}: no column {wanted}"
            + (f"; there are {there}" if there else "")
            + ". Give the data set's own spreadsheet, or rename the columns."
        )
    rows = [
        {name: row[found[name]] if name in found and found[name] < len(row) else "" for name in columns}
        for row in table[at + 1 :]
    ]
    return [row for row in rows if any(row.values())], [name for name in columns if name not in found]


def _places(row: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Our name -> index of the cell that names the column."""
    names = [plain(cell) for cell in row]
    known = {ours: {plain(name) for name in theirs} for ours, theirs in columns.items()}
    return {
        ours: next(i for i, name in enumerate(names) if name in theirs)
        for ours, theirs in known.items()
        if any(name in theirs for name in names)
    }


def number(text: str) -> int:
    """Parse a frame number; -1 where the data set has none (``/``, empty)."""
    try:
        return int(float(text))
    except ValueError:
        return -1


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _table(path: Path) -> Iterable[Sequence[Any]]:
    if path.suffix.lower() == ".csv":
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                return list(csv.reader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: cannot read: {error}") from error
    if path.suffix.lower() == ".xls":
        raise SourceError(
            f"{path}: the old .xls format is not supported. Save it as .xlsx or .csv next to it."
        )
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError as error:
        raise SourceError("Spreadsheets need openpyxl: pip install 'mien[train]'.") from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise SourceError(f"{path}: not a readable .xlsx ({error}). Save it as .xlsx or .csv.") from error
    return rows


def sheet_in(folder: Path, pattern: str) -> Path | None:
    """The first spreadsheet in ``folder`` whose lower-case name contains ``pattern``; old .xls files last."""
    kinds = (".xlsx", ".csv", ".xls")
    files = [p for p in folder.iterdir() if p.suffix.lower() in kinds and pattern in p.name.lower()]
    return min(files, key=lambda path: (path.suffix.lower() == ".xls", path), default=None)
