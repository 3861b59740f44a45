"""The virtual camera: right size and format, no pacing of its own, refusals in words."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from fakes.virtual_camera import FakeBackend, plugged

from mien.engine.types import MienError
from mien.streams.virtual_camera import VirtualCameraSink


@pytest.fixture
def backend() -> Iterator[type[FakeBackend]]:
    with plugged() as found:
        yield found


def test_pictures_arrive_in_the_native_format_and_size(backend: type[FakeBackend]) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[:, :160] = (220, 40, 60)
    sink = VirtualCameraSink(width=320, height=240, fps=30, backend="fake")
    sink.write(image, 0.0)
    sink.close()
    assert (backend.opened[0]["width"], backend.opened[0]["height"]) == (320, 240)
    if sys.platform.startswith("linux"):
        yuv = backend.sent[0].reshape(360, 320)
        back = cv2.cvtColor(yuv, cv2.COLOR_YUV2RGB_I420)
        assert np.abs(back[100, 80].astype(int) - (220, 40, 60)).max() < 6
    assert backend.closed == 1


def test_odd_sizes_are_rounded_and_other_shapes_fitted_whole(backend: type[FakeBackend]) -> None:
    sink = VirtualCameraSink(width=323, height=241, fps=30, backend="fake")
    assert sink.size == (320, 240)
    sink.write(np.full((100, 100, 3), 255, np.uint8), 0.0)
    luma = backend.sent[0][: 320 * 240].reshape(240, 320)
    assert luma[:, 160].min() > 200 and luma[:, :30].max() < 40 and luma[:, -30:].max() < 40
    sink.close()


def test_nothing_is_paced(backend: type[FakeBackend]) -> None:
    sink = VirtualCameraSink(width=64, height=64, fps=1, backend="fake")
    start = time.monotonic()
    for _ in range(20):
        sink.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert time.monotonic() - start < 5 and len(backend.sent) == 20
    sink.close()


def test_refusals_are_one_line_with_the_way_out(backend: type[FakeBackend]) -> None:
    for words, wanted in (
        ({"backend": "nonesuch"}, "knows no backend 'nonesuch'"),
        ({"backend": "fake", "device": "nowhere"}, "irtual camera"),
    ):
        with pytest.raises(MienError) as told:
            VirtualCameraSink(width=64, height=64, fps=30, **words)  # type: ignore[arg-type]
        assert wanted in str(told.value) and "\n" not in str(told.value)


def test_without_pyvirtualcam_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(MienError, match="pip install"):
        VirtualCameraSink(width=64, height=64, fps=30)


def test_a_closed_camera_lets_pictures_go(backend: type[FakeBackend]) -> None:
    sink = VirtualCameraSink(width=64, height=64, fps=30, backend="fake")
    sink.close()
    sink.close()
    sink.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert backend.sent == [] and backend.closed == 1


def test_a_camera_that_fails_to_close_is_a_note_and_nothing_else(
    backend: type[FakeBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.streams.virtual_camera.RETRY_S", 0.0)
    picture = np.zeros((64, 64, 3), np.uint8)
    told: list[str] = []
    sink = VirtualCameraSink(width=64, height=64, fps=30, backend="fake", tell=told.append)
    backend.breaks_at_close = backend.away = True
    sink.write(picture, 0.0)
    assert sink.lost and "did not close (close failed: no such device)" in told[0] and "is gone" in told[1]
    backend.away = False
    sink.write(picture, 0.0)
    assert not sink.lost and len(backend.sent) == 1, "and it is used again"
    sink.close()
    sink.close()
    assert backend.closed == 2 and all("\n" not in line for line in sink.notes)
