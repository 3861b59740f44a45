"""Readers of the micro-expression data sets CASME II, SAMM and SMIC-HS in their published layouts.

CASME II (Yan et al., PLOS ONE 2014): ``CASME2-coding-*.xlsx`` next to ``CASME2_RAW_selected`` (or
``CASME2-RAW``, ``Cropped``) with ``sub01/EP02_01f/img46.jpg``.  SAMM (Davison et al., IEEE TAC 2016):
``SAMM_Micro_FACS_Codes_v2.xlsx`` (column names some rows down) with ``006/006_1_2/006_05562.jpg``.
SMIC (Li et al., FG 2013): no spreadsheet; ``HS/s01/micro/negative/s1_ne_01/*.bmp`` or ``.jpg``: the folder
is the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.engine.types import SourceError
from mien.train.data.clips import Clip
from mien.train.data.readers.found import Found
from mien.train.data.readers.spreadsheet import number, plain, read_rows, sheet_in

LICENCE = "by licence agreement with its owners, research only"
SMIC_EMOTIONS = ("negative", "positive", "surprise")


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a data set with a coding spreadsheet.

    Attributes:
        name: of the data set.
        sheet: part of the spreadsheet's name, lower case.
        columns: our name -> theirs; subject, file, onset and offset are required.
        folders: where the subjects' folders may be, below the data set's own.
        subject: format of a subject's folder name, given the spreadsheet's number.
    """

    name: str
    sheet: str
    columns: Mapping[str, Sequence[str]]
    folders: tuple[str, ...]
    subject: str


_COLUMNS: dict[str, Sequence[str]] = {
    "subject": ("Subject", "Subject ID"),
    "file": ("Filename", "File", "Clip"),
    "onset": ("OnsetFrame", "OnsetF", "Onset"),
    "apex": ("ApexFrame", "ApexF", "Apex", "ApexFrame1"),
    "offset": ("OffsetFrame", "OffsetF", "Offset"),
    "units": ("Action Units", "Action Unit", "AUs", "AU"),
    "emotion": ("Estimated Emotion", "Emotion", "Objective Classes"),
}
NEEDED = ("subject", "file", "onset", "offset")
LAYOUTS = (
    Layout(
        "CASME II",
        "casme2",
        _COLUMNS,
        ("CASME2_RAW_selected", "CASME2-RAW", "CASME2_RAW", "Cropped", "."),
        "sub{:02d}",
    ),
    Layout("SAMM", "samm", _COLUMNS, ("SAMM", "."), "{:03d}"),
)


def coded_layout(folder: Path) -> tuple[Layout, Path] | None:
    """Identify the coded data set in ``folder``, with its spreadsheet; None for another layout."""
    for layout in LAYOUTS:
        sheet = sheet_in(folder, layout.sheet)
        if sheet is not None:
            return layout, sheet
    return None


def read_coded(folder: Path, layout: Layout, sheet: Path) -> Found:
    """Read CASME II or SAMM.

    Raises:
        SourceError: wrong columns, or no row has its images.
    """
    rows, absent = read_rows(sheet, layout.columns, NEEDED)
    clips: list[Clip] = []
    missing: list[str] = []
    for row in rows:
        if not (row["subject"] and row["file"]):
            what = "subject" if row["file"] else "clip"
            missing.append(f"{layout.name}: a row without a {what} ({row['file'] or row['subject']})")
            continue
        path = _images(folder, layout, row)
        if path is None:
            missing.append(f"{layout.name}: no folder for subject {row['subject']}, clip {row['file']}")
            continue
        clips.append(_clip(layout, row, path))
    if not clips:
        places = " or ".join(layout.folders[:-1])
        raise SourceError(f"{folder}: none of the clips in {sheet.name} is present. Put {places} next to it.")
    coded = {clip.path.resolve() for clip in clips}
    subjects = {clip.path.parent.parent for clip in clips}
    missing += [
        f"{layout.name}: {path.parent.name}/{path.name} has no row in {sheet.name}"
        for root in sorted(subjects)
        for path in sorted(root.glob("*/*"))
        if path.is_dir() and path.resolve() not in coded
    ]
    notes = [f"{sheet.name} has no column {' or '.join(layout.columns[name])}; left empty" for name in absent]
    return Found(clips, missing=missing, notes=notes)


def _clip(layout: Layout, row: Mapping[str, str], path: Path) -> Clip:
    subject = f"{plain(layout.name)}-{path.parent.name}"
    return Clip(
        id=f"{subject}-{path.name}",
        path=path,
        subject=subject,
        group=subject,
        collection=layout.name,
        licence=LICENCE,
        onset=number(row["onset"]),
        apex=number(row["apex"]),
        offset=number(row["offset"]),
        emotion=row["emotion"].lower(),
        action_units=row["units"],
    )


def _images(folder: Path, layout: Layout, row: Mapping[str, str]) -> Path | None:
    # The spreadsheets name subjects by number, sometimes with leading zeros, sometimes with the prefix.
    digits = "".join(c for c in row["subject"] if c.isdecimal())
    subject = layout.subject.format(int(digits)) if digits else row["subject"]
    places = (folder / place / subject / row["file"] for place in layout.folders)
    return next((place for place in places if place.is_dir()), None)


def smic_root(folder: Path) -> Path | None:
    """The folder ``HS`` of a SMIC release that is, or lies in, ``folder``; None for another layout."""
    for place in (folder, folder / "HS", *sorted(folder.glob("*/HS")), *sorted(folder.glob("*/*/HS"))):
        if place.is_dir() and any(place.glob("s*/micro")):
            return place
    return None


def read_smic(root: Path) -> Found:
    """Read SMIC-HS: one clip for each folder below ``sNN/micro/EMOTION``.

    Raises:
        SourceError: there is none.
    """
    folders = [path for path in sorted(root.glob("s*/micro/*/*")) if path.is_dir()]
    clips = [
        Clip(
            id=f"smic-{clip.parts[-4]}-{clip.name}",
            path=clip,
            subject=f"smic-{clip.parts[-4]}",
            group=f"smic-{clip.parts[-4]}",
            collection="SMIC-HS",
            licence=LICENCE,
            emotion=clip.parent.name,
        )
        for clip in folders
        if clip.parent.name in SMIC_EMOTIONS
    ]
    if not clips:
        raise SourceError(
            f"{root}: no clips in sNN/micro/negative, positive or surprise. Restore the layout."
        )
    others = [path for path in folders if path.parent.name not in SMIC_EMOTIONS]
    missing = [f"SMIC-HS: {'/'.join(path.parts[-4:])} has an unknown emotion" for path in others]
    return Found(clips, missing=missing)
