"""Virtual camera: a device that video calls can choose."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Image, MienError, SinkError
from mien.engine.utils.images import fit_into
from mien.streams.sink import Sink

RETRY_S = 2.0
"""Seconds between attempts to open a virtual camera that was taken away."""

CHECK_S = 1.0
"""Seconds between looks at whether a Linux device is still there: writing to a lost one fails silently."""

LOOPBACK_NAMES = ("v4l2 loopback", "v4l2loopback", "dummy video device", "virtual", "obs")


def virtual_camera_status(
    *,
    system: str = sys.platform,
    sys_root: Path = Path("/sys"),
    has_package: bool | None = None,
) -> tuple[bool, str]:
    """Whether a virtual camera can be used here, and a line for the user.

    Args:
        system: ``sys.platform``.
        sys_root: where Linux lists its devices; another place in tests.
        has_package: whether pyvirtualcam is there; looked up when None.

    Returns:
        ``(present, text)``; the text names the device, or the command that installs what is missing.
    """
    if has_package is None:
        has_package = importlib.util.find_spec("pyvirtualcam") is not None
    if not has_package:
        return False, "No virtual camera: run `pip install 'mien[camera]'`. " + _driver_hint(system)
    if system.startswith("linux"):
        return _linux(sys_root)
    # Windows and macOS answer only by opening the device.
    return True, f"Virtual camera through OBS. {_driver_hint(system)}"


def _driver_hint(system: str) -> str:
    if system.startswith("linux"):
        return (
            "It also needs the kernel module: `sudo apt install v4l2loopback-dkms` and "
            "`sudo modprobe v4l2loopback exclusive_caps=1 card_label=Mien`."
        )
    if system == "win32":
        return "It needs OBS Studio 28 or newer: `winget install OBSProject.OBSStudio`."
    return "It needs OBS Studio 30 or newer (`brew install --cask obs`), its virtual camera started once."


def _linux(sys_root: Path) -> tuple[bool, str]:
    devices = loopback_devices(sys_root)
    if devices:
        path, name = devices[0]
        return True, f"Virtual camera {path} ({name})."
    return False, "No virtual camera device. " + _driver_hint("linux").replace("It also needs", "It needs")


def loopback_devices(sys_root: Path = Path("/sys")) -> list[tuple[str, str]]:
    """``(device path, name)`` of every v4l2loopback device.

    The module names its devices as their owner likes (``card_label``), so the name alone does not tell;
    but they have no hardware behind them and live under ``devices/virtual``.
    """
    found: dict[str, str] = {}
    for entry in sorted((sys_root / "devices/virtual/video4linux").glob("video*")):
        found[f"/dev/{entry.name}"] = _name(entry)
    for entry in sorted((sys_root / "class/video4linux").glob("video*")):
        name = _name(entry)
        if any(known in name.lower() for known in LOOPBACK_NAMES):
            found.setdefault(f"/dev/{entry.name}", name)
    return list(found.items())


def _name(entry: Path) -> str:
    try:
        return (entry / "name").read_text(errors="replace", encoding="utf-8").strip()
    except OSError:
        return entry.name


class VirtualCameraSink(Sink):
    """A camera that video calls can choose, through pyvirtualcam.

    Frames go out when they are written, without further pacing, each converted once to what the driver
    takes (on Linux planar YUV; elsewhere the driver's own library does it).  A frame of another shape is
    fitted into the camera's.  When the camera is taken away, frames are let go and it is opened again as
    soon as it is back.

    Args:
        width, height: of the camera; rounded down to multiples of 4, which every driver takes.
        fps: told to programs that ask.
        device: ``/dev/video9``, or on Windows and macOS a camera's name; None takes the first.
        backend: of pyvirtualcam; None takes the system's own.
        tell: called with a line when the camera is lost and when it is back.
        wait: begin without the camera where it cannot be opened; it is opened as soon as it can be.

    Attributes:
        device: what was opened, or is to be.
        lost: whether it is away now.
        problem: why it could not be opened when that was last tried, and the remedy; empty while it is there.

    Raises:
        MienError: no pyvirtualcam, no such device, or it is in use; with the remedy.  Not with ``wait``.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        fps: float,
        device: str | None = None,
        backend: str | None = None,
        tell: Callable[[str], None] | None = None,
        wait: bool = False,
    ) -> None:
        self.notes = []
        self.size = width // 4 * 4, height // 4 * 4
        self.lost, self.problem = False, ""
        self._fps, self._wish, self._backend = fps, device, backend
        self._tell = tell
        self._again = 0.0
        self._look = time.monotonic() + CHECK_S
        self._fitted = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        self._planes = np.zeros((self.size[1] * 3 // 2, self.size[0]), np.uint8)
        self._yuv = sys.platform.startswith("linux")
        self._camera: Any = None
        self.device = device or "the virtual camera"
        try:
            self._camera = self._open()
        except SinkError as error:
            if not wait:
                raise
            self.lost, self.problem = True, str(error)
            self._say(self.problem)
        else:
            self.device = self._camera.device

    def _open(self) -> Any:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise SinkError(virtual_camera_status(has_package=False)[1]) from error
        form = pyvirtualcam.PixelFormat.I420 if self._yuv else pyvirtualcam.PixelFormat.RGB
        width, height = self.size
        try:
            return pyvirtualcam.Camera(
                width, height, self._fps, fmt=form, device=self._wish, backend=self._backend
            )
        except KeyError as error:
            raise SinkError(f"pyvirtualcam knows no backend {self._backend!r} on this system.") from error
        except (RuntimeError, ValueError) as error:
            raise SinkError(_refusal(self._wish, error)) from error

    def write(self, image: Image, time: float) -> None:
        """Send a frame; its time does not matter here."""
        if self._camera is None and not self._back():
            return
        fitted = fit_into(image, self.size, self._fitted)
        if self._yuv:
            fitted = np.asarray(cv2.cvtColor(fitted, cv2.COLOR_RGB2YUV_I420, self._planes), np.uint8)
        try:
            if not self._there():
                raise RuntimeError("the device is gone")
            self._camera.send(fitted)
        except (RuntimeError, OSError) as error:
            self._lose(error)

    def _there(self) -> bool:
        now = time.monotonic()
        if now < self._look or not self.device.startswith("/dev/"):
            return True
        self._look = now + CHECK_S
        return Path(self.device).exists()

    def _lose(self, error: Exception) -> None:
        self._close_device()
        self.lost, self._again = True, time.monotonic() + RETRY_S
        reason = _one_line(error)
        self.problem = (
            f"the virtual camera {self.device} is gone ({reason}); it is opened again when it is back"
        )
        self._say(self.problem)

    def _back(self) -> bool:
        if time.monotonic() < self._again:
            return False
        try:
            self._camera = self._open()
        except MienError as error:
            self._again, self.problem = time.monotonic() + RETRY_S, str(error)
            return False
        self.lost, self.problem, self.device = False, "", self._camera.device
        self._say(f"the virtual camera {self.device} is back")
        return True

    def _say(self, text: str) -> None:
        self.notes.append(text)
        # One that comes and goes for days must not grow.
        del self.notes[:-20]
        if self._tell is not None:
            self._tell(text)

    def _close_device(self) -> None:
        camera, self._camera = self._camera, None
        if camera is None:
            return
        try:
            camera.close()
        except Exception as error:
            # Whatever a driver says about a camera that nobody wants any more: frames go to others too.
            # pyvirtualcam keeps it and would try again in its __del__, with a traceback.
            camera._backend = None
            self._say(f"the virtual camera {self.device} did not close ({_one_line(error)})")

    def close(self) -> None:
        """Free the camera; programs that use it see it end."""
        self._close_device()
        self._again = float("inf")

    def abort(self) -> None:
        """Free the camera."""
        self.close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _refusal(device: str | None, error: Exception) -> str:
    """Why a virtual camera did not open, and what to do."""
    reason = _one_line(error)
    present, text = virtual_camera_status(has_package=True)
    if present and device is not None:
        known = ", ".join(path for path, _ in loopback_devices())
        return f"The virtual camera {device} cannot be opened ({reason}). Known here: {known or 'none'}."
    if present:
        return f"No virtual camera could be opened ({reason}). {text}"
    return text
