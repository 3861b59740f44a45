"""The preview window: never where there is no display, and the picture itself stays untouched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.media import gradient

from mien.engine.types import MienError
from mien.streams.opencv import windows_would_hang
from mien.streams.preview import PreviewSink, check_display, draw_overlay
from mien.streams.virtual_camera import virtual_camera_status

ROOT = Path(__file__).resolve().parents[2]


def test_no_display_is_a_line_and_no_abort() -> None:
    """In a process of its own: what goes wrong here ends the process."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    code = textwrap.dedent("""
        from mien.engine.types import MienError
        from mien.streams.preview import PreviewSink
        try:
            PreviewSink()
        except MienError as error:
            print(error)
    """)
    if not sys.platform.startswith("linux"):
        pytest.skip("displays are named in the environment on Linux only")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "Use --output FILE" in done.stdout


def test_which_environments_have_a_display() -> None:
    check_display("linux", {"DISPLAY": ":0"})
    check_display("linux", {"WAYLAND_DISPLAY": "wayland-0"})
    check_display("win32", {})
    check_display("darwin", {})
    for environment in ({}, {"DISPLAY": ""}):
        with pytest.raises(MienError, match="no display"):
            check_display("linux", environment)


def test_a_headless_opencv_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("The function is not implemented. Rebuild the library with ... GTK+")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("mien.streams.preview.windows_would_hang", lambda: False)
    monkeypatch.setattr(cv2, "namedWindow", refuse)
    with pytest.raises(MienError, match="opencv-contrib-python") as caught:
        PreviewSink()
    assert "\n" not in str(caught.value)


class Window:
    """Stands in for cv2's windows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key = -1
        self.visible = 1.0
        self.shown: list[np.ndarray] = []
        self.destroyed = 0
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr("mien.streams.preview.windows_would_hang", lambda: False)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.shown.append(np.array(image)))
        monkeypatch.setattr(cv2, "waitKey", lambda _: self.key)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: self.visible)
        monkeypatch.setattr(cv2, "destroyWindow", lambda _: setattr(self, "destroyed", self.destroyed + 1))


def test_keys_mirror_and_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(monkeypatch)
    image = gradient()
    sink = PreviewSink(mirror=True)
    assert sink.show(image) is None
    assert (window.shown[0] == image[:, ::-1, ::-1]).all()  # mirrored, and BGR as OpenCV shows it
    window.key = ord("q")
    assert sink.show(image) == ord("q")
    assert (image == gradient()).all()
    window.key, window.visible = -1, 0.0
    assert sink.show(image) is None
    assert sink.closed
    sink.show(image)
    assert len(window.shown) == 3
    sink.close()
    assert window.destroyed == 0  # the user did that


