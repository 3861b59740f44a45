"""Faults of cameras, sinks, faces and clocks in a live run; fake devices, real threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.drivers import BLACK, talking
from fakes.face_camera import FaceCamera
from fakes.virtual_camera import FakeBackend, plugged

from mien.cli.live.reference import OFFER, Calibration
from mien.engine.avatar import Avatar
from mien.engine.runtime import Runtime
from mien.engine.session.live_pipeline import LivePipeline, Shown, SteadyClock
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Frame, Image, MienError
from mien.engine.utils.links import Policy
from mien.streams.camera.source import CameraSource
from mien.streams.virtual_camera import VirtualCameraSink


@pytest.fixture(scope="module")
def frames(carphone: Path) -> list[np.ndarray]:
    return talking(carphone, 12)


@pytest.fixture
def camera(frames: list[np.ndarray]) -> FaceCamera:
    return FaceCamera(images=frames)


@pytest.fixture
def session(avatar: Avatar, runtime: Runtime) -> Iterator[Session]:
    with Tracker(TrackerSettings(live=True)) as tracker:
        yield Session(tracker, Renderer(avatar, runtime))


class Shots:
    """The results with their times."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, Shown]] = []

    def __call__(self, shown: Shown) -> None:
        self.taken.append((time.monotonic(), shown))

    def wait(self, count: int, seconds: float = 60.0) -> None:
        """Wait for ``count`` more."""
        goal, end = len(self.taken) + count, time.monotonic() + seconds
        while len(self.taken) < goal:
            assert time.monotonic() < end, f"only {len(self.taken)} of {goal} frames came"
            time.sleep(0.005)


def run(source: CameraSource, session: Session, **more: object) -> tuple[LivePipeline, Shots]:
    live, shots = LivePipeline(source, session, stop=source.close, **more), Shots()  # type: ignore[arg-type]
    live.send("shots", shots)
    return live, shots


def test_a_slow_camera_is_followed_without_delay(camera: FaceCamera, session: Session) -> None:
    camera.fps = 5.0
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        with live:
            shots.wait(8)
            assert live.dropped == 0
        delays = [at - shown.rendered.captured_ns / 1e9 for at, shown in shots.taken[2:]]
    assert float(np.median(delays)) < 0.2, "a frame is shown before the next one is taken"


def test_a_change_of_size_keeps_reference_and_avatar_in_place(
    camera: FaceCamera, session: Session, frames: list[np.ndarray]
) -> None:
    still = frames[0]
    camera.images = [still]
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        with live:
            shots.wait(5)
            tracker = session.tracker
            assert tracker is not None
            reference, before = tracker.reference, shots.taken[-1][1].rendered.image
            camera.images = [cv2.resize(still, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)]
            shots.wait(15)
            assert tracker.reference is reference
        after = shots.taken[-1][1]
    assert after.face is not None and after.frame.image.shape == still.shape
    assert np.abs(before.astype(int) - after.rendered.image).mean() < 2.0, "the avatar does not jump"


def test_a_stall_of_three_seconds_is_survived(camera: FaceCamera, session: Session) -> None:
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        with live:
            shots.wait(5)
            reference = session.tracker.reference  # type: ignore[union-attr]
            camera.stalled.set()
            time.sleep(3.0)
            assert source.silent_s > 2.0 and live.running
            camera.stalled.clear()
            camera.resumed.set()
            shots.wait(5)
            assert source.silent_s < 2.0
            assert session.tracker.reference is reference  # type: ignore[union-attr]


def test_an_unplugged_camera_comes_back_and_the_reference_stays(camera: FaceCamera, session: Session) -> None:
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        with live:
            shots.wait(5)
            reference = session.tracker.reference  # type: ignore[union-attr]
            camera.unplugged.set()
            time.sleep(1.5)
            assert live.running, "the pipeline waits for it"
            seen = len(shots.taken)
            camera.unplugged.clear()
            shots.wait(5)
            assert len(camera.opened_with) >= 2 and len(shots.taken) >= seen + 5
            assert session.tracker.reference is reference  # type: ignore[union-attr]
    assert not camera.held, "freed at the end"


@pytest.fixture
def backend() -> Iterator[type[FakeBackend]]:
    with plugged() as found:
        yield found


