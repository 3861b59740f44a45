"""Sessions: gaps in the driver's face are bridged, gains scale, recorded motion survives."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.face.layout import GRID
from mien.engine.face.regions import REGIONS, region_indices, region_seeds
from mien.engine.motion import Gains, Head, Motion, apply_gains
from mien.engine.motion.recording import STEP, VERSION, Recording, load_recording, nominal_fps, save_recording
from mien.engine.motion.region_fit import RegionFits
from mien.engine.runtime import Runtime
from mien.engine.session.bridging import HOLD, NEUTRAL_AFTER, RECOVERY, GapFiller
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker
from mien.engine.types import Frame, Image, MienError

FPS = 50
BLANK = np.zeros((1, 1, 3), np.uint8)


def frame(index: int) -> Frame:
    return Frame(BLANK, index, 0, index / FPS)


def moved(amount: float, index: int = 0) -> Motion:
    """A motion whose every part is ``amount`` away from neutral."""
    still = Motion.neutral(index, index / FPS)
    return replace(
        still,
        head=Head((amount, -amount), 1 + amount, amount, (amount, -amount)),
        points=still.points + np.float32(amount),
        dense=still.dense + np.float32(amount),
        fits=RegionFits.given(still.regions + np.float32(amount), still.affines),
        gaze=still.gaze + np.float32(amount),
        blink=still.blink + np.float32(amount),
        confidence=0.9,
    )


def amount_of(motion: Motion) -> float:
    return float(motion.points[0, 0])


def shown(faces: list[bool], amount: float = 0.2) -> list[float]:
    """The avatar's motion in each frame, if the driver's is ``amount`` whenever they are seen."""
    continuity = GapFiller()
    return [
        amount_of(continuity.fill(frame(i), moved(amount, i) if seen else None))
        for i, seen in enumerate(faces)
    ]


def test_a_face_that_is_always_seen_is_shown_as_measured() -> None:
    continuity = GapFiller()
    for i in range(5):
        motion = moved(0.1 * i, i)
        assert continuity.fill(frame(i), motion) is motion
        assert not continuity.lost


def test_a_lost_face_holds_then_rests_within_half_a_second() -> None:
    amounts = shown([True] * 5 + [False] * FPS)
    lost = amounts[5:]
    assert lost[: int(HOLD * FPS)] == pytest.approx([0.2] * int(HOLD * FPS))
    assert lost[round(NEUTRAL_AFTER * FPS)] == 0.0
    assert NEUTRAL_AFTER <= 0.5
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(lost))


@pytest.mark.parametrize("gap", [1, 3, 10, 20, 60])
def test_neither_loss_nor_recovery_jumps(gap: int) -> None:
    amounts = shown([True] * 5 + [False] * gap + [True] * FPS)
    # The steepest slope of a smooth step of 0.2 over the recovery time, with a margin.
    assert np.abs(np.diff(amounts)).max() <= 1.6 * 0.2 / (RECOVERY * FPS)
    assert amounts[-1] == pytest.approx(0.2)


def test_a_recovered_face_is_soon_followed_exactly() -> None:
    amounts = shown([True] * 5 + [False] * 40 + [True] * 20)
    assert amounts[45 + round(RECOVERY * FPS) + 1 :] == pytest.approx([0.2] * (19 - round(RECOVERY * FPS)))


def test_a_face_lost_again_during_recovery_continues_from_there() -> None:
    amounts = shown([True] * 5 + [False] * 40 + [True] * 5 + [False] * 40)
    assert np.abs(np.diff(amounts)).max() <= 1.6 * 0.2 / (RECOVERY * FPS)
    assert amounts[-1] == 0.0


def test_before_the_first_face_the_avatar_rests() -> None:
    assert shown([False] * 3)[-1] == 0.0


def test_bridged_motion_carries_the_frames_own_identity() -> None:
    continuity = GapFiller()
    continuity.fill(frame(0), moved(0.1))
    bridged = continuity.fill(Frame(BLANK, 7, 123, 0.14), None)
    assert (bridged.index, bridged.captured_ns, bridged.time) == (7, 123, 0.14)
    assert continuity.lost


def test_default_gains_change_nothing() -> None:
    motion = moved(0.1)
    assert apply_gains(motion, Gains()) is motion


def test_head_turn_and_expression_have_their_own_gains() -> None:
    motion = moved(0.1)
    without_head = apply_gains(motion, Gains(head=0))
    assert without_head.head == Head((0, 0), 1, 0, motion.head.turn)
    assert without_head.points == pytest.approx(motion.points)
    without_turn = apply_gains(motion, Gains(turn=0))
    assert without_turn.head == replace(motion.head, turn=(0, 0))
    doubled = apply_gains(motion, Gains(expression=2))
    assert doubled.head == motion.head
    assert doubled.points == pytest.approx(2 * motion.points)
    assert doubled.dense == pytest.approx(2 * motion.dense, abs=1e-6)


def test_a_regions_gain_acts_there_and_fades_around_it() -> None:
    motion = moved(0.1)
    louder = apply_gains(motion, Gains(regions={"brow_inner": 3.0}))
    brow = region_seeds("brow_inner_left")[0]
    chin = region_seeds("chin")[0]
    assert louder.points[brow, 0] > 0.2
    assert louder.points[chin, 0] == pytest.approx(0.1, abs=1e-3)
    inner = list(region_indices(["brow_inner"]))
    assert louder.regions[inner] == pytest.approx(3 * motion.regions[inner])


def test_only_silences_all_other_regions() -> None:
    kept = apply_gains(moved(0.1), Gains.only(["mouth"]))
    assert kept.points[region_seeds("lower_lip")[0], 0] > 0.07
    assert abs(kept.points[region_seeds("forehead_left")[0], 0]) < 1e-3


@pytest.mark.parametrize("bad", [{"head": 9.0}, {"turn": float("nan")}, {"regions": {"brows": -99.0}}])
def test_gains_out_of_range_are_refused(bad: dict) -> None:
    with pytest.raises(MienError, match="from -8 to 8"):
        Gains(**bad)


def test_unknown_regions_are_refused_with_the_known_ones() -> None:
    with pytest.raises(MienError, match="brow_inner"):
        Gains(regions={"eyebrow": 1.0})


@pytest.fixture
def recording() -> Recording:
    motions = [moved(0.01 * i, i) for i in range(4)]
    motions[2] = None  # type: ignore[call-overload]
    return Recording(tuple(motions), tuple(i / FPS for i in range(4)), float(FPS))


def test_recorded_motion_is_restored_up_to_rounding(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    save_recording(path, recording)
    back = load_recording(path)
    assert back.times == recording.times and back.fps == FPS
    assert [motion is None for motion in back] == [False, False, True, False]
    before, after = recording.motions[3], back.motions[3]
    assert before is not None and after is not None
    assert after.time == 3 / FPS
    assert after.points == pytest.approx(before.points, abs=STEP)
    centre = slice(GRID // 2 - 4, GRID // 2 + 4)
    assert after.dense[centre, centre] == pytest.approx(before.dense[centre, centre], abs=STEP)
    assert after.head.turn == pytest.approx(before.head.turn)
    assert after.gaze == pytest.approx(before.gaze) and after.blink == pytest.approx(before.blink)


def test_a_recording_contains_no_image(recording: Recording, tmp_path: Path) -> None:
    save_recording(tmp_path / "motion.npz", recording)
    with np.load(tmp_path / "motion.npz") as archive:
        documented = load_recording.__globals__["__doc__"]
        assert all(f"``{name}``" in documented for name in archive.files), "every array is documented"
        assert not any(name in archive.files for name in ("image", "images", "frames"))


def test_saving_replaces_only_at_the_end(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "motion.npz"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(MienError, match="No space left"):
        save_recording(path, recording)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_nothing_recorded_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="No motion"):
        save_recording(tmp_path / "m.npz", Recording((), (), 25.0))


def _edited(path: Path, recording: Recording, **changes: object) -> Path:
    save_recording(path, recording)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays.update({name: np.asarray(value) for name, value in changes.items() if value is not None})
    for name in [name for name, value in changes.items() if value is None]:
        del arrays[name]
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"version": VERSION + 1}, "newer Mien"),
        ({"version": None}, "it has no 'version'"),
        ({"format": "other"}, "contains no recorded motion"),
        ({"format": None}, "contains no recorded motion"),
        ({"points": np.zeros((4, 3, 2), np.int16)}, "points has the shape"),
        ({"regions": np.zeros((4, 1, 2), np.float32)}, "regions has the shape"),
        ({"dense": None}, "it has no 'dense'"),
        ({"head": np.full((4, 6), np.nan, np.float32)}, "not finite"),
        ({"time": [0.0, 0.1, 0.1, 0.2]}, "times do not increase"),
        ({"fps": 0.0}, "frame rate"),
        ({"fps": "fast"}, "is damaged"),
        ({"region_names": np.array(REGIONS[::-1])}, "regions are not this version's"),
    ],
)
def test_a_wrong_recording_is_refused(
    recording: Recording, tmp_path: Path, changes: dict, cause: str
) -> None:
    path = _edited(tmp_path / "motion.npz", recording, **changes)
    with pytest.raises(MienError, match=cause):
        load_recording(path)


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "flipped", "bare array", "folder"])
def test_a_damaged_recording_is_refused(recording: Recording, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "motion.npz"
    save_recording(path, recording)
    data = bytearray(path.read_bytes())
    if kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "bare array":
        np.save(tmp_path / "a.npy", np.zeros(3))
        path.write_bytes((tmp_path / "a.npy").read_bytes())
    elif kind == "flipped":
        for at in range(200, len(data) - 200, 97):
            data[at] ^= 0x55
        path.write_bytes(data)
    else:
        path.write_bytes({"text": b"hello", "empty": b"", "cut": bytes(data[: len(data) // 2])}[kind])
    with pytest.raises(MienError, match="Record"):
        load_recording(path)


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="does not exist"):
        load_recording(tmp_path / "nowhere.npz")


def test_the_nominal_rate_is_the_median_step() -> None:
    assert nominal_fps([0, 0.04, 0.08, 0.5]) == pytest.approx(25)
    assert nominal_fps([0.0]) == 25.0


def test_a_session_steps_and_reports_its_measurements(
    close_up: Image, avatar: Avatar, runtime: Runtime
) -> None:
    heard: list[Motion | None] = []
    with Tracker() as tracker:
        session = Session(
            tracker, Renderer(avatar, runtime), on_motion=lambda _, motion: heard.append(motion)
        )
        first = session.step(Frame(close_up, 0, 5, 0.0))
        assert not session.lost
        session.step(Frame(np.zeros_like(close_up), 1, 6, 0.04))
        assert session.lost
    assert heard[0] is not None and heard[1] is None
    assert (first.index, first.captured_ns, first.time) == (0, 5, 0.0)
    assert set(first.stage_ms) == {"track", "carry", "model", "compose", "mouth"}
    # The driver's first frame is its own reference: nothing moves.
    assert np.abs(first.image.astype(np.int16) - avatar.image).mean() < 0.5


def test_a_session_without_a_tracker_only_plays(avatar: Avatar, runtime: Runtime) -> None:
    session = Session(None, Renderer(avatar, runtime))
    assert session.play(frame(3), None).index == 3
    with pytest.raises(ValueError, match="use play"):
        session.step(frame(4))
