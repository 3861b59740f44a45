"""The shared renderer passes ready frames to a GPU in one call, to other runtimes one by one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from fakes.cuda import FakeCuda
from fakes.tensorrt import FakeTensorRt

from mien.engine.avatar import Avatar
from mien.engine.landmarks import make_landmarker
from mien.engine.motion import Motion
from mien.engine.motion.recording import load_recording
from mien.engine.runtime import ENCODER, RENDERER, Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing
from mien.engine.runtime.tensorrt.parts import live_parts
from mien.engine.runtime.tensorrt.runtime import LiveEngines, TensorRtRuntime
from mien.engine.session.driver_session import Driven
from mien.engine.session.renderer import Renderer
from mien.engine.session.shared_renderer import SharedRenderer
from mien.engine.types import Frame, Image, Rendered
from mien.engine.utils.assets import ASSETS

SIDE = 64


@pytest.fixture(scope="module")
def motions() -> list[Motion]:
    found = [motion for motion in load_recording(ASSETS / "demo-motion.npz") if motion is not None]
    return [found[len(found) // 3], found[len(found) // 2]]


def gpu_runtime(cuda: FakeCuda) -> TensorRtRuntime:
    cuda.attach()
    backend = FakeTensorRt(cuda)
    parts = live_parts(ENCODER.read_bytes(), RENDERER.read_bytes(), "fp16", 2)
    loaded = {name: backend.load(backend.build(part.onnx, part.profile)) for name, part in parts.items()}
    return TensorRtRuntime(LiveEngines(**loaded, code=parts["encoder"].outputs, batch=2), cuda)


class Room:
    """A shared renderer with two drivers, whose motions arrive at once."""

    def __init__(self, shared: SharedRenderer, avatar: Avatar) -> None:
        self.shared = shared
        self.seen: list[list[Rendered]] = [[], []]
        self.sessions = [shared.open(avatar, images.append) for images in self.seen]

    def round(self, motions: Sequence[Motion], index: int) -> list[Image]:
        """Both pictures, rendered in one round."""
        held, go = threading.Event(), threading.Event()
        self.shared.call(lambda: (held.set(), go.wait(30)))
        assert held.wait(30)
        blank = np.zeros((8, 8, 3), np.uint8)
        for number, (session, motion) in enumerate(zip(self.sessions, motions, strict=True)):
            # The first driver's frame is older and therefore first in the batch.
            self.shared.submit(Driven(session, Frame(blank, index, number, index / 30), motion, 1.0))
        go.set()
        self.shared.call(lambda: None).result(60)  # the round has begun ...
        self.shared.call(lambda: None).result(60)  # ... and is over
        assert [len(images) for images in self.seen] == [index + 1] * 2
        return [images[index].image for images in self.seen]


def alone(avatar: Avatar, runtime: Runtime, motions: Sequence[Motion]) -> list[Image]:
    renderer = Renderer(avatar, runtime, SIDE)
    return [renderer.render(motion).image for motion in motions]


def test_two_drivers_share_one_execution_of_the_network(
    avatar: Avatar, whole_runtime: Runtime, motions: list[Motion]
) -> None:
    cuda = FakeCuda()
    gpu = gpu_runtime(cuda)
    wanted = alone(avatar, whole_runtime, motions)
    assert np.abs(wanted[0].astype(int) - wanted[1]).max() > 10  # two motions that can be told apart
    with SharedRenderer(gpu, make_landmarker, crop=SIDE) as shared:
        room = Room(shared, avatar)
        for index in range(3):  # directly, recorded, replayed
            before = cuda.calls.copy()
            for found, right in zip(room.round(motions, index), wanted, strict=True):
                assert np.abs(found.astype(int) - right).max() <= 8
        calls = cuda.calls - before
        assert shared.rounds == 3
        assert {"track", "render", "carry", "model"} <= set(room.seen[0][0].stage_ms)
    assert calls["launch"] == 3  # one network, two images
    assert calls["upload"] == 7  # the moving inputs of both at once; mesh and mouth of each
    assert calls["synchronise"] == 1
    assert "network, batch 2, slot 0" in gpu.graphs
    assert "network, batch 1, slot 0" not in gpu.graphs
    gpu.close()
    assert cuda.open_handles() == 0


def test_a_runtime_with_batch_1_draws_each_frame_by_itself(
    avatar: Avatar, runtime: Runtime, motions: list[Motion]
) -> None:
    assert runtime.batch == 1
    with SharedRenderer(runtime, make_landmarker, crop=SIDE) as shared:
        found = Room(shared, avatar).round(motions, 0)
        assert shared.rounds == 1
    for image, wanted in zip(found, alone(avatar, runtime, motions), strict=True):
        np.testing.assert_array_equal(image, wanted)


class Refusing(BatchRuntime):
    """Draws nothing if its input contains a spoiled motion."""

    name = "refusing"
    batch = 8

    def __init__(self, spoilt: float) -> None:
        self._spoilt = spoilt
        self.asked: list[int] = []

    encode = render = None  # type: ignore[assignment]

    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        self.asked.append(len(drawings))
        if any(float(drawing.driving_points[0, 0]) == self._spoilt for drawing in drawings):
            raise ValueError("not a motion")
        return [np.full((SIDE, SIDE, 3), 7, np.uint8) for _ in drawings]


def test_one_drivers_bad_motion_costs_the_others_nothing(avatar: Avatar, motions: list[Motion]) -> None:
    spoilt = Renderer(avatar, Refusing(0), SIDE).plan(motions[0]).drawing.driving_points[0, 0]
    refusing = Refusing(float(spoilt))
    with SharedRenderer(refusing, make_landmarker, crop=SIDE) as shared:
        room = Room(shared, avatar)
        with pytest.raises(AssertionError):
            room.round(motions, 0)
    assert refusing.asked == [2, 1, 1]
    assert [len(images) for images in room.seen] == [0, 1]
