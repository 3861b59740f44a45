"""Camera source: the newest frame of a device, through OpenCV."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from fractions import Fraction

from mien.engine.types import Image, SourceError
from mien.streams.camera.device import (
    DEFAULT_FPS,
    Capture,
    OpenCapture,
    busy_remedy,
    camera_name,
    configure,
    open_device,
    opencv_capture,
    refusal,
    to_rgb,
)
from mien.streams.camera.listing import CameraInfo, list_cameras
from mien.streams.live_source import LiveSource, now_ns
from mien.streams.source import SourceInfo

__all__ = ["CameraInfo", "CameraRate", "CameraSource", "list_cameras", "measure_camera"]

# Cameras take one to three seconds to their first frame (exposure, USB bandwidth).
FIRST_FRAME_S = 8.0

PATIENCE_S = 30.0
"""Seconds for which a camera that stopped is waited for."""

UNPLUGGED_S = 1.0
"""Seconds of failing reads after which the device is closed and looked for anew, and between such looks."""


@dataclass(frozen=True, slots=True)
class CameraRate:
    """What a camera really delivers: size in pixels, frames per second."""

    width: int
    height: int
    fps: float


class CameraSource(LiveSource):
    """A camera; of its frames the newest one waits, ``(H, W, 3) uint8`` RGB.

    ``Frame.captured_ns`` is taken when the driver hands the frame over, before it is decoded.

    Args:
        camera: number, or a path such as ``/dev/video2`` on Linux.
        width, height, fps: wishes (640 x 480 at 30 by default); ``info`` says what the camera gave.
        timeout: seconds without a frame after which it is given up (30).  Until then one that stalls is
            waited for, and one that was unplugged is opened again when it is back.
        first_timeout: seconds to wait for the first frame.
        open_capture: stands in for ``cv2.VideoCapture`` in tests.

    Raises:
        MienError: no such camera, no permission, or in use elsewhere; with the remedy for this system.
    """

    def __init__(
        self,
        camera: int | str,
        *,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        timeout: float | None = None,
        first_timeout: float = FIRST_FRAME_S,
        open_capture: OpenCapture | None = None,
    ) -> None:
        super().__init__(camera_name(camera), PATIENCE_S if timeout is None else timeout)
        self._camera, self._wishes = camera, (width, height, fps)
        self._open_capture = open_capture or opencv_capture()
        self._since_failure: float | None = None
        device = open_device(camera, self._open_capture)
        if device is None:
            raise SourceError(refusal(camera))
        self._device: Capture | None = device
        configure(device, width, height, fps)
        self._thread.start()
        first = self._await_first(first_timeout)
        if first is None:
            self.close()
            raise SourceError(f"{self._name} opens but sends no frame. {busy_remedy(sys.platform)}")
        self._info = self._describe(device, first.image, fps)

    def _describe(self, device: Capture, image: Image, wished_fps: float | None) -> SourceInfo:
        import cv2

        told = device.get(cv2.CAP_PROP_FPS)
        # Drivers report 0, NaN or 180000 when they do not know.
        fps = told if 1 <= told <= 1000 else wished_fps or DEFAULT_FPS
        height, width = image.shape[:2]
        return SourceInfo(width, height, Fraction(fps).limit_denominator(1001), None, True, False, self._name)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def _capture(self) -> None:
        while not self._stop.is_set():
            device = self._device
            if device is None or not device.grab():
                self._recover()
                continue
            captured_ns = now_ns()
            ok, image = device.retrieve()
            if ok and image is not None and image.size:
                self._since_failure = None
                self._deliver(to_rgb(image), captured_ns)

    def _recover(self) -> None:
        """After a failed read: wait a moment; when it goes on, look for the camera anew."""
        self._stop.wait(0.01)  # an unplugged camera fails at once: do not spin
        now = time.monotonic()
        if self._since_failure is None:
            self._since_failure = now
        if now - self._since_failure < UNPLUGGED_S or self._stop.is_set():
            return
        self._since_failure = now
        # The old handle never works again, and on Linux it keeps the device's number from coming back.
        self._release()
        self._device = open_device(self._camera, self._open_capture)
        if self._device is not None:
            configure(self._device, *self._wishes)

    def _release(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.release()

    def _stalled(self) -> str:
        return (
            f"{self._name} stopped delivering frames ({self._timeout:g} s without one). "
            "Check its cable and that no other program took it, then start again."
        )


def measure_camera(
    camera: int | str,
    seconds: float = 1.5,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    open_capture: OpenCapture | None = None,
) -> CameraRate:
    """Run a camera for ``seconds`` and count what it delivers.

    Raises:
        MienError: as :class:`CameraSource`.
    """
    with CameraSource(
        camera, width=width, height=height, fps=fps, timeout=2.0, open_capture=open_capture
    ) as source:
        frames = iter(source)
        first = last = next(frames)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            last = next(frames)
        # By index, so that frames which nobody looked at count as well.
        span = (last.captured_ns - first.captured_ns) / 1e9
        rate = (last.index - first.index) / span if span > 0 else 0.0
        return CameraRate(source.info.width, source.info.height, rate)