def test_qt_refuses_questions_about_a_closed_window(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> float:
        raise cv2.error("NULL guiReceiver (please create a window)")

    Window(monkeypatch)
    sink = PreviewSink()
    sink.show(gradient())
    assert not sink.closed
    monkeypatch.setattr(cv2, "getWindowProperty", refuse)
    sink.show(gradient())
    assert sink.closed


def test_help_and_status_are_drawn_over_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(monkeypatch)
    image = gradient(0, 320, 240)
    with PreviewSink(help_lines=["q  quit", "m  mirror"]) as sink:
        for window.key in (ord("?"), ord("?"), -1):
            sink.show(image)
        sink.status = "30 fps"
        sink.show(image)
    plain = image[..., ::-1]
    changed = [np.argwhere((shown != plain).any(-1)) for shown in window.shown]
    assert [len(c) > 0 for c in changed] == [False, True, False, True]
    assert changed[1][:, 0].max() < 60  # help stands at the top
    assert changed[3][:, 0].min() > 200  # the status at the bottom
    assert (image == gradient(0, 320, 240)).all()
    assert window.destroyed == 1


def test_overlay_text_is_not_mirrored() -> None:
    black = np.zeros((100, 400, 3), np.uint8)
    straight = draw_overlay(black, status="F")
    assert (draw_overlay(black, mirror=True, status="F") == straight).all()
    assert np.argwhere(straight.any(-1))[:, 1].max() < 100


def test_pyav_before_opencv_is_a_line_and_no_freeze() -> None:
    assert windows_would_hang(["os", "av", "cv2"], "linux")
    assert windows_would_hang(["os", "av"], "linux")
    assert not windows_would_hang(["cv2", "av"], "linux")
    assert not windows_would_hang(["os"], "linux")
    assert not windows_would_hang(["av", "cv2"], "darwin")
    code = textwrap.dedent("""
        import av
        from mien.engine.types import MienError
        from mien.streams.preview import PreviewSink
        try:
            PreviewSink()
        except MienError as error:
            print(error)
    """)
    if sys.platform.startswith("linux"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "DISPLAY": ":0"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            encoding="utf-8",
        )
        assert "PyAV was imported before OpenCV" in done.stdout, done.stderr


def test_files_import_opencv_before_pyav() -> None:
    """The order that keeps windows alive, from every module of the room."""
    files = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "streams").rglob("*.py"))
    modules = sorted(".".join(file.parts) for file in files if "webrtc" not in file.parts)
    code = textwrap.dedent("""
        import importlib, sys
        importlib.import_module("mien." + sys.argv[1])
        names = list(sys.modules)
        assert "av" not in names or names.index("cv2") < names.index("av"), names
        print("av" in names)
    """)

    def tried(module: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, module]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, encoding="utf-8"
        )

    users = set()
    with ThreadPoolExecutor(2) as pool:
        for module, done in zip(modules, pool.map(tried, modules), strict=True):
            assert done.returncode == 0, (module, done.stderr)
            users |= {module} if done.stdout == "True\n" else set()
    assert {"streams.video.reader", "streams.network_source", "streams.video.colour"} <= users


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_a_real_window() -> None:
    """Opens, shows, and closes in a virtual display, in a process of its own."""
    code = textwrap.dedent("""
        from fakes.media import gradient
        from mien.streams.preview import PreviewSink
        with PreviewSink(help_lines=["q  quit"]) as sink:
            sink.status = "30 fps"
            for i in range(20):
                sink.show(gradient(i, 320, 240))
            assert not sink.closed
        assert sink.closed
        print("shown")
    """)
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    try:
        display = os.read(read, 16).decode().strip()
        environment = {**os.environ, "DISPLAY": f":{display}", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            encoding="utf-8",
        )
        assert done.stdout == "shown\n", done.stderr
    finally:
        server.terminate()
        server.wait(10)
        os.close(read)
        os.close(write)


def test_virtual_camera_states(tmp_path: Path) -> None:
    present, text = virtual_camera_status(system="linux", sys_root=tmp_path, has_package=False)
    assert not present and "pip install 'mien[camera]'" in text
    present, text = virtual_camera_status(system="linux", sys_root=tmp_path, has_package=True)
    assert not present and "modprobe v4l2loopback" in text
    webcam = tmp_path / "class/video4linux/video0"
    webcam.mkdir(parents=True)
    (webcam / "name").write_text("HD Webcam\n", encoding="utf-8")
    assert not virtual_camera_status(system="linux", sys_root=tmp_path, has_package=True)[0]
    loopback = tmp_path / "devices/virtual/video4linux/video7"
    loopback.mkdir(parents=True)
    (loopback / "name").write_text("Mien\n", encoding="utf-8")
    present, text = virtual_camera_status(system="linux", sys_root=tmp_path, has_package=True)
    assert present and "/dev/video7 (Mien)" in text
    assert "winget" in virtual_camera_status(system="win32", has_package=True)[1]
    assert "brew" in virtual_camera_status(system="darwin", has_package=True)[1]


def test_importing_streams_is_light() -> None:
    code = textwrap.dedent("""
        import sys, streams, mien.streams.source, mien.streams.sink
        print(sorted({"cv2", "av", "PIL", "torch"} & set(sys.modules)))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout == "[]\n"
