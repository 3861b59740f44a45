"""Readers on tiny folders in exactly the published layouts, and the split into people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.engine.types import MienError
from mien.train.data.clips import read_images
from mien.train.data.readers import find_clips
from mien.train.data.split import joined, validation_groups

openpyxl = pytest.importorskip("openpyxl")

CASME_COLUMNS = (
    *("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None),
    *("Action Units", "Estimated Emotion"),
)
SAMM_COLUMNS = (
    *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration"),
    *("Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)


def images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((32, 24, 3), 40 * k, np.uint8))


def sheet(path: Path, rows: list[tuple[object, ...]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def test_casme2(tmp_path: Path) -> None:
    images(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", ["img46.jpg", "img47.jpg", "img100.jpg"])
    sheet(
        tmp_path / "CASME2-coding-20140508.xlsx",
        [
            CASME_COLUMNS,
            (1, "EP02_01f", None, 46, 59, 86, None, "12", "happiness"),
            (1, "EP03_02", None, 131, "/", 161, None, "4+7", "others"),
        ],
    )
    found = find_clips(tmp_path)
    clips, missing = found.clips, found.missing
    assert [(c.id, c.onset, c.apex, c.offset) for c in clips] == [("casmeii-sub01-EP02_01f", 46, 59, 86)]
    assert clips[0].emotion == "happiness"
    assert clips[0].action_units == "12"
    assert len(missing) == 1
    assert "EP03_02" in missing[0]
    assert [int(p[0, 0, 0]) for p in read_images(clips[0])] == pytest.approx([0, 40, 80], abs=2)


def test_samm_with_notes_above_its_header(tmp_path: Path) -> None:
    images(tmp_path / "SAMM/006/006_1_2", ["006_05562.jpg", "006_05563.jpg"])
    notes = [("SAMM Micro-Movements",), *[(f"note {k}",) for k in range(12)]]
    row = ("006", "006_1_2", "3", 5562, 5588, 5632, 71, "Micro - 1/2", "AU12A", "Happiness", 2, None)
    sheet(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", [*notes, SAMM_COLUMNS, row])
    found = find_clips(tmp_path)
    clips, missing = found.clips, found.missing
    assert not missing
    assert clips[0].subject == "samm-006"
    assert clips[0].apex == 5588


def test_smic_hs(tmp_path: Path) -> None:
    images(tmp_path / "SMIC_all_raw/HS/s01/micro/negative/s1_ne_01", ["image034275.bmp"])
    images(tmp_path / "SMIC_all_raw/HS/s02/micro/surprise/s2_sur_01", ["image1.bmp"])
    images(tmp_path / "SMIC_all_raw/HS/s02/non_micro/s2_non_01", ["image1.bmp"])
    clips = find_clips(tmp_path).clips
    assert [(c.subject, c.emotion) for c in clips] == [("smic-s01", "negative"), ("smic-s02", "surprise")]


def test_folders_of_videos(tmp_path: Path) -> None:
    for name in ("id10270/5r0dWxy17C8/00001.mp4", "id10270/x/00002.mp4", "id10271/y/00001.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    clips = find_clips(tmp_path).clips
    assert [c.subject for c in clips] == ["id10270", "id10270", "id10271"]
    with pytest.raises(MienError, match=r"00001\.mp4"):
        read_images(clips[0])


def test_shared_index_groups_people_and_folders(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "index.csv").write_text(
        "id,kind,repo,path,licence,person_id\n"
        "a,clip,r/one,x/1.mp4,MIT,p1\nb,clip,r/one,x/2.mp4,MIT,p2\nc,clip,r/two,y/3.mp4,MIT,p2\n"
        "d,clip,r/two,z/4.mp4,MIT,p4\ne,still,r/two,z/5.jpg,MIT,p5\n",
        encoding="utf-8",
    )
    clips = find_clips(tmp_path).clips
    groups = {c.id: c.group for c in clips}
    assert groups["a"] == groups["b"] == groups["c"] != groups["d"]
    (still,) = find_clips(tmp_path).stills
    assert still.group == groups["d"]  # the same folder
    assert still.path == tmp_path / "stills/e.jpg"


def test_a_still_of_several_groups_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "index.csv").write_text(
        "id,kind,repo,path,licence,person_id\n"
        "a,clip,r/one,x/1.mp4,MIT,p1\nb,clip,r/two,y/2.mp4,MIT,p2\n"
        "c,still,r/two,y/3.jpg,MIT,p1\nd,still,r/three,z/4.jpg,MIT,p9\n",
        encoding="utf-8",
    )
    found = find_clips(tmp_path)
    assert [still.id for still in found.stills] == ["d"]
    assert "1 stills" in found.notes[0]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [("Person", "Clip", "Start")],
            "no column Subject or Subject ID, OnsetFrame .*; there are Person, Clip",
        ),
        (
            [("Subject", "Filename", "OnsetFrame")],
            "no column OffsetFrame or OffsetF or Offset; there are Sub",
        ),
        ([], "no column Subject"),
        ([CASME_COLUMNS], "none of the clips"),
    ],
)
def test_wrong_spreadsheets(tmp_path: Path, rows: list[tuple[object, ...]], says: str) -> None:
    sheet(tmp_path / "CASME2-coding-20140508.xlsx", rows)
    with pytest.raises(MienError, match=says):
        find_clips(tmp_path)


def test_reading_continues_past_bad_rows_and_absent_columns(tmp_path: Path) -> None:
    for folder in ("sub01/EP02_01f", "sub01/EP09_09", "sub03/EP01_01"):
        images(tmp_path / "Cropped" / folder, ["img1.jpg"])
    sheet(
        tmp_path / "casme2.xlsx",
        [
            ("Subject", "Filename", "Onset", "Offset"),
            ("sub01", "EP02_01f", 1, 3),
            (None, "EP03_02", 1, 3),
            (2, None, 1, 3),
            (None, None, None, None),
        ],
    )
    found = find_clips(tmp_path)
    assert [clip.id for clip in found.clips] == ["casmeii-sub01-EP02_01f"]
    assert found.clips[0].apex == -1
    assert found.missing == [
        "CASME II: a row without a subject (EP03_02)",
        "CASME II: a row without a clip (2)",
        "CASME II: sub01/EP09_09 has no row in casme2.xlsx",
        "CASME II: sub03/EP01_01 has no row in casme2.xlsx",
    ]
    assert [note.split("column ")[1] for note in found.notes] == [
        "ApexFrame or ApexF or Apex or ApexFrame1; left empty",
        "Action Units or Action Unit or AUs or AU; left empty",
        "Estimated Emotion or Emotion or Objective Classes; left empty",
    ]


def test_megc_targets_are_stills(tmp_path: Path) -> None:
    root = tmp_path / "MEGC2021_generation"
    images(root / "source_samples/casme2_challenge/Negative_EP19_06f", ["img1.jpg"])
    images(root / "source_samples/samm_challenge/Surprise_022_3_3", ["022_1.jpg"])
    images(root / "source_samples/smic_challenge/s3_po_05", ["image1.bmp"])
    images(root / "target_template_face", ["normalized_asianFemale.jpg", "normalized_westernMale.jpg"])
    found = find_clips(tmp_path)
    assert [(c.subject, c.emotion) for c in found.clips] == [
        ("megc-casme2_challenge", "negative"),
        ("megc-samm_challenge-022", "surprise"),
        ("megc-smic_challenge-s3", ""),
    ]
    assert [c.subject for c in found.stills] == [
        "megc-normalized_asianFemale",
        "megc-normalized_westernMale",
    ]


def test_folders_without_videos_are_named(tmp_path: Path) -> None:
    for name in ("anna/1.mp4", "berta/photo.jpg", "clara/notes.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    found = find_clips(tmp_path)
    assert [clip.id for clip in found.clips] == ["anna-1"]
    assert [clip.id for clip in found.stills] == ["berta-photo"]
    assert found.missing == [f"{tmp_path / 'clara'} holds no videos"]


def test_a_file_that_is_not_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx").write_bytes(b"not a zip")
    with pytest.raises(MienError, match=r"not a readable \.xlsx"):
        find_clips(tmp_path)


def test_a_new_spreadsheet_takes_precedence_over_an_old_one(tmp_path: Path) -> None:
    images(tmp_path / "Cropped/sub01/EP02_01f", ["img46.jpg"])
    (tmp_path / "CASME2_label_Ver_2.xls").write_bytes(b"old")
    with pytest.raises(MienError, match=r"Save it as \.xlsx or \.csv"):
        find_clips(tmp_path)
    (tmp_path / "CASME2_label_Ver_3.csv").write_text(
        "Subject,Filename,Onset,Offset\n1,EP02_01f,46,86\n", encoding="utf-8"
    )
    assert find_clips(tmp_path).clips[0].offset == 86


def test_empty_and_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="no clips found"):
        find_clips(tmp_path)
    with pytest.raises(MienError, match="not a folder"):
        find_clips(tmp_path / "nowhere")


def test_split_keeps_groups_together() -> None:
    groups = ["big"] * 30 + [f"g{k}" for k in range(20)]
    out = validation_groups(groups, 0.2)
    assert "big" not in out
    assert 10 <= len(out) <= 11
    assert validation_groups(groups, 0.2) == out
    assert validation_groups(["one", "one"], 0.5) == set()
    assert joined({"a": ["1", "2"], "b": ["2", "3"], "c": ["4"]}) == {"a": "1", "b": "1", "c": "4"}
