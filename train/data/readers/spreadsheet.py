"""Coding spreadsheets (``.xlsx``, ``.csv``) as rows with known column names."""

from __future__ import annotations

import csv
import importlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.types import MienError

HEADER_ROWS = 40
"""How far down the header is looked for: SAMM's has a page of notes above it."""


def plain(name: object) -> str:
    """A column name without case, spaces and signs: ``Onset Frame`` and ``OnsetFrame`` are the same."""
    return "".join(c for c in str(name).lower() if c.isalnum())


def read_rows(path: Path, columns: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The rows below the header.

    Args:
        columns: our name -> the names that data sets give it; all must be there.

    Raises:
        MienError: unreadable, or a column is missing.
    """
    table = [[_text(cell) for cell in row] for row in _table(path)]
    found: dict[str, int] = {}
    for number, row in enumerate(table[:HEADER_ROWS]):
        names = [plain(cell) for cell in row]
        found = {
            ours: next(i for i, name in enumerate(names) if name in map(plain, theirs))
            for ours, theirs in columns.items()
            if any(name in map(plain, theirs) for name in names)
        }
        if len(found) == len(columns):
            rows = [
                {k: row[i] if i < len(row) else "" for k, i in found.items()} for row in table[number + 1 :]
            ]
            return [row for row in rows if all(row[key] for key in list(columns)[:2])]
    wanted = ", ".join(" or ".join(theirs) for theirs in columns.values())
    raise MienError(f"{path}: no row names all of the columns {wanted}. Give the data set's own spreadsheet.")


def number(text: str) -> int:
    """A frame number; -1 where the data set has none (``/``, empty)."""
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
            raise MienError(f"{path}: cannot read: {error}") from error
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError as error:
        raise MienError("Spreadsheets need openpyxl: pip install 'mien[train]'.") from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise MienError(f"{path}: not a readable .xlsx ({error}). Save it as .xlsx or .csv.") from error
    return rows


def sheet_in(folder: Path, pattern: str) -> Path | None:
    """The first spreadsheet in ``folder`` whose lower-case name contains ``pattern``."""
    files = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in {".xlsx", ".csv"})
    return next((path for path in files if pattern in path.name.lower()), None)
