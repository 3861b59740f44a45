"""Recorded motion while it is taken: on the disk, not in memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.engine.motion import Motion
from mien.engine.motion.motion import Shape
from mien.engine.motion.recorder import Recorder
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.types import SinkError
from mien.engine.utils.assets import DEMO_MOTION


def test_hours_of_motion_need_no_more_memory_than_seconds(tmp_path: Path) -> None:
    motion = Motion.neutral()
    with Recorder(tmp_path) as recorder:
        recorder.add(motion, 0.0)
        tracemalloc.start()
        for index in range(1, 400):
            recorder.add(motion, index / 30)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown / 399 < 500  # bytes a frame; the motion itself has 35 thousand
        assert list(tmp_path.iterdir()) == []  # without a name: a killed run leaves nothing
        recorder.save(tmp_path / "long.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "long.npz"]
    assert len(load_recording(tmp_path / "long.npz")) == 400


def test_what_is_recorded_frame_by_frame_is_what_is_saved_at_once(tmp_path: Path) -> None:
    whole = load_recording(DEMO_MOTION)
    motions = (*whole.motions[:3], None, *whole.motions[3:5])
    times = tuple(0.04 * index for index in range(6))
    save_recording(tmp_path / "at-once.npz", Recording(motions, times, 25.0))
    with Recorder(tmp_path) as recorder:
        for time, motion in zip(times, motions, strict=True):
            recorder.add(motion, 7 + time)  # a clip's own times need not begin at 0
        recorder.save(tmp_path / "one-by-one.npz")
    at_once, one_by_one = (load_recording(tmp_path / f"{name}.npz") for name in ("at-once", "one-by-one"))
    assert one_by_one.fps == pytest.approx(25.0)
    assert one_by_one.times == pytest.approx(at_once.times)
    for found, wanted in zip(one_by_one, at_once, strict=True):
        assert (found is None) == (wanted is None)
        if found is not None and wanted is not None:
            assert (found.dense == wanted.dense).all()
            assert (found.regions == wanted.regions).all()


def test_each_driver_keeps_their_face(tmp_path: Path) -> None:
    motion = next(motion for motion in load_recording(DEMO_MOTION) if motion is not None)
    assert motion.shape is not None
    other = Shape(np.asarray(motion.shape.nodes * 1.1, np.float32), motion.shape.to_layout)
    motions = (motion, replace(motion, shape=other), None, motion)
    save_recording(tmp_path / "two.npz", Recording(motions, (0.0, 0.1, 0.2, 0.3), 10.0))
    first, second, _, last = load_recording(tmp_path / "two.npz")
    assert first is not None
    assert second is not None
    assert last is not None
    assert first.shape is not None
    assert second.shape is not None
    assert last.shape is first.shape
    assert second.shape.nodes == pytest.approx(1.1 * first.shape.nodes)


def test_nothing_recorded_is_a_line(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder, pytest.raises(SinkError, match="No motion was recorded"):
        recorder.save(tmp_path / "none.npz")
