"""A real browser with a made-up camera: headless Chromium that takes its camera's frames from a file."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

CAMERA_SIZE = (640, 480)
PLAIN = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
)


def write_camera(path: Path, images: Sequence[np.ndarray], fps: int = 30) -> Path:
    """RGB images as an uncompressed clip that Chromium plays again and again as its camera."""
    width, height = CAMERA_SIZE
    with path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for image in images:
            out.write(b"FRAME\n" + cv2.cvtColor(fill(image), cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def fill(image: np.ndarray) -> np.ndarray:
    """The image's middle as the camera's whole image."""
    width, height = CAMERA_SIZE
    scale = max(width / image.shape[1], height / image.shape[0])
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])


@contextmanager
def player() -> Iterator[Any]:
    """Playwright.  Until its end no other event loop can run in this thread, so keep it to a module."""
    if shutil.which("chromium") is None:
        pytest.skip("no chromium here; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as found:
        yield found


@contextmanager
def browser(playwright: Any, camera: Path | None, *, allow: bool = True) -> Iterator[Any]:
    """A browser with this camera (None: it has none); unless ``allow``, it may not use it."""
    flags = PLAIN.split()
    if allow:
        flags.append("--use-fake-ui-for-media-stream")
    if camera is not None:
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    try:
        yield opened
    finally:
        opened.close()


SKIP_LOBBY = """try { localStorage["mien-choices"] ??= '{"skipLobby": true}'; } catch {}"""
"""A visitor's earlier choice: live at once."""


PIXELS = """(video) => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
}"""


def shown_image(page: Any, selector: str) -> np.ndarray:
    """What the video element shows now: ``(H, W, 3) uint8`` RGB."""
    data = base64.b64decode(page.locator(selector).evaluate(PIXELS))
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two images of any size, reduced to 64 x 64 grey ones: 1 for the same image."""
    small = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA)
        for image in (first, second)
    ]
    return float(np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1])
