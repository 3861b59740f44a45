"""Automatic reference, profiles without pixels, and the choice of the network's schedule."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from math import cos, radians, sin
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import read_clip

from mien.cli.live.gallery import Gallery
from mien.cli.live.reference import Calibration
from mien.cli.live.window import LiveLoop, News
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.landmarks.topology import BLENDSHAPE_NAMES
from mien.engine.runtime import Network, default_runtime
from mien.engine.session.live_pipeline import LivePipeline
from mien.engine.session.session import Tracked
from mien.engine.session.speed import settle_speed
from mien.engine.tracking import Tracker
from mien.engine.tracking.auto_reference import (
    AutoReference,
    Newcomer,
    is_frontal,
    is_neutral,
    shape_difference,
)
from mien.engine.tracking.neutral_profile import Profile, load_profile, profile_path, save_profile
from mien.engine.types import Face, Frame, Image, MienError
from mien.engine.utils.links import Policy


@pytest.fixture(scope="module")
def faces(carphone: Path) -> list[Face]:
    with make_landmarker() as landmarker:
        found = [landmarker.track(image) for image in read_clip(carphone, 40)]
    return [face for face in found if face is not None]


def calm(face: Face) -> Face:
    """The same face, frontal and without expression."""
    pose = np.eye(4, dtype=np.float32)
    return replace(face, pose=pose, blendshapes=np.full(52, 0.02, np.float32))


def smiling(face: Face) -> Face:
    shapes = calm(face).blendshapes.copy()
    for side in ("Left", "Right"):
        shapes[BLENDSHAPE_NAMES.index(f"mouthSmile{side}")] = 0.9
    return replace(calm(face), blendshapes=shapes)


def turned(face: Face, degrees: float) -> Face:
    pose = np.eye(4, dtype=np.float32)
    angle = radians(degrees)
    pose[0, 0], pose[0, 2], pose[2, 0], pose[2, 2] = cos(angle), sin(angle), -sin(angle), cos(angle)
    return replace(calm(face), pose=pose)


def test_smiling_and_turned_faces_are_told_from_neutral_ones(faces: list[Face]) -> None:
    face = faces[0]
    assert is_neutral(calm(face)) and not is_neutral(smiling(face))
    assert is_frontal(turned(face, 5)) and not is_frontal(turned(face, 20))


def test_a_neutral_frontal_face_at_rest_becomes_the_reference_once(faces: list[Face]) -> None:
    auto, face = AutoReference(), faces[0]
    first = smiling(face)
    taken = [n for n in range(60) if auto.look(calm(face), n / 30, first)]
    assert taken == [15], "after half a second, and never again"
    assert auto.done


@pytest.mark.parametrize("rate", [4, 30, 120, 240, 1000])
def test_half_a_second_of_rest_is_enough_at_any_frame_rate(faces: list[Face], rate: int) -> None:
    auto, face = AutoReference(), calm(faces[0])
    taken = [n for n in range(2 * rate) if auto.look(face, n / rate, smiling(face))]
    assert len(taken) == 1 and 0.5 <= taken[0] / rate <= 0.53


@pytest.mark.parametrize("rate", [30, 240, 1000])
def test_a_face_that_drifts_is_not_at_rest_at_any_frame_rate(faces: list[Face], rate: int) -> None:
    auto, face = AutoReference(), calm(faces[0])
    size = float(np.ptp(face.landmarks[:, :2], axis=0).max())
    for n in range(2 * rate):
        # A tenth of the face's size per second: consecutive frames of a fast camera look alike.
        moved = replace(face, landmarks=face.landmarks + np.float32(0.1 * size * n / rate))
        assert not auto.look(moved, n / rate, smiling(face))
    assert len(auto._looks) < 40, "and memory does not grow with the frame rate"


@pytest.mark.parametrize("why", ["smile", "turn", "moving", "gone"])
def test_nothing_else_becomes_the_reference(faces: list[Face], why: str) -> None:
    auto, face = AutoReference(), faces[0]
    for n in range(60):
        moved = replace(calm(face), landmarks=face.landmarks + np.float32(10.0 * (n % 4)))
        now = {"smile": smiling(face), "turn": turned(face, 20), "moving": moved}.get(why)
        assert not auto.look(now, n / 30, smiling(face))
    assert not auto.done


def test_a_reference_that_is_as_good_stays(faces: list[Face]) -> None:
    auto = AutoReference()
    assert not any(auto.look(calm(faces[0]), n / 30, calm(faces[1])) for n in range(60))
    assert auto.done


def test_a_profile_waits_for_its_own_neutral_face(faces: list[Face]) -> None:
    # A person whose resting brows are too low for any general threshold of neutrality.
    frowning = replace(calm(faces[0]), blendshapes=np.full(52, 0.2, np.float32))
    assert not is_neutral(frowning)
    auto = AutoReference(Profile.of("me", "Camera 0", frowning))
    assert any(auto.look(frowning, n / 30, smiling(faces[0])) for n in range(60))


def test_face_shapes_differ_more_between_people_than_within_one_clip(
    faces: list[Face], landmarker: Landmarker, astronaut: Image
) -> None:
    other = landmarker.detect(astronaut)[0]
    within = max(shape_difference(face, faces[0]) for face in faces[1:])
    between = min(shape_difference(other, face) for face in faces)
    assert within < between
    # Position, size and rotation in the image do not count.
    moved = replace(faces[0], landmarks=faces[0].landmarks[:, [1, 0, 2]] * [1, -1, 1] * np.float32(2.0) + 40)
    assert shape_difference(moved, faces[0]) < 1e-4


def test_only_a_face_that_comes_after_a_pause_is_compared(
    faces: list[Face], landmarker: Landmarker, astronaut: Image
) -> None:
    other = landmarker.detect(astronaut)[0]
    newcomer = Newcomer()
    assert not any(newcomer.look(faces[n], n / 30, faces[0]) for n in range(20))
    assert not any(newcomer.look(None, 0.7 + n / 30, faces[0]) for n in range(30))
    told = [n for n in range(30) if newcomer.look(other, 1.7 + n / 30, faces[0])]
    assert len(told) == 1, "offered once"


def test_a_profile_is_written_atomically_and_contains_no_image(faces: list[Face], tmp_path: Path) -> None:
    path = profile_path("Mia", "Camera 0", tmp_path)
    assert load_profile(path) is None
    save_profile(path, Profile.of("Mia", "Camera 0", faces[0]))
    kept = load_profile(path)
    assert kept is not None and (kept.name, kept.camera) == ("Mia", "Camera 0")
    assert np.array_equal(kept.landmarks, faces[0].landmarks)
    with np.load(path) as archive:
        assert not any(archive[name].dtype == np.uint8 for name in archive.files), "no pixels"
        assert sum(archive[name].size for name in archive.files) < 2000
    assert [p.name for p in path.parent.iterdir()] == ["Mia@camera-0.npz"]
    assert profile_path("Mia", "Camera 1", tmp_path) != path, "one per camera"


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 80, "a\nb"])
def test_names_that_cannot_be_file_names_are_refused(name: str) -> None:
    with pytest.raises(MienError, match="not a valid profile name"):
        profile_path(name, "Camera 0")


def test_a_damaged_profile_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(MienError, match="Delete it to make a new one"):
        load_profile(path)


def test_a_live_run_saves_the_profile_when_its_reference_is_set(
    faces: list[Face], carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.engine.tracking.neutral_profile.profile_folder", lambda: tmp_path)
    image, told = read_clip(carphone, 1)[0], []
    with Tracker() as tracker:
        calibration = Calibration(tracker, told.append, "me", "Camera 0")
        assert not calibration.remembered
        for n in range(30):
            calibration.watch(Tracked(Frame(image, n, 0, n / 30), calm(faces[0]), None, 0.0))
        assert (
            len(told) == 1
            and told[0].startswith("neutral face found: reference set")
            and tracker.reference is not None
        )
        assert calibration.ghost is not None and calibration.ghost.image is image
        assert Calibration(tracker, told.append, "me", "Camera 0").remembered


def test_a_dark_or_small_face_is_told_as_the_reference(faces: list[Face], carphone: Path) -> None:
    image, told = read_clip(carphone, 1)[0], []
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    face = replace(faces[0], landmarks=faces[0].landmarks * 2)
    with Tracker() as tracker:
        calibration = Calibration(tracker, told.append)
        calibration.set(large, face)
        calibration.set(large // 6, face)
        calibration.set(image, faces[0])
    assert told[0] == "reference set"
    dark, small = (words.removeprefix("reference set, but the face is ") for words in told[1:])
    assert re.fullmatch(r"dark \(\d+ of 255\); noise hides small movements there", dark)
    assert re.fullmatch(r"\d+ pixels wide; small movements cannot be measured", small)


def test_f_during_the_examination_of_a_frame_leaves_the_profile_alone(
    faces: list[Face], carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, avatar: Avatar
) -> None:
    """The stored neutral face is never the one at which F merely stopped the search."""
    monkeypatch.setattr("mien.engine.tracking.neutral_profile.profile_folder", lambda: tmp_path)
    image, told = read_clip(carphone, 1)[0], []
    looking, pressed = threading.Event(), threading.Event()
    look = AutoReference.look

    def slowly(auto: AutoReference, face: Face | None, time: float, reference: Face | None) -> bool:
        looking.set()
        pressed.wait(60)
        return look(auto, face, time, reference)

    monkeypatch.setattr(AutoReference, "look", slowly)
    with Tracker() as tracker:
        tracker.set_reference(image, smiling(faces[0]))
        calibration = Calibration(tracker, told.append, "me", "Camera 0")
        session = SimpleNamespace(
            track=lambda frame: Tracked(frame, smiling(faces[0]), None, 0.0),
            draw=lambda tracked: None,
            renderer=SimpleNamespace(avatar=avatar, set_avatar=lambda _: None),
            lost=False,
        )
        live = LivePipeline(
            [Frame(image, n, 0, n / 30) for n in range(3)],
            session,  # type: ignore[arg-type]
            policy=Policy.WAIT,
            watch=calibration.watch,
        )
        loop = LiveLoop(live, Gallery([], None, None, session.renderer), calibration, None, News())  # type: ignore[arg-type]
        live.start()
        assert looking.wait(60)
        loop._obey(ord("F"))
        pressed.set()
        assert live.wait(60)
    assert calibration._auto.done, "F ended the search"
    assert told == [] and list(tmp_path.iterdir()) == []


def test_the_speed_is_measured_once_and_remembered(
    avatar: Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = default_runtime(threads=1)
    rates = iter([12.0])
    monkeypatch.setattr("mien.engine.session.speed.measure_fps", lambda *_: next(rates))
    first = settle_speed(runtime, avatar, tmp_path)
    again = settle_speed(runtime, avatar, tmp_path)
    assert (first.measured, again.measured) == (True, False) and first.fps == again.fps == 12.0
    assert runtime.network is Network.BACKGROUND, "too slow for every frame"
    known = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    (tmp_path / "speed.json").write_text(json.dumps(dict.fromkeys(known, 60.0)), encoding="utf-8")
    assert settle_speed(runtime, avatar, tmp_path).network is Network.EVERY_FRAME
    assert settle_speed(runtime, avatar, tmp_path, camera_fps=60.0).network is Network.BACKGROUND


def test_a_measurement_without_a_frame_is_not_remembered(
    avatar: Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.engine.session.speed.measure_fps", lambda *_: float("nan"))
    found = settle_speed(default_runtime(threads=1), avatar, tmp_path)
    assert found.fps == 0.0 and found.network is Network.BACKGROUND
    assert not (tmp_path / "speed.json").exists()


def test_a_damaged_speed_file_only_costs_a_measurement(
    avatar: Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "speed.json").write_text("[1, 2", encoding="utf-8")
    monkeypatch.setattr("mien.engine.session.speed.measure_fps", lambda *_: 50.0)
    assert settle_speed(default_runtime(threads=1), avatar, tmp_path).fps == 50.0
