"""The live run as a user has it: a real window, real keys, in a process of its own on a virtual display."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fakes.drivers import images_of
from PIL import Image as Pil
from PIL import ImageGrab

import run_live
from mien.engine.types import Image

ROOT = Path(run_live.__file__).parent
PATIENCE = 60.0

pytestmark = [
    pytest.mark.skipif(shutil.which("Xvfb") is None or shutil.which("xdotool") is None, reason="needs Xvfb"),
    pytest.mark.slow,
]


@pytest.fixture
def display() -> Iterator[dict[str, str]]:
    """The environment of a virtual display."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x900x24"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    try:
        number = os.read(read, 16).decode().strip()
        paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
        yield {**os.environ, "DISPLAY": f":{number}", "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    finally:
        server.terminate()
        server.wait(10)
        os.close(read)
        os.close(write)


class User:
    """Someone before the screen.

    Args:
        environment: with the display.
        process: the program.
    """

    def __init__(self, environment: dict[str, str], process: subprocess.Popen[str]) -> None:
        self._environment, self._process = environment, process

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
        )
        return done.stdout

    def wait_for_window(self) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            if found := self._do("search", "--onlyvisible", "--name", "^Mien$").split():
                time.sleep(1.0)
                return found[0]
            time.sleep(0.1)
        raise AssertionError("no window came")

    def press(self, *keys: str) -> None:
        for key in keys:
            self._do("key", key)
            time.sleep(0.7)

    def see(self, window: str) -> Image:
        """What the window shows, RGB."""
        place = dict(
            line.split("=")
            for line in self._do("getwindowgeometry", "--shell", window).split()
            if "=" in line
        )
        screen = np.array(ImageGrab.grab(xdisplay=self._environment["DISPLAY"]).convert("RGB"))
        x, y, width, height = (int(place[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))
        return screen[max(0, y) : y + height, max(0, x) : x + width]

    def see_when(self, window: str, holds: Callable[[Image], bool]) -> Image:
        """What the window shows once ``holds`` is true of it, or when patience ends."""
        end = time.monotonic() + PATIENCE
        while not holds(view := self.see(window)) and time.monotonic() < end:
            time.sleep(0.3)
        return view


@contextmanager
def running(display: dict[str, str], clip: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/fakes/face_camera.py"), str(clip), *words],
        env=display,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


@pytest.fixture
def portraits(tmp_path: Path, astronaut: Image) -> Path:
    folder = tmp_path / "portraits"
    folder.mkdir()
    Pil.fromarray(astronaut).save(folder / "1.png")
    Pil.fromarray(255 - astronaut[..., ::-1]).convert("L").save(folder / "2.png")
    Pil.fromarray(astronaut).convert("L").save(folder / "3.png")
    return folder


def test_window_keys_and_recording(
    display: dict[str, str], carphone: Path, portraits: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mkv"
    with running(display, carphone, "--avatars", str(portraits), "--output", str(out)) as process:
        user = User(display, process)
        window = user.wait_for_window()
        # The window is there before the first image is.
        colourful = user.see_when(window, lambda view: saturation(view) > 20)
        user.press("c", "question")
        helped = user.see(window)
        user.press("question", "x", "f", "m", "3")
        time.sleep(2.0)
        grey = user.see_when(window, lambda view: saturation(view) < 5)
        user.press("Escape")
        said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "live from Camera 0" in said and "track + render" in said
    assert colourful.shape[0] >= 300 and saturation(colourful) > 20
    # The keys' text is white over the image's upper part.
    white = [int((view[: view.shape[0] // 3] == 255).all(axis=2).sum()) for view in (colourful, helped)]
    assert white[1] > white[0] + 500
    assert saturation(grey) < 5, "portrait 3 is the grey one"
    kept = images_of(out)
    assert len(kept) > 5 and saturation(kept[0]) > 20 > 5 > saturation(kept[-1])


def saturation(image: Image) -> float:
    return float((image.max(axis=2).astype(int) - image.min(axis=2)).mean())


def test_ctrl_c_with_the_window_open_keeps_the_recording(
    display: dict[str, str], carphone: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    with running(display, carphone, "--output", str(out)) as process:
        user = User(display, process)
        user.wait_for_window()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert len(images_of(out)) > 0
