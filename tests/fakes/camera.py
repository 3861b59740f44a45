"""A camera that exists only here: stands in for ``cv2.VideoCapture``."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import cv2
import numpy as np


@dataclass
class FakeCamera:
    """Delivers numbered frames at a steady rate until it is told to misbehave.

    Call it like ``cv2.VideoCapture``; it returns itself as the device.
    """

    fps: float = 100.0
    size: tuple[int, int] = (32, 24)
    opens: bool = True
    grey: bool = False
    told_fps: float = 30.0
    unplugged: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    resumed: threading.Event = field(default_factory=threading.Event)
    wishes: list[tuple[int, float]] = field(default_factory=list)
    opened_with: list[tuple[int | str, int]] = field(default_factory=list)
    grabs: int = 0
    failures: int = 0
    released: int = 0
    threads: set[int] = field(default_factory=set)
    crash: Exception | None = None
    held: bool = True

    def __call__(self, camera: int | str, backend: int) -> FakeCamera:
        self.opened_with.append((camera, backend))
        self.held = self.isOpened()
        return self

    def isOpened(self) -> bool:
        return self.opens and not (self.unplugged.is_set() and self.grabs)

    def set(self, prop: int, value: float) -> bool:
        self.wishes.append((prop, value))
        return True

    def get(self, prop: int) -> float:
        return {
            cv2.CAP_PROP_FPS: self.told_fps,
            cv2.CAP_PROP_FRAME_WIDTH: float(self.size[0]),
            cv2.CAP_PROP_FRAME_HEIGHT: float(self.size[1]),
        }[prop]

    def grab(self) -> bool:
        assert self.held, "read after release"
        self.threads.add(threading.get_ident())
        if self.crash is not None:
            raise self.crash
        if self.stalled.is_set():
            self.resumed.wait(30)  # as a driver that hangs in its read
        if self.unplugged.is_set():
            self.failures += 1
            return False
        time.sleep(1 / self.fps)
        self.grabs += 1
        return True

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        width, height = self.size
        image = np.zeros((height, width, 3), np.uint8)
        image[:] = (200, 100, self.grabs % 256)  # blue, green, red
        return True, image[..., 0] if self.grey else image

    def release(self) -> None:
        self.threads.add(threading.get_ident())
        self.released += 1
        self.held = False
