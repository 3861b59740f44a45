"""Which photos are kept of many, what is said of them, and the file that holds them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip

from mien.engine.avatar import Avatar
from mien.engine.enrolment.container import Enrolled, load_enrolled, save_enrolled
from mien.engine.enrolment.selection import MOST, select
from mien.engine.enrolment.survey import MOST as KEPT
from mien.engine.enrolment.survey import Survey
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.runtime import Runtime
from mien.engine.types import Face, Image, SourceError

Seen = list[tuple[Image, Face]]


@pytest.fixture(scope="module")
def seen(carphone: Path) -> Seen:
    found = []
    with make_landmarker() as landmarker:
        for image in read_clip(carphone, 100)[::4]:
            big = np.asarray(cv2.resize(image, None, fx=2, fy=2), np.uint8)
            face = landmarker.track(big)
            assert face is not None
            found.append((big, face))
    return found


@pytest.fixture(scope="module")
def person(seen: Seen, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    return Avatar.of(seen[0][0], landmarker, runtime)


@pytest.fixture(scope="module")
def enrolled(person: Avatar, seen: Seen) -> Enrolled:
    survey = Survey(person)
    for index, (image, face) in enumerate(seen):
        survey.look(image, [face], f"{index}.png")
    return Enrolled(person.image, select(survey, most=2).photos)


def test_what_covers_most_is_kept_and_what_is_missing_is_said(person: Avatar, seen: Seen) -> None:
    survey = Survey(person)
    for index, (image, face) in enumerate(seen):
        survey.look(image, [face], f"{index}.png")
    found = select(survey)
    assert 2 <= len(found.photos) <= MOST
    gaps = [photo.traits.gap for photo in found.photos]
    assert max(gaps) > 0.25, "the mouth wide open"
    said = "\n".join(found.notes)
    assert "mouth open" in said and f"of {len(seen)} are used" in said and "none with" in said


def test_what_cannot_be_used_is_named_with_the_reason(
    person: Avatar, seen: Seen, landmarker: Landmarker, close_up: Image
) -> None:
    survey = Survey(person)
    image, face = seen[15]
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), 6), np.uint8)
    survey.look(blurred, [face], "blurred.jpg")
    survey.look(image, [], "wall.jpg")
    survey.look(close_up, landmarker.detect(close_up), "friend.jpg")
    tiny = Face(face.landmarks / 8, face.pose, face.blendshapes, 1.0, face.crop)
    survey.look(np.asarray(cv2.resize(image, None, fx=0.125, fy=0.125), np.uint8), [tiny], "tiny.jpg")
    found = select(survey)
    assert found.photos == ()
    said = "\n".join(found.notes)
    for why in ("blurred.jpg", "no face in 1", "somebody else in 1", "under 48 pixels in 1", "used alone"):
        assert why in said


def test_copies_of_the_portrait_help_nothing(person: Avatar, seen: Seen) -> None:
    survey = Survey(person)
    survey.look(*seen[0][:1], [seen[0][1]], "same.png")
    found = select(survey)
    assert found.photos == () and "none shows anything" in found.notes[0]


def test_five_hundred_photos_take_no_more_memory_than_those_kept(person: Avatar, seen: Seen) -> None:
    survey = Survey(person)
    for index in range(KEPT + 3):
        image, face = seen[index % len(seen)]
        survey.look(image, [face], f"{index}.png")
    assert len(survey.candidates) == KEPT and survey.looked == KEPT + 3


def test_a_file_gives_back_what_was_put_into_it(enrolled: Enrolled, tmp_path: Path) -> None:
    path = tmp_path / "me.mien"
    save_enrolled(path, enrolled.portrait, enrolled.photos)
    read = load_enrolled(path)
    assert np.array_equal(read.portrait, enrolled.portrait)
    assert len(read.photos) == 2
    for before, after in zip(enrolled.photos, read.photos, strict=True):
        assert after.name == before.name
        for name in ("image", "landmarks", "pose", "blendshapes"):
            assert np.array_equal(getattr(before, name), getattr(after, name))
    assert list(tmp_path.iterdir()) == [path]


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def _pickled() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], object), allow_pickle=True)
    return out.getvalue()


def _array(shape: tuple[int, ...], fill: float) -> bytes:
    out = io.BytesIO()
    np.save(out, np.full(shape, fill, np.float32))
    return out.getvalue()


def _about(**changes: object) -> bytes:
    return json.dumps(
        {"format": "mien-avatar", "version": 1, "photos": 2, "names": ["a", "b"], **changes}
    ).encode()


WRONG = {
    "later version": ({"mien.json": _about(version=9)}, "later Mien.*Update"),
    "another format": ({"mien.json": _about(format="tar")}, "no avatar file"),
    "not JSON": ({"mien.json": b"\xff{"}, "damaged"),
    "too many photos": ({"mien.json": _about(photos=10**9)}, "damaged"),
    "too few names": ({"mien.json": _about(names=[])}, "damaged"),
    "bomb": ({"portrait.png": b"\0" * 70_000_000}, "more than"),
    "bombs": ({f"photos/{i:03}.png": b"\0" * 30_000_000 for i in range(9)}, "more than"),
    "no portrait": ({"portrait.png": b"GIF89a"}, "damaged"),
    "pickle": ({"faces.npy": _pickled()}, "damaged"),
    "another shape": ({"faces.npy": _array((2, 4, 3), 1.0)}, "damaged"),
    "not finite": ({"poses.npy": _array((2, 4, 4), np.nan)}, "damaged"),
    "faces elsewhere": ({"faces.npy": _array((2, 478, 3), 1e9)}, "damaged"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_contents_are_refused_in_one_line(case: str, enrolled: Enrolled, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.mien", tmp_path / "bad.mien"
    save_enrolled(good, enrolled.portrait, enrolled.photos)
    changes, why = WRONG[case]
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in {**_members(good), **changes}.items():
            file.writestr(name, data)
    with pytest.raises(SourceError, match=why) as raised:
        load_enrolled(bad)
    assert "\n" not in str(raised.value) and "bad.mien" in str(raised.value)


@pytest.mark.parametrize("missing", ["mien.json", "portrait.png", "photos/001.png", "poses.npy"])
def test_a_missing_part_is_named(missing: str, enrolled: Enrolled, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.mien", tmp_path / "bad.mien"
    save_enrolled(good, enrolled.portrait, enrolled.photos)
    with zipfile.ZipFile(bad, "w") as file:
        for name, data in _members(good).items():
            if name != missing:
                file.writestr(name, data)
    with pytest.raises(SourceError, match=f"no {missing}"):
        load_enrolled(bad)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(share: float, enrolled: Enrolled, tmp_path: Path) -> None:
    path = tmp_path / "me.mien"
    save_enrolled(path, enrolled.portrait, enrolled.photos)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(SourceError, match="cut short"):
        load_enrolled(path)
