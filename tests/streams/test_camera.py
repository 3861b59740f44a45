"""Cameras, with a fake device and real threads."""

from __future__ import annotations

import os
import sys
import time
from itertools import islice
from pathlib import Path

import cv2
import pytest
from fakes.camera import FakeCamera

from mien.engine.types import MienError
from mien.streams.camera.device import refusal
from mien.streams.camera.source import CameraInfo, CameraSource, list_cameras, measure_camera
from mien.streams.factory import is_camera, is_network_address


def test_frames_are_rgb_numbered_and_stamped() -> None:
    before = time.monotonic_ns()
    with CameraSource(0, open_capture=FakeCamera()) as source:
        frames = list(islice(source, 10))
    assert frames[0].image.shape == (24, 32, 3)
    assert frames[0].image[0, 0, 1:].tolist() == [100, 200]
    indices = [f.index for f in frames]
    assert indices == sorted(set(indices))
    assert all(before < f.captured_ns < time.monotonic_ns() for f in frames)
    assert frames[0].time == 0
    for frame in frames:
        assert frame.time == pytest.approx((frame.captured_ns - frames[0].captured_ns) / 1e9)
        # The picture's red is the device's own count: number and picture belong together.
        assert frame.image[0, 0, 0] == frame.index + 1


def test_a_slow_reader_gets_the_newest_frame_and_the_drops_are_counted() -> None:
    with CameraSource(0, open_capture=FakeCamera(fps=200)) as source:
        ages, last = [], -1
        for frame in islice(source, 6):
            ages.append(time.monotonic_ns() - frame.captured_ns)
            last = frame.index
            time.sleep(0.1)
        dropped = source.dropped
    # Without the one-slot link the sixth frame would be half a second old.
    assert sorted(ages)[3] < 50e6
    assert last > 30
    # Dropped so far: all before the last one taken but the five others, plus what was overwritten since.
    assert dropped >= last - 5


def test_the_wishes_go_to_the_device_in_the_order_that_works() -> None:
    camera = FakeCamera()
    with CameraSource(0, width=1280, height=720, fps=60, open_capture=camera) as source:
        assert source.info.live
    properties = [p for p, _ in camera.wishes]
    assert properties.index(cv2.CAP_PROP_FOURCC) < properties.index(cv2.CAP_PROP_FRAME_WIDTH)
    assert dict(camera.wishes) == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FPS: 60,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }


@pytest.mark.parametrize(("told", "wished", "expected"), [(60, None, 60), (0, None, 30), (180_000, 15, 15)])
def test_info_tells_what_the_camera_gives(told: float, wished: float | None, expected: float) -> None:
    camera = FakeCamera(size=(40, 30), told_fps=told)
    with CameraSource(3, fps=wished, open_capture=camera) as source:
        info = source.info
    assert (info.width, info.height, info.fps, info.frames) == (40, 30, expected, None)
    assert info.name == "Camera 3"


def test_an_infrared_camera_gives_grey() -> None:
    with CameraSource(0, open_capture=FakeCamera(grey=True)) as source:
        assert next(iter(source)).image[0, 0].tolist() == [200, 200, 200]


def test_the_device_is_used_and_freed_by_one_thread() -> None:
    camera = FakeCamera()
    with CameraSource(0, open_capture=camera) as source:
        next(iter(source))
    assert camera.released == 1
    assert len(camera.threads) == 1
    source.close()
    assert camera.released == 1
    assert list(source) == []


def test_unplugging_ends_the_iteration_once_with_a_line() -> None:
    camera = FakeCamera()
    with CameraSource(0, timeout=0.3, open_capture=camera) as source:
        frames = iter(source)
        next(frames)
        camera.unplugged.set()
        start = time.monotonic()
        with pytest.raises(
            MienError, match=r"Camera 0 stopped delivering frames \(0.3 s without one\)"
        ) as caught:
            list(frames)
        assert 0.25 < time.monotonic() - start < 1.5
        assert next(frames, None) is None
    assert "\n" not in str(caught.value)
    # It fails at once when unplugged: trying again must not burn a core.
    assert camera.failures < 100
    assert camera.released == 1


def test_a_driver_that_hangs_holds_up_neither_the_error_nor_the_end() -> None:
    camera = FakeCamera()
    source = CameraSource(0, timeout=0.3, open_capture=camera)
    frames = iter(source)
    next(frames)
    camera.stalled.set()
    start = time.monotonic()
    with pytest.raises(MienError, match="stopped delivering"):
        list(frames)
    source.close()
    assert time.monotonic() - start < 2
    assert camera.released == 0  # never while a read is going on
    camera.resumed.set()
    source._thread.join(2)
    assert camera.released == 1


