"""A virtual camera that exists only here, registered with pyvirtualcam as a backend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest


class FakeBackend:
    """What pyvirtualcam asks of a backend."""

    away = False
    breaks_at_close = False
    sent: list[np.ndarray] = []  # noqa: RUF012
    opened: list[dict[str, Any]] = []  # noqa: RUF012
    closed = 0

    def __init__(self, **wishes: Any) -> None:
        if FakeBackend.away or wishes["device"] == "nowhere":
            raise RuntimeError("no device")
        self._device = wishes["device"] or "Fake Camera"
        FakeBackend.opened.append(wishes)

    def send(self, frame: np.ndarray) -> None:
        if FakeBackend.away:
            raise RuntimeError("write failed")
        FakeBackend.sent.append(frame.copy())

    def device(self) -> str:
        return self._device

    def native_fourcc(self) -> int | None:
        return None

    def close(self) -> None:
        FakeBackend.closed += 1
        if FakeBackend.breaks_at_close:
            raise RuntimeError("close failed:\n no such device")


@contextmanager
def plugged() -> Iterator[type[FakeBackend]]:
    """The backend ``fake``, as new."""
    pyvirtualcam = pytest.importorskip("pyvirtualcam")
    FakeBackend.away, FakeBackend.breaks_at_close, FakeBackend.closed = False, False, 0
    FakeBackend.sent.clear()
    FakeBackend.opened.clear()
    pyvirtualcam.register_backend("fake", FakeBackend)
    try:
        yield FakeBackend
    finally:
        pyvirtualcam.camera.BACKENDS.pop("fake", None)


class Calls:
    """A virtual camera as the web server's feed takes it: counts what it is given."""

    device, lost, problem = "Fake Camera", False, ""
    closed = 0

    def __init__(self) -> None:
        self.levels: list[float] = []

    def write(self, image: np.ndarray, time: float) -> None:
        """Keep the image's mean level."""
        self.levels.append(float(image.mean()))

    def close(self) -> None:
        self.closed += 1
