"""Camera device through OpenCV: opening, settings, and the message when it refuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from mien.engine.types import Image
from mien.streams.opencv import load_cv2

DEFAULT_SIZE = (640, 480)
DEFAULT_FPS = 30.0


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that is used here."""

    def isOpened(self) -> bool: ...
    def set(self, prop: int, value: float) -> bool: ...
    def get(self, prop: int) -> float: ...
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, Any]: ...
    def release(self) -> None: ...


OpenCapture = Callable[[int | str, int], Capture]


def camera_name(camera: int | str) -> str:
    """What messages call a camera."""
    return f"Camera {camera}"


def opencv_capture() -> OpenCapture:
    """``cv2.VideoCapture``, imported late."""
    return cast(OpenCapture, load_cv2().VideoCapture)


def _backends(system: str) -> tuple[int, ...]:
    """OpenCV's capture backends worth trying on this system, best first."""
    import cv2

    if system.startswith("linux"):
        return (cv2.CAP_V4L2,)
    if system == "win32":
        # MSMF can take ten seconds and more to open a camera; DirectShow opens at once and also sees the
        # virtual cameras of OBS.
        return (cv2.CAP_DSHOW, cv2.CAP_MSMF)
    if system == "darwin":
        return (cv2.CAP_AVFOUNDATION,)
    return (cv2.CAP_ANY,)


def open_device(camera: int | str, open_capture: OpenCapture) -> Capture | None:
    """The device opened by the first backend that can, else None."""
    with quiet_opencv():
        for backend in _backends(sys.platform):
            device = open_capture(camera, backend)
            if device.isOpened():
                return device
            device.release()
    return None


def configure(device: Capture, width: int | None, height: int | None, fps: float | None) -> None:
    """Ask for a size in pixels and a rate in frames per second; the camera gives what it likes."""
    import cv2

    # Uncompressed YUYV fills USB 2 above 640x480 at 30: most cameras drop to 5-10 fps. MJPG does not.
    # The format goes first: on V4L2 the sizes on offer depend on it. macOS ignores it.
    device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    device.set(cv2.CAP_PROP_FRAME_WIDTH, width or DEFAULT_SIZE[0])
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, height or DEFAULT_SIZE[1])
    device.set(cv2.CAP_PROP_FPS, fps or DEFAULT_FPS)
    # V4L2 queues four frames by default: up to 133 ms of age at 30 fps. Other backends ignore this.
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def to_rgb(image: Any) -> Image:
    """``(H, W, 3) uint8`` RGB of what OpenCV gives."""
    import cv2

    # Infrared cameras give one channel.
    grey = image.ndim == 2 or image.shape[2] == 1
    rgb: Image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if grey else cv2.COLOR_BGR2RGB)
    return rgb


def refusal(camera: int | str, system: str = sys.platform) -> str:
    """Why a camera could not be opened and what to do, as far as this system lets one see.

    Args:
        camera: number or device path.
        system: ``sys.platform``.
    """
    name = camera_name(camera)
    if system.startswith("linux"):
        node = Path(f"/dev/video{camera}" if isinstance(camera, int) else camera)
        if not node.exists():
            return (
                f"{name} does not exist ({node} is missing). Plug one in, or see `v4l2-ctl --list-devices`."
            )
        if not os.access(node, os.R_OK | os.W_OK):
            return (
                f"No permission to use {name} ({node}). Run `sudo usermod -aG video $USER` and log in again."
            )
    return f"{name} cannot be opened. {busy_remedy(system)}"


def busy_remedy(system: str) -> str:
    """What to do about a camera that is there but does not work."""
    if system == "win32":
        return (
            "Close other programs that use it, and allow desktop apps in "
            "Settings > Privacy & security > Camera."
        )
    if system == "darwin":
        return (
            "Close other programs that use it, and allow your terminal in "
            "System Settings > Privacy & Security > Camera."
        )
    return "It is in use by another program or no capture device; `fuser -v /dev/video*` shows who has it."


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own warnings off the terminal while a camera is tried."""
    import cv2

    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)
