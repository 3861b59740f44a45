"""Tables of pairs as spreadsheets, instruments and data sets write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from mien.cli.batch.pairs import Pair, PairList, read_pairs
from mien.engine.types import MienError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of frames numbered from 46 and from 1, and a portrait."""
    folder = tmp_path_factory.mktemp("tables")
    blank = Pil.fromarray(np.zeros((8, 8, 3), np.uint8))
    for name, first in (("ep02", 46), ("ones", 1), ("zeros", 0)):
        (folder / name).mkdir()
        for number in range(first, first + 30):
            blank.save(folder / name / f"img{number}.jpg")
    blank.save(folder / "face.png")
    return folder


def read(place: Path, text: str | bytes) -> PairList:
    path = place / "pairs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_pairs(path)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_kind_of_line_end(place: Path, end: str) -> None:
    found = read(place, end.join(["driving,avatar", "ep02,face.png", "", "ones,face.png", ""]))
    assert [(pair.name, pair.line) for pair in found.pairs] == [("ep02__face", 2), ("ones__face", 4)]


def test_a_quote_that_is_not_closed_costs_its_row_alone(place: Path) -> None:
    rows = ["driving,avatar,note", 'ep02,face.png,"oops', "ones,face.png,fine", 'zeros,face.png,"a, b"']
    found = read(place, "\n".join(rows))
    assert [pair.line for pair in found.pairs] == [3, 4]
    assert [(failure.line, failure.name) for failure in found.failures] == [(2, "line 2")]
    assert "quote" in found.failures[0].reason


def test_a_cell_may_have_several_lines(place: Path) -> None:
    found = read(place, 'driving,avatar,note\nep02,face.png,"first\nsecond"\nones,face.png,x\n')
    assert [pair.line for pair in found.pairs] == [2, 4]


@pytest.mark.parametrize("who", ["~nobody-here/x", "~/does-not-exist"])
def test_a_home_that_is_not_there_costs_its_row_alone(place: Path, who: str) -> None:
    found = read(place, f"driving,avatar\n{who},face.png\nones,face.png\n")
    assert [pair.line for pair in found.pairs] == [3]
    assert [failure.line for failure in found.failures] == [2]


def test_excels_separator_line_and_decimal_commas(place: Path) -> None:
    found = read(place, "sep=;\r\ndriving;avatar;apex;fps\r\nzeros;face.png;12,0;59,94\r\n")
    assert found.pairs == (Pair("zeros__face", 3, place / "zeros", place / "face.png", apex=12, fps=59.94),)


def test_excels_unicode_text(place: Path) -> None:
    found = read(place, "driving\tavatar\tfps\r\nzeros\tface.png\t29,97\r\n".encode("utf-16"))
    assert found.pairs[0].fps == 29.97


@pytest.mark.parametrize("number", ["inf", "1e999", "-inf", "nan?", "1,5", "²", "٣.5", "1_0.5"])
def test_numbers_that_are_none(place: Path, number: str) -> None:
    with pytest.raises(MienError, match=r"Line 2|usable"):
        read(place, f'driving,avatar,apex\nzeros,face.png,"{number}"\n')


def test_numbers_of_files_are_understood_where_the_names_tell(place: Path) -> None:
    """CASME II: ``img46.jpg`` is frame 0, and the table says 46."""
    found = read(
        place,
        "driving,avatar,onset,apex,offset,name\nep02,face.png,46,59,75,a\nep02,face.png,46,,,b\n"
        "ones,face.png,1,15,30,c\n",
    )
    assert [(p.onset, p.apex, p.offset) for p in found.pairs] == [(0, 13, 29), (0, None, None), (0, 14, 29)]
    assert any("files' names" in note for note in found.notes)


def test_frames_counted_from_zero_stay_so(place: Path) -> None:
    found = read(place, "driving,avatar,onset,apex,offset\nep02,face.png,0,13,29\nones,face.png,5,6,7\n")
    assert [(p.onset, p.apex, p.offset) for p in found.pairs] == [(0, 13, 29), (5, 6, 7)]
    assert found.notes == ()


def test_a_number_without_a_file_costs_its_row_alone(place: Path) -> None:
    found = read(place, "driving,avatar,onset,offset,name\nep02,face.png,46,75,a\nep02,face.png,46,99,b\n")
    assert [pair.name for pair in found.pairs] == ["a"]
    assert found.failures[0].reason == "The offset is 99, and no file of the folder has that number."


def test_rubbish_is_one_line(place: Path) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        with pytest.raises(MienError):
            read(place, rng.integers(1, 256, 400, np.uint8).tobytes())


def test_a_clips_own_colons_are_no_part_of_a_result(place: Path) -> None:
    (place / "12:30:45.mp4").write_bytes(b"x")
    (pair,) = read(place, "driving,avatar\n12:30:45.mp4,face.png\n").pairs
    assert (pair.name, pair.driving.name) == ("12-30-45__face", "12:30:45.mp4")
