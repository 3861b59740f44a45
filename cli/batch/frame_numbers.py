"""Meaning of the frame numbers in a list: frames from 0, or the numbers in the names of the files.

Tables of micro-expressions name the files (``onset 46`` is ``img46.jpg``, which may be the first one of its
folder). Where a number is beyond the folder's frames but among its files' numbers, the names tell; all rows
of a list are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mien.engine.types import UsageError
from mien.streams.folder import frame_files


def own_numbers(folder: Path) -> dict[int, int]:
    """Index of each frame of a folder by the last number in its file's name; empty where they are none."""
    numbers: dict[int, int] = {}
    for index, file in enumerate(frame_files(folder)):
        found = re.findall(r"[0-9]+", file.stem)
        if not found:
            return {}
        numbers.setdefault(int(found[-1]), index)
    return numbers


def name_files(frames: Mapping[str, int | None], numbers: Mapping[int, int]) -> bool | None:
    """Whether these frame numbers are those of the files; None where both can be."""
    given = [number for number in frames.values() if number is not None]
    if not given or not numbers:
        return None
    as_files = all(number in numbers for number in given)
    as_frames = all(number < len(numbers) for number in given)
    if as_files == as_frames:
        return None
    return as_files


def list_names_files(verdicts: Sequence[bool | None]) -> bool:
    """Whether a whole list counts by file names: some row says so, and none contradicts it."""
    return True in verdicts and False not in verdicts


def to_frames(frames: Mapping[str, int | None], numbers: Mapping[int, int]) -> dict[str, int | None]:
    """Numbers of files as frames counted from 0.

    Raises:
        UsageError: there is no file of such a number.
    """
    for column, number in frames.items():
        if number is not None and number not in numbers:
            raise UsageError(f"The {column} is {number}, and no file of the folder has that number.")
    return {column: None if number is None else numbers[number] for column, number in frames.items()}
