"""Batches: lists of pairs, resumption, failures, and the report."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip

from mien.cli.batch import worker
from mien.cli.batch.pairs import Pair, read_pairs
from mien.cli.batch.report.page import write_report
from mien.cli.batch.run import main
from mien.engine.compose.__main__ import main as compose
from mien.engine.motion.recording import load_recording
from mien.engine.types import Image, MienError

FRAMES = 5
LONG = 300 * "x"


def write_folder(folder: Path, frames: list[Image], name: str = "{:03d}.png", sixteen: bool = False) -> Path:
    folder.mkdir()
    for index, frame in enumerate(frames):
        image = frame[..., ::-1]
        if name.startswith("grey") or sixteen:
            image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY)
        if sixteen:
            image = image.astype(np.uint16) * 257
        assert cv2.imwrite(str(folder / name.format(index)), image)
    return folder


def write_list(path: Path, *rows: str, columns: str = "driving,avatar,name") -> Path:
    path.write_text("\n".join((columns, *rows)) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def frames(carphone: Path) -> list[Image]:
    clip = read_clip(carphone, 2 * FRAMES + 1)
    return [
        np.asarray(cv2.resize(f, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8) for f in clip
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, frames: list[Image], close_up: Image) -> Path:
    """A folder of clips, good and bad, and a portrait."""
    folder = tmp_path_factory.mktemp("batch")
    cv2.imwrite(str(folder / "face.png"), close_up[..., ::-1])
    few = frames[:FRAMES]
    twelve = frames[: 2 * FRAMES + 1]
    write_folder(folder / "padded", twelve)
    write_folder(folder / "natural", twelve, "img{}.png")  # img2 comes before img10
    write_folder(folder / "grey8", few, "grey{:03d}.png")
    write_folder(folder / "grey16", few, sixteen=True)
    write_folder(folder / "one", few[:1])
    write_folder(folder / "mixed", [*few[:3], few[3][:-10]])
    blank = np.full_like(few[0], 128)
    write_folder(folder / "leaves", [*few, blank, blank])
    write_folder(folder / "nobody", [blank, blank, blank])
    (folder / "broken.mp4").write_bytes(b"not a video at all")
    (folder / "empty").mkdir()
    return folder


BAD = {
    "one": "a single frame",
    "mixed": "of one size",
    "nobody": "No face was found",
    "gone": "does not exist",
    "broken": "cannot be read as a video",
    "empty": "holds no images",
    "late": "has 5 frames",
    "noref": "has 5 frames",
    "faceless": "No face was found",
}
"""Pairs that fail, and what their lines say."""


@pytest.fixture(scope="module")
def batch(place: Path) -> Iterator[tuple[Path, Path, int]]:
    """One batch with everything in it: its list, its results, its exit status."""
    pairs = write_list(
        place / "pairs.csv",
        "padded,face.png,padded,,,,,200",
        "natural,face.png,natural,,1,4,9,200",
        "grey8,face.png,grey8,2,,,,",
        "grey16,face.png,grey16,,,,,",
        "leaves,face.png,leaves,,,,,",
        "one,face.png,one,,,,,",
        "mixed,face.png,mixed,,,,,",
        "nobody,face.png,nobody,,,,,",
        "gone.mp4,face.png,gone,,,,,",
        "broken.mp4,face.png,broken,,,,,",
        "empty,face.png,empty,,,,,",
        "grey8,face.png,late,,,5,,",
        "grey8,face.png,noref,9,,,,",
        "grey8,nobody/000.png,faceless,,,,,",
        columns="driving,avatar,name,reference,onset,apex,offset,fps",
    )
    status = main(
        [
            str(pairs),
            "--output",
            str(place / "out"),
            "--jobs",
            "1",
            "--crop",
            "--size",
            "128",
            "--model",
            "warp",
        ]
    )
    return pairs, place / "out", status


def test_good_pairs_are_made_and_bad_ones_listed(batch: tuple[Path, Path, int]) -> None:
    _, out, status = batch
    assert status == 1
    for name in ("padded", "natural", "grey8", "grey16", "leaves"):
        video = read_clip(out / f"{name}.mp4")
        assert video[0].shape == (128, 128, 3)
        assert len(load_recording(out / f"{name}.npz")) == len(video)
    with (out / "failures.csv").open(encoding="utf-8") as file:
        failures = {row["name"]: row["reason"] for row in csv.DictReader(file)}
    assert set(failures) == set(BAD)
    for name, words in BAD.items():
        assert words in failures[name] and "\n" not in failures[name]
    assert not list(out.glob("*one*")) and not list(out.glob(".unfinished*"))


def test_frames_come_in_natural_order(batch: tuple[Path, Path, int]) -> None:
    padded, natural = (load_recording(batch[1] / f"{name}.npz") for name in ("padded", "natural"))
    assert padded.fps == pytest.approx(200)
    for one, other in zip(padded, natural, strict=True):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.dense, other.dense)


def test_sixteen_bits_are_as_good_as_eight(batch: tuple[Path, Path, int]) -> None:
    eight, sixteen = (load_recording(batch[1] / f"{name}.npz").motions for name in ("grey8", "grey16"))
    assert eight[4] is not None and sixteen[4] is not None and eight[0] is not None
    # The reference is another frame (2, not 0): the change between two frames is the same.
    first = sixteen[2]
    assert first is not None
    moved = sixteen[4].regions - first.regions
    assert np.abs(eight[4].regions - moved).max() < 0.02
    assert np.abs(eight[4].regions).max() < 0.3


def test_a_face_that_leaves_is_said_and_bridged(batch: tuple[Path, Path, int]) -> None:
    marker = json.loads((batch[1] / "leaves.json").read_text(encoding="utf-8"))
    assert any("No face in 2 of 7 frames" in note for note in marker["notes"])
    assert load_recording(batch[1] / "leaves.npz").motions[-1] is None


def test_metrics_have_a_line_for_each_pair(batch: tuple[Path, Path, int]) -> None:
    with (batch[1] / "metrics.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["padded", "natural", "grey8", "grey16", "leaves"]
    for row in rows.values():
        assert -1 <= float(row["correlation"]) <= 1
        assert float(row["jitter"]) > 0 and row["brow_inner_left_gain"]
    given = rows["natural"]
    assert (given["onset"], given["apex"], given["offset"], given["detected"]) == ("1", "4", "9", "")
    assert rows["padded"]["detected"] == "onset apex offset"
    assert rows["grey8"]["reference"] == "2"


class _Tags(HTMLParser):
    """Addresses, headings and whether tags are closed."""

    VOID = frozenset("meta img input br hr link".split())  # noqa: SIM905
    SHAPES = frozenset("path circle rect line image polyline".split())  # noqa: SIM905

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[str] = []
        self.unnamed = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = dict(attrs)
        self.addresses += [words[name] or "" for name in ("src", "href", "poster") if name in words]
        if tag in ("svg", "video") and not words.get("aria-label"):
            self.unnamed += 1
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        while (
            self.open and self.open[-1] in ("li", "tr", "td", "th", "dt", "dd", "p") and self.open[-1] != tag
        ):
            self.open.pop()
        assert self.open.pop() == tag


def test_the_report_stands_on_its_own(batch: tuple[Path, Path, int]) -> None:
    text = (batch[1] / "report.html").read_text("utf-8")
    page = _Tags()
    page.feed(text)
    assert not page.open and not page.unnamed
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]+|^\s*//.*$", "", text, flags=re.M).replace("</", "")
    assert page.headings[0] == "h1" and page.headings.count("h1") == 1
    for name in ("padded", "natural", "grey8", "grey16", "leaves"):
        section = text[text.index(f'id="pair-{name}"') :].partition("</section>")[0]
        assert len(section) < 1_500_000
        assert section.count("<figure class=curve") == 23
        assert section.count("<video") == 1 and section.count("<figure class=field") == 2
    assert "broken" in text and "cannot be read as a video" in text


def test_finished_pairs_are_not_made_again(batch: tuple[Path, Path, int], place: Path) -> None:
    _, out, _ = batch
    rows = (
        "padded,face.png,padded,,,,,200",
        "natural,face.png,natural,,1,4,9,200",
        "grey8,face.png,grey8,2,,,,",
    )
    columns = "driving,avatar,name,reference,onset,apex,offset,fps"
    pairs = write_list(place / "some.csv", *rows, columns=columns)
    words = [str(pairs), "--output", str(out), "--jobs", "1", "--crop", "--size", "128", "--model", "warp"]
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.mp4")}
    assert main(words) == 0
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.mp4")} == before
    # A changed clip, a missing result and another option each are reasons to make a pair again.
    os.utime(place / "padded" / "000.png", (1, 1_900_000_000))
    (out / "natural.npz").unlink()
    assert main(words) == 0
    again = {p.name for p in out.glob("*.mp4") if p.stat().st_mtime_ns != before[p.name]}
    assert again == {"padded.mp4", "natural.mp4"}


@pytest.mark.slow
def test_an_interrupted_run_leaves_nothing_half_made_and_goes_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_list(place / "two.csv", "grey8,face.png,a", "grey16,face.png,b")
    words = [str(pairs), "--output", str(tmp_path), "--jobs", "1", "--crop", "--size", "64", "--no-metrics"]
    save = worker.save_recording

    def stop_at_b(path: Path, recording: object) -> None:
        if path.name == "b.npz":
            raise KeyboardInterrupt
        save(path, recording)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "save_recording", stop_at_b)
    assert main(words) == 130
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".mien", "a.mp4", "a.npz", "a.json", "metrics.csv", "report.html"}
    made = (tmp_path / "a.mp4").stat().st_mtime_ns
    monkeypatch.setattr(worker, "save_recording", save)
    assert main(words) == 0
    assert (tmp_path / "b.npz").is_file() and (tmp_path / "a.mp4").stat().st_mtime_ns == made
    assert "<video" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_motion_file_drives_too(place: Path, tmp_path: Path) -> None:
    words = "--neutral --fps 25 --seconds 0.6 --region brow_inner --move 0,-0.02 --onset 0.1 --output"
    assert compose([*words.split(), str(place / "made.npz")]) == 0
    pairs = write_list(
        place / "motion.csv",
        "made.npz,face.png,made,",
        "made.npz,face.png,other,3",
        columns="driving,avatar,name,reference",
    )
    assert (
        main(
            [
                str(pairs),
                "--output",
                str(tmp_path / "out"),
                "--jobs",
                "1",
                "--crop",
                "--size",
                "256",
                "--model",
                "warp",
            ]
        )
        == 1
    )
    marker = json.loads((tmp_path / "out" / "made.json").read_text(encoding="utf-8"))
    assert marker["phases"]["apex"] == pytest.approx(8, abs=1)
    # What was asked for is what the images show.
    assert marker["metrics"]["correlation"] > 0.75 and marker["metrics"]["jitter"] is None
    assert "reference built in" in (tmp_path / "out" / "failures.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_processes_share_the_work(place: Path, tmp_path: Path) -> None:
    pairs = write_list(place / "three.csv", "grey8,face.png,a", "one,face.png,b", "grey16,face.png,c")
    words = "--jobs 2 --size 128 --lossless --only brows --expression 2"
    assert main([str(pairs), "--output", str(tmp_path / "out"), "--model", "warp", *words.split()]) == 1
    assert read_clip(tmp_path / "out" / "a.mkv")[0].shape == (128, 128, 3)
    assert (tmp_path / "out" / "c.mkv").is_file() and not (tmp_path / "out" / "b.mkv").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("driving,avatar\n", "lists no pairs"),
        ("driving,name\nx,y\n", "no column avatar"),
        ("clip;face\nx;y\n", "no column driving and no column avatar"),
        ("driving,avatar,name\ngrey8,face.png,a\ngrey16,face.png,A\n", "lines 2 and 3"),
        ("driving,avatar\ngrey8,face.png\ngrey8,face.png\n", "lines 2 and 3"),
        ("driving,avatar\ngone.mp4,face.png\n", "no usable line. Line 2"),
        ("driving,avatar,avatar\ngrey8,face.png,face.png\n", "twice"),
    ],
)
def test_bad_lists_end_in_a_line_before_anything_is_done(
    text: str, words: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = place / "bad.csv"
    pairs.write_text(text, encoding="utf-8")
    assert main([str(pairs), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("nothere.csv --output out", "does not exist"),
        (". --output out", "is a folder"),
        (f"{LONG}.csv --output out", "too long"),
        ("face.png/b.csv --output out", "cannot be read"),
        ("pairs.csv --output face.png/out", "is a file"),
        (f"pairs.csv --output {LONG}", "too long"),
        (f"pairs.csv --output out --model {LONG}", "too long"),
        ("pairs.csv --output a\0b", "NUL"),
        ("pairs.csv", "--output"),
        ("pairs.csv --output out --jobs 0", "--jobs"),
        ("pairs.csv --output out --only elbow", "elbow"),
        ("ok.csv --output face.png", "is a file"),
        ("ok.csv --output .", "would be lost"),
    ],
)
def test_bad_words_end_in_a_line(
    words: str, line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    shutil.copy(place / "broken.mp4", place / "clip.mp4")
    write_list(place / "ok.csv", "clip.mp4,face.png,clip")
    if words.startswith("pairs.csv"):
        write_list(place / "pairs.csv", "grey8,face.png,a")
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
    assert (place / "clip.mp4").read_bytes() == b"not a video at all"


def test_tables_on_a_full_disk_are_a_line(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mien.cli.batch.run.run_pairs", lambda *_: None)
    monkeypatch.setattr(Path, "replace", full)
    pairs = write_list(place / "full.csv", "grey8,face.png,a")
    assert main([str(pairs), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "disk is full" in said and said.count("\n") == 1
    assert list((tmp_path / "out").glob("*.part-*")) == []


def test_a_report_that_cannot_be_written_leaves_the_older_one_and_no_part_of_it(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("yesterday's", "utf-8")
    with pytest.raises(FileNotFoundError):
        write_report(page, "pairs", [], [tmp_path / "section-that-is-gone.html"], [], shown=1)
    assert page.read_text("utf-8") == "yesterday's"
    assert list(tmp_path.iterdir()) == [page]


def test_lists_as_people_write_them(place: Path) -> None:
    pairs = place / "people.csv"
    rows = (
        "Driving ; AVATAR;apex; comment ;fps",
        f'{place / "grey8"};"face.png";12.0;so;200',
        ";;;;",
        "grey16;face.png;-;;",
        "padded;face.png;x;;",
    )
    pairs.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    found = read_pairs(pairs)
    assert found.pairs == (
        Pair("grey8__face", 2, place / "grey8", place / "face.png", apex=12, fps=200.0),
        Pair("grey16__face", 4, place / "grey16", place / "face.png"),
    )
    assert [(f.line, f.name) for f in found.failures] == [(5, "padded__face")]
    assert "comment" in found.notes[0]


@pytest.mark.parametrize(
    "row",
    [
        "grey8,face.png,a/b",
        "grey8,face.png,.hidden",
        "grey8,,x",
        "grey8,face.png,a:b",
        f"{LONG},face.png,a",
        f"grey8,{LONG},a",
        "grey8,face.png/b.png,a",
    ],
)
def test_rows_that_cannot_be(row: str, place: Path) -> None:
    with pytest.raises(MienError, match="Line 2"):
        read_pairs(write_list(place / "row.csv", row))


def test_phases_must_follow_each_other(place: Path) -> None:
    path = write_list(place / "order.csv", "grey8,face.png,4,2", columns="driving,avatar,onset,apex")
    with pytest.raises(MienError, match="comes after the apex"):
        read_pairs(path)