def test_a_lost_virtual_camera_is_reported_and_used_again_when_it_is_back(
    camera: FaceCamera, session: Session, backend: type[FakeBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.streams.virtual_camera.RETRY_S", 0.2)
    told: list[str] = []
    sink = VirtualCameraSink(width=512, height=512, fps=30, backend="fake", tell=told.append)
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        stage = live.send(
            "virtual camera", lambda shown: sink.write(shown.rendered.image, 0.0), required=False
        )
        with live:
            shots.wait(5)
            backend.away = True
            shots.wait(15)
            assert sink.lost and any("is gone" in line for line in told)
            backend.away = False
            sent = len(backend.sent)
            shots.wait(30)
            assert not sink.lost and len(backend.sent) > sent and any("is back" in line for line in told)
            assert stage.fault is None
    sink.close()


def test_a_sink_that_blocks_for_two_seconds_slows_nobody(camera: FaceCamera, session: Session) -> None:
    blocked = threading.Event()

    def block(_: Shown) -> None:
        blocked.set()
        time.sleep(2.0)

    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        live.send("slow", block, policy=Policy.NEWEST)
        with live:
            assert blocked.wait(60)
            shots.wait(25)
        times = [at for at, _ in shots.taken]
    assert max(b - a for a, b in pairwise(times[1:])) < 1.0


def test_a_sink_that_fails_alone_leaves_the_others_running(camera: FaceCamera, session: Session) -> None:
    faults: list[str] = []

    def fail(_: Shown) -> None:
        raise MienError("no longer there")

    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(
            source, session, on_fault=lambda stage: faults.append(f"{stage.name}: {stage.fault}")
        )
        live.send("virtual camera", fail, required=False)
        with live:
            shots.wait(10)
    assert faults == ["virtual camera: no longer there"]


def test_another_person_is_offered_a_new_reference_without_force(
    camera: FaceCamera, session: Session, astronaut: Image, frames: list[np.ndarray]
) -> None:
    told: list[str] = []
    tracker = session.tracker
    assert tracker is not None
    calibration = Calibration(tracker, told.append)
    calibration.hold()
    other = cv2.resize(astronaut[0:288, 60:412], (frames[0].shape[1], frames[0].shape[0]))
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session, watch=calibration.watch)
        with live:
            shots.wait(5)
            reference = tracker.reference
            camera.images = [BLACK]
            shots.wait(30)
            assert shots.taken[-1][1].lost
            camera.images = [other]
            shots.wait(40)
            assert OFFER in told and tracker.reference is reference
            shown = shots.taken[-1][1]
            assert shown.face is not None
            face = shown.face
            live.track_stage.tell(lambda: calibration.set(shown.frame.image, face))
            shots.wait(5)
            assert tracker.reference is not reference


def test_the_same_person_coming_back_is_offered_nothing(camera: FaceCamera, session: Session) -> None:
    told: list[str] = []
    tracker = session.tracker
    assert tracker is not None
    calibration = Calibration(tracker, told.append)
    calibration.hold()
    images = camera.images
    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session, watch=calibration.watch)
        with live:
            shots.wait(5)
            camera.images = [BLACK]
            shots.wait(30)
            camera.images = images
            shots.wait(40)
    assert told == []


def test_a_clock_that_goes_backwards_does_not_stop_the_motion(
    session: Session, frames: list[np.ndarray]
) -> None:
    def set_back() -> Iterator[Frame]:
        for number in range(40):
            moment = number / 30 if number < 20 else number / 30 - 100.0
            yield Frame(frames[number % 12], number, time.monotonic_ns(), moment)

    live, shots = LivePipeline(set_back(), session, policy=Policy.WAIT), Shots()
    live.send("shots", shots)
    live.start()
    assert live.wait(120)
    times = [shown.rendered.time for _, shown in shots.taken]
    assert len(times) == 40 and all(b > a for a, b in pairwise(times))
    assert times[-1] < 2.0


def test_the_clock_keeps_going_at_its_own_pace() -> None:
    clock = SteadyClock()
    frame = Frame(BLACK, 0, 0, 0.0)
    given = [0.0, 0.1, 0.2, 0.1, 0.2, 5.0, 5.0]
    steady = [clock.steady(replace(frame, time=moment)).time for moment in given]
    assert steady[:5] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert all(b > a for a, b in pairwise(steady))


def test_the_avatar_changes_without_a_gap(
    camera: FaceCamera,
    session: Session,
    avatar: Avatar,
    astronaut: Image,
    landmarker: object,
    runtime: Runtime,
) -> None:
    ready: list[Avatar] = []

    def prepare() -> None:
        ready.append(Avatar.of(np.ascontiguousarray(astronaut[:, ::-1]), landmarker, runtime))  # type: ignore[arg-type]

    def change(live: LivePipeline, shots: Shots) -> tuple[float, float]:
        """The longest gap while nothing else happens, and while an avatar is prepared and set."""
        begun = len(shots.taken)
        shots.wait(15)
        usual, start = max(gaps(shots, begun + 5)), len(shots.taken)
        worker = threading.Thread(target=prepare)
        worker.start()
        while worker.is_alive():
            shots.wait(1)
        live.set_avatar(ready[-1])
        shots.wait(10)
        return usual, max(gaps(shots, start))

    with CameraSource(0, open_capture=camera) as source:
        live, shots = run(source, session)
        with live:
            # Setting it takes the renderer 0.15 s on an idle machine and more beside other programs, but not
            # every time; the benchmark measures the target itself.
            assert any(during < 0.1 + 4 * usual for usual, during in (change(live, shots) for _ in range(3)))
            assert session.renderer.avatar is ready[-1]


def gaps(shots: Shots, start: int) -> list[float]:
    return [b - a for (a, _), (b, _) in pairwise(shots.taken[start:])]


def test_a_driver_at_rest_costs_no_rendering_and_movement_continues(
    avatar: Avatar, runtime: Runtime, frames: list[np.ndarray], pipeline_of: Callable[..., list[Shown]]
) -> None:
    with Tracker(TrackerSettings(live=True)) as tracker:
        session = Session(tracker, Renderer(avatar, runtime), skip_still=True)
        shown = pipeline_of(session, [frames[0]] * 30 + [frames[8]] * 5)
    images = [one.rendered.image for one in shown]
    assert session.skipped >= 15
    assert images[28] is images[29], "the same array again"
    assert np.abs(images[29].astype(int) - images[34]).mean() > 0.05, "and motion is drawn"
    assert [one.rendered.index for one in shown] == list(range(35)), "every frame with its own identity"


@pytest.fixture
def pipeline_of() -> Callable[..., list[Shown]]:
    def go(session: Session, images: list[np.ndarray]) -> list[Shown]:
        drawn_frames = [Frame(image, n, time.monotonic_ns(), n / 30) for n, image in enumerate(images)]
        live = LivePipeline(drawn_frames, session, policy=Policy.WAIT)
        output = live.output()
        with live:
            return list(output)

    return go
