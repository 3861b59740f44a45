"""List of a batch's pairs: which clip drives which face (``PAIRS.csv``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite
from pathlib import Path

from mien.cli.background import is_file_name
from mien.cli.batch.frame_numbers import list_names_files, name_files, own_numbers, to_frames
from mien.cli.batch.table import read_table
from mien.engine.mouth.mode import MODES, MouthMode
from mien.engine.types import MienError, SourceError, UsageError

REQUIRED = ("driving", "avatar")
FRAMES = ("reference", "onset", "apex", "offset")
SETTINGS = ("fps", "mouth", "background")
OPTIONAL = (*FRAMES, "name", *SETTINGS)

_NOTHING = {"", "-", "na", "n/a", "nan", "none"}
_BAD_NAME = re.compile(r'[\x00-\x1f/\\:*?"<>|]|^\.|[. ]$')


@dataclass(frozen=True, slots=True)
class Pair:
    """One clip that drives one face.

    Attributes:
        name: what its results are called.
        line: line of the list, from 1.
        driving, avatar: the clip (a file or a folder of frames) and the portrait.
        reference, onset, apex, offset: frames counted from 0 at the clip's first image, where given.
        fps: rate of a folder's frames, where given.
        mouth: the driver's own or the painted one, where given.
        background: what is shown behind the person, where given; an image file by its whole path.
    """

    name: str
    line: int
    driving: Path
    avatar: Path
    reference: int | None = None
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    fps: float | None = None
    mouth: MouthMode | None = None
    background: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A pair that could not be made, and why, in one line."""

    name: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class PairList:
    """Contents of a list: usable pairs, unusable rows, remarks."""

    pairs: tuple[Pair, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]


def read_pairs(path: Path) -> PairList:
    """Read a list; relative paths in it start at its own folder.

    Raises:
        MienError: no such file, no rows, columns missing, two rows of one name, or no usable row at all.
    """
    found = read_table(path)
    if not found.rows:
        raise UsageError(f"{path} is empty. Its first line names the columns: driving,avatar")
    head, *body = found.rows
    columns = [cell.strip().lower() for cell in head.cells]
    notes = [*found.notes, *_check_columns(path, columns)]
    if not body:
        raise UsageError(f"{path} lists no pairs below its first line. Add a line for each pair.")
    table = {row.line: _cells(columns, row.cells) for row in body if row.problem is None}
    names = {line: cells["name"] or _default_name(cells) for line, cells in table.items()}
    _check_names(path, names)
    pairs: list[Pair] = []
    failures = [Failure(f"line {row.line}", row.line, row.problem) for row in body if row.problem is not None]
    for line, cells in table.items():
        try:
            pairs.append(_pair(names[line], line, cells, path.parent, found.decimal_comma))
        except MienError as error:
            failures.append(Failure(names[line] or f"line {line}", line, str(error)))
    pairs = _numbered_as_files(pairs, failures, notes)
    failures.sort(key=lambda failure: failure.line)
    if not pairs:
        first = failures[0]
        raise SourceError(f"{path} has no usable line. Line {first.line}: {first.reason}")
    return PairList(tuple(pairs), tuple(failures), tuple(notes))


def _numbered_as_files(pairs: list[Pair], failures: list[Failure], notes: list[str]) -> list[Pair]:
    """The pairs with frames counted from 0, where the list counts as the files' names do."""
    frames = [{column: getattr(pair, column) for column in FRAMES} for pair in pairs]
    numbers = [
        own_numbers(pair.driving) if set(given.values()) != {None} and pair.driving.is_dir() else {}
        for pair, given in zip(pairs, frames, strict=True)
    ]
    if not list_names_files([name_files(*each) for each in zip(frames, numbers, strict=True)]):
        return pairs
    notes.append("The list's frame numbers are read as those in the files' names: only so do they fit.")
    kept = []
    for pair, given, own in zip(pairs, frames, numbers, strict=True):
        try:
            kept.append(_moved(pair, to_frames(given, own)) if own else pair)
        except MienError as error:
            failures.append(Failure(pair.name, pair.line, str(error)))
    return kept


def _moved(pair: Pair, frames: Mapping[str, int | None]) -> Pair:
    return replace(
        pair,
        reference=frames["reference"],
        onset=frames["onset"],
        apex=frames["apex"],
        offset=frames["offset"],
    )


