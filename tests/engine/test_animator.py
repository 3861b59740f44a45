"""One animator for every kind of run: it tracks, draws and plays as the parts do by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import mien
from mien.engine.animator import NO_IMAGE
from mien.engine.avatar import Avatar
from mien.engine.landmarks import LANDMARKERS, make_landmarker
from mien.engine.motion.recording import load_recording
from mien.engine.presets import PRESETS, preset_named, preset_of
from mien.engine.runtime import OpenVinoRuntime, default_runtime
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker
from mien.engine.types import Frame, Image
from mien.engine.utils.assets import DEMO_MOTION, PORTRAIT


@pytest.fixture(scope="module")
def runtime() -> Iterator[OpenVinoRuntime]:
    runtime = default_runtime(1, "f32")
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def avatar(runtime: OpenVinoRuntime) -> Avatar:
    return mien.load_avatar(PORTRAIT, side=256, runtime=runtime)


def shifted(image: Image, count: int) -> list[Frame]:
    return [Frame(np.roll(image, k, axis=1), k, 0, k / 25) for k in range(count)]


def test_stepping_is_tracker_renderer_and_session_together(
    avatar: Avatar, runtime: OpenVinoRuntime, close_up: Image
) -> None:
    frames = shifted(close_up, 3)
    with Tracker() as tracker:
        session = Session(tracker, Renderer(avatar, runtime))
        expected = [session.step(frame).image for frame in frames]
    with mien.Animator(avatar, runtime=runtime) as animator:
        for frame, image in zip(frames, expected, strict=True):
            np.testing.assert_array_equal(animator.step(frame).image, image)


def test_recorded_motion_plays_without_loading_a_tracker(avatar: Avatar, runtime: OpenVinoRuntime) -> None:
    recording = load_recording(DEMO_MOTION)
    session = Session(None, Renderer(avatar, runtime))
    with mien.Animator(avatar, runtime=runtime) as animator:
        for index, (time, motion) in enumerate(zip(recording.times[:5], recording.motions[:5], strict=True)):
            expected = session.play(Frame(NO_IMAGE, index, 0, time), motion).image
            np.testing.assert_array_equal(animator.play(motion).image, expected)
        assert animator.session.tracker is None


def test_a_gap_in_a_recording_is_bridged_and_eases_to_rest(avatar: Avatar, runtime: OpenVinoRuntime) -> None:
    motion = load_recording(DEMO_MOTION).motions[20]
    with mien.Animator(avatar, runtime=runtime) as animator:
        moved = animator.play(motion)
        held = animator.play(None)
        assert animator.lost
        assert held.time > moved.time
        np.testing.assert_array_equal(held.image, moved.image)
        rest = animator.play(None, moved.time + 10).image
        assert np.abs(rest.astype(int) - moved.image).max() > 0


def test_gains_and_avatar_can_be_changed(avatar: Avatar, runtime: OpenVinoRuntime, astronaut: Image) -> None:
    motion = load_recording(DEMO_MOTION).motions[20]
    with mien.Animator(avatar, runtime=runtime) as animator:
        moved = animator.play(motion).image
        animator.gains = mien.Gains(head=0, turn=0, expression=0)
        assert animator.gains.expression == 0
        assert np.abs(animator.play(motion).image.astype(int) - moved).max() > 0
        other = mien.load_avatar(astronaut, side=200, runtime=runtime)
        animator.avatar = other
        assert animator.avatar is other
        assert animator.size == (200, 200)
        assert animator.play(motion).image.shape == (200, 200, 3)


def test_the_reference_is_the_frame_that_was_taken(
    avatar: Avatar, runtime: OpenVinoRuntime, close_up: Image
) -> None:
    with mien.Animator(avatar, live=True, runtime=runtime) as animator:
        assert animator.tracker.settings.live
        assert not animator.set_reference(np.zeros((64, 64, 3), np.uint8))
        assert animator.tracker.reference is None
        assert animator.set_reference(close_up)
        assert animator.tracker.reference is not None


def test_an_animator_closes_what_it_made_and_nothing_else(avatar: Avatar, close_up: Image) -> None:
    runtime = default_runtime(1, "f32")
    animator = mien.Animator(avatar, runtime=runtime)
    landmarker = animator.load().landmarker
    animator.close()
    animator.close()
    with pytest.raises(mien.MienError):
        landmarker.detect(close_up)
    with mien.Animator(avatar, runtime=runtime) as second:
        second.play(load_recording(DEMO_MOTION).motions[0])
    runtime.close()


def test_a_closed_animator_loads_nothing(avatar: Avatar, runtime: OpenVinoRuntime, close_up: Image) -> None:
    animator = mien.Animator(avatar, runtime=runtime)
    animator.close()
    with pytest.raises(ValueError, match="closed"):
        animator.step(Frame(close_up, 0, 0, 0.0))


def test_a_portrait_is_a_file_or_an_image(tmp_path: Path, astronaut: Image, runtime: OpenVinoRuntime) -> None:
    Pillow.fromarray(astronaut).save(tmp_path / "me.png")
    from_file = mien.load_avatar(str(tmp_path / "me.png"), runtime=runtime)
    given = mien.load_avatar(astronaut)
    np.testing.assert_array_equal(from_file.image, given.image)
    np.testing.assert_array_equal(from_file.code.features, given.code.features)


def test_a_portrait_without_a_face_is_its_own_kind_of_error() -> None:
    with pytest.raises(mien.NoFaceError):
        mien.load_avatar(np.zeros((64, 64, 3), np.uint8))


def test_every_runtime_belongs_to_one_preset(runtime: OpenVinoRuntime) -> None:
    assert preset_of(runtime).name == "live"
    assert [preset.name for preset in PRESETS if preset.owns(runtime)] == ["live"]
    assert {preset_named(preset.model) for preset in PRESETS} == set(PRESETS)
    assert preset_named(None).name == "live"
    with pytest.raises(TypeError):
        preset_of(object())  # type: ignore[arg-type]


def test_the_command_line_takes_the_landmarkers_from_their_table() -> None:
    from mien.cli.options.arguments import parse

    assert parse([]).tracker == next(iter(LANDMARKERS))
    for name in LANDMARKERS:
        assert parse(["--tracker", name]).tracker == name
    with make_landmarker() as landmarker:
        assert landmarker.name == "openvino"