def test_closing_wakes_a_waiting_reader() -> None:
    import threading

    camera = FakeCamera()
    source = CameraSource(0, timeout=30, open_capture=camera)
    frames = iter(source)
    next(frames)
    camera.unplugged.set()
    time.sleep(0.1)
    threading.Timer(0.1, source.close).start()
    start = time.monotonic()
    list(frames)
    assert time.monotonic() - start < 2


def test_a_crash_in_the_driver_becomes_a_line() -> None:
    camera = FakeCamera()
    with CameraSource(0, open_capture=camera) as source:
        frames = iter(source)
        next(frames)
        camera.crash = cv2.error("ioctl failed")
        with pytest.raises(MienError, match="Camera 0 failed"):
            list(frames)
    assert camera.released == 1


def test_a_camera_that_opens_but_sends_nothing() -> None:
    camera = FakeCamera()
    camera.unplugged.set()
    with pytest.raises(MienError, match="opens but sends no frame"):
        CameraSource(0, first_timeout=0.2, open_capture=camera)
    assert camera.released == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files")
def test_missing_busy_and_forbidden_on_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def line(path: Path) -> str:
        camera = FakeCamera(opens=False)
        with pytest.raises(MienError) as caught:
            CameraSource(str(path), open_capture=camera)
        assert camera.released == 1
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "does not exist" in line(tmp_path / "video7")
    node = tmp_path / "video0"
    node.write_bytes(b"")
    assert "in use by another program" in line(node)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "usermod -aG video" in line(node)


def test_the_remedy_fits_the_system() -> None:
    assert "Settings > Privacy & security > Camera" in refusal(0, "win32")
    assert "System Settings > Privacy & Security > Camera" in refusal(0, "darwin")
    assert "/dev/video99 is missing" in refusal(99, "linux")


@pytest.mark.parametrize(
    ("system", "backends"),
    [
        ("linux", [cv2.CAP_V4L2]),
        ("win32", [cv2.CAP_DSHOW, cv2.CAP_MSMF]),
        ("darwin", [cv2.CAP_AVFOUNDATION]),
        ("freebsd14", [cv2.CAP_ANY]),
    ],
)
def test_backends(monkeypatch: pytest.MonkeyPatch, system: str, backends: list[int]) -> None:
    monkeypatch.setattr(sys, "platform", system)
    camera = FakeCamera(opens=False)
    with pytest.raises(MienError):
        CameraSource(5, open_capture=camera)
    assert camera.opened_with == [(5, b) for b in backends]


def test_measuring_counts_also_what_nobody_looked_at() -> None:
    rate = measure_camera(0, 0.5, open_capture=FakeCamera(fps=50))
    assert (rate.width, rate.height) == (32, 24)
    assert 35 < rate.fps <= 50.5


def fake_sys(root: Path, names: dict[str, str]) -> Path:
    for node, name in names.items():
        (root / node).mkdir(parents=True)
        (root / node / "name").write_text(name + "\n", encoding="utf-8")
    return root


def test_listing_on_linux(tmp_path: Path) -> None:
    root = fake_sys(
        tmp_path, {"video10": "Virtual", "video2": "HD Webcam", "video3": "HD Webcam", "video0": "Codec"}
    )
    sizes = {"/dev/video10": (1280, 720), "/dev/video2": (640, 480)}
    assert list_cameras(system="linux", sys_root=root, query=lambda p: sizes.get(str(p))) == [
        CameraInfo(2, "HD Webcam", "/dev/video2", 640, 480),
        CameraInfo(10, "Virtual", "/dev/video10", 1280, 720),
    ]
    assert list_cameras(system="linux", sys_root=tmp_path / "none") == []


def test_listing_elsewhere_tries_ten_numbers() -> None:
    camera = FakeCamera()
    found = list_cameras(system="darwin", open_capture=camera)
    assert [c.index for c in found] == list(range(10))
    assert camera.released == 10
    assert list_cameras(system="win32", open_capture=FakeCamera(opens=False)) == []


def test_what_the_words_mean() -> None:
    assert (
        is_camera("0") and is_camera("12") and is_camera("/dev/video2") and is_camera("/dev/v4l/by-id/usb-1")
    )
    assert not is_camera("0.mp4") and not is_camera("clip.mp4") and not is_camera("/dev/null")
    assert is_network_address("rtsp://cam/1") and is_network_address("HTTPS://host/a.m3u8")
    assert not is_network_address("C:\\clips\\a.mp4") and not is_network_address("file.mp4")