def _check_columns(path: Path, columns: list[str]) -> list[str]:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise UsageError(
            f"{path} has no column {' and no column '.join(missing)}. Its first line must name the columns: "
            f"{', '.join(REQUIRED)} (optional: {', '.join(OPTIONAL)})."
        )
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise UsageError(f"{path} has the column {twice[0]} twice. Rename one of them.")
    unknown = [name for name in columns if name and name not in (*REQUIRED, *OPTIONAL)]
    return (
        [f"{path.name}: not used: the column{'s' * (len(unknown) > 1)} {', '.join(unknown)}"]
        if unknown
        else []
    )


def _cells(columns: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    cells = dict.fromkeys((*REQUIRED, *OPTIONAL), "")
    for name, cell in zip(columns, row, strict=False):
        if name in cells:
            cells[name] = (
                "" if name in (*FRAMES, *SETTINGS) and cell.strip().lower() in _NOTHING else cell.strip()
            )
    return cells


def _default_name(cells: Mapping[str, str]) -> str:
    stems = [_stem(cells[name]) for name in REQUIRED]
    # A clip may be called what no result can be on every system (12:30:45.mp4).
    return _BAD_NAME.sub("-", "__".join(stems)) if all(stems) else ""


def _stem(text: str) -> str:
    """A path's last part, without a file's ending; a folder may have dots in its name (``s01.ep2``)."""
    path = Path(text)
    return path.stem if path.suffix[1:].isalnum() and not path.suffix[1:].isdigit() else path.name


def _check_names(path: Path, names: Mapping[int, str]) -> None:
    # Without regard to case: on Windows and macOS A.mp4 and a.mp4 are one file.
    lines: dict[str, list[int]] = {}
    for line, name in names.items():
        if name:
            lines.setdefault(name.lower(), []).append(line)
    for found in lines.values():
        if len(found) > 1:
            raise UsageError(
                f"{path}: lines {_listed(found)} would all be called {names[found[0]]!r}. "
                "Give each its own name in the column name."
            )


def _listed(numbers: Iterable[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}"


def _pair(name: str, line: int, cells: Mapping[str, str], base: Path, decimal_comma: bool) -> Pair:
    for column in REQUIRED:
        if not cells[column]:
            raise UsageError(f"The column {column} is empty.")
    if _BAD_NAME.search(name) or len(name) > 150:
        raise UsageError(f"{name!r} cannot be the name of a file. Choose another in the column name.")
    driving, avatar = (_place(base, cells[column]) for column in REQUIRED)
    _check_there("driving clip", driving)
    _check_there("avatar", avatar)
    comma = "," if decimal_comma else "."
    numbers = {column: cells[column].replace(comma, ".") for column in (*FRAMES, "fps")}
    frames = {column: _frame(column, numbers[column]) for column in FRAMES}
    _check_order(frames)
    return Pair(
        name,
        line,
        driving,
        avatar,
        **frames,
        fps=_rate(numbers["fps"]),
        mouth=_mouth(cells["mouth"]),
        background=_background(base, cells["background"]),
    )


def _place(base: Path, text: str) -> Path:
    try:
        return (base / Path(text).expanduser()).absolute()
    except RuntimeError as error:
        raise SourceError(f"{text}: there is no such home folder. Write the path out.") from error


def _check_there(what: str, path: Path) -> None:
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # of one row; the others may be good
        reason = getattr(error, "strerror", error)
        raise SourceError(f"The {what} {path} cannot be used ({reason}).") from error
    if not there:
        raise SourceError(f"The {what} {path} does not exist.")


def _frame(column: str, text: str) -> int | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not isfinite(value) or value < 0 or value != int(value):
        raise UsageError(f"The {column} is a frame's number, counted from 0, not {text!r}.")
    return int(value)


def _mouth(text: str) -> MouthMode | None:
    if not text:
        return None
    for mode in MODES:
        if text.lower() == mode:
            return mode
    raise UsageError(f"The mouth is {' or '.join(MODES)}, not {text!r}.")


def _background(base: Path, text: str) -> str | None:
    if not text or not is_file_name(text):
        return text or None
    place = _place(base, text)
    if not place.is_file():
        raise UsageError(
            f"The background is keep, blur, transparent, a colour or an image file, not {text!r}; "
            f"there is no file {place}."
        )
    return str(place)


def _rate(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 10000:
        raise UsageError(f"The fps are frames per second, such as 25 or 200, not {text!r}.")
    return value


def _check_order(frames: Mapping[str, int | None]) -> None:
    given = [(name, frames[name]) for name in ("onset", "apex", "offset") if frames[name] is not None]
    for (first, a), (second, b) in pairwise(given):
        if a is not None and b is not None and a > b:
            raise UsageError(f"The {first} (frame {a}) comes after the {second} (frame {b}).")
