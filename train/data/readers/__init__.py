"""Readers of data sets, one for each published layout."""

from __future__ import annotations

from pathlib import Path

from mien.engine.types import SourceError
from mien.train.data.readers.folders import read_folders
from mien.train.data.readers.found import Found
from mien.train.data.readers.megc import megc_root, read_megc
from mien.train.data.readers.micro import coded_layout, read_coded, read_smic, smic_root
from mien.train.data.readers.shared import is_shared, read_shared

__all__ = ["Found", "find_clips"]


def find_clips(folder: Path) -> Found:
    """Find the clips in ``folder``, whose layout is recognised by its files.

    Raises:
        SourceError: no such folder, or nothing in it that any reader recognises.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder. Give the folder of a data set.")
    if is_shared(folder):
        return read_shared(folder)
    coded = coded_layout(folder)
    if coded is not None:
        return read_coded(folder, *coded)
    smic = smic_root(folder)
    if smic is not None:
        return read_smic(smic)
    megc = megc_root(folder)
    if megc is not None:
        return read_megc(megc)
    found = read_folders(folder)
    if not found.clips:
        raise SourceError(
            f"{folder}: no clips found. Name CASME II or SAMM with its spreadsheet, SMIC's HS folder, MEGC's "
            "source_samples, or folders of videos, one for each person."
        )
    return found
