"""List of the cameras of this machine."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien.streams.camera.device import OpenCapture, open_device, opencv_capture, quiet_opencv
from mien.streams.images import natural_key

# <linux/videodev2.h>
VIDIOC_QUERYCAP = 0x80685600
VIDIOC_G_FMT = 0xC0D05604
CAPTURE_SINGLE, CAPTURE_MULTI, HAS_DEVICE_CAPS = 0x1, 0x1000, 0x80000000
BUFFER_CAPTURE, BUFFER_CAPTURE_MULTI = 1, 9
PROBED = 10


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera: number for ``--camera``, its own name, device path, current size (0 when unknown)."""

    index: int
    name: str
    path: str
    width: int
    height: int


Query = Callable[[Path], tuple[int, int] | None]


def list_cameras(
    *,
    system: str = sys.platform,
    sys_root: Path = Path("/sys/class/video4linux"),
    query: Query | None = None,
    open_capture: OpenCapture | None = None,
) -> list[CameraInfo]:
    """The cameras of this machine, without switching one on where the system allows that (Linux).

    Args:
        system: ``sys.platform``.
        sys_root: Linux's list of video devices; another place in tests.
        query: asks a Linux device node for its frame size, None where it does not capture.
        open_capture: stands in for ``cv2.VideoCapture`` in tests.
    """
    if system.startswith("linux"):
        return _from_sys(sys_root, query or capture_size)
    return _probed(open_capture)


def _from_sys(root: Path, query: Query) -> list[CameraInfo]:
    cameras = []
    for entry in sorted(root.glob("video*"), key=natural_key):
        node = Path("/dev") / entry.name
        size = query(node)
        # A webcam has a second node for metadata; codecs and virtual outputs have nodes as well.
        if size is None:
            continue
        name = _read(entry / "name") or entry.name
        cameras.append(CameraInfo(int(entry.name.removeprefix("video")), name, str(node), *size))
    return cameras


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace", encoding="utf-8").strip()
    except OSError:
        return ""


def capture_size(node: Path) -> tuple[int, int] | None:
    """Current (width, height) of a V4L2 capture device, ``(0, 0)`` when it does not tell, None for others."""
    import fcntl
    import os

    try:
        handle = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return (0, 0)  # listed all the same: opening it will name the remedy
    except OSError:
        return None
    try:
        facts = fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(104))
        kind = _capture_kind(facts)
        if kind is None:
            return None
        asked = struct.pack("I", kind).ljust(208, b"\0")
        return struct.unpack_from("II", fcntl.ioctl(handle, VIDIOC_G_FMT, asked), 8)
    except OSError:
        return None
    finally:
        os.close(handle)


def _capture_kind(facts: bytes) -> int | None:
    everything, this_node = struct.unpack_from("II", facts, 84)
    able = this_node if everything & HAS_DEVICE_CAPS else everything
    if able & CAPTURE_SINGLE:
        return BUFFER_CAPTURE
    return BUFFER_CAPTURE_MULTI if able & CAPTURE_MULTI else None


def _probed(open_capture: OpenCapture | None) -> list[CameraInfo]:
    """Windows and macOS list no cameras through OpenCV: try the first numbers."""
    import cv2

    cameras = []
    with quiet_opencv():
        for index in range(PROBED):
            device = open_device(index, open_capture or opencv_capture())
            if device is None:
                continue
            width, height = (
                int(device.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
            )
            device.release()
            cameras.append(CameraInfo(index, f"Camera {index}", str(index), width, height))
    return cameras
