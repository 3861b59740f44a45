"""The landmark network is left out of every second frame where it would not be in time, and only there."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from mien.engine.landmarks import Landmarker, networks
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.tracking.pace import Pace
from mien.engine.types import Frame, Image

FPS = 60.0


def spared(seconds: float, fps: float, frames: int = 12) -> list[bool]:
    """Which of a stream's frames do without the network, if it takes so long."""
    pace, found = Pace(), []
    for number in range(frames):
        found.append(pace.spares(number / fps))
        if not found[-1]:
            pace.took(seconds)
    return found


def test_every_second_frame_is_spared_where_tracking_takes_more_than_its_share() -> None:
    assert spared(0.012, 60.0)[-6:] in ([True, False] * 3, [False, True] * 3)


@pytest.mark.parametrize(("seconds", "fps"), [(0.012, 30.0), (0.006, 60.0)])
def test_no_frame_is_spared_where_there_is_time(seconds: float, fps: float) -> None:
    assert not any(spared(seconds, fps))


def test_a_gap_is_no_frame_rate() -> None:
    pace = Pace()
    pace.took(0.5)
    assert not pace.spares(0.0) and not pace.spares(100.0)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each run of a landmark network."""
    found: list[int] = []
    infer = networks.LandmarkNetwork._infer

    def counted(network: networks.LandmarkNetwork) -> None:
        found.append(1)
        infer(network)

    monkeypatch.setattr(networks.LandmarkNetwork, "_infer", counted)
    yield found


def shifted(image: Image, pixels: float) -> Image:
    move = np.array([[1, 0, pixels], [0, 1, 0]], np.float64)
    moved = cv2.warpAffine(
        image, move, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def followed(images: list[Image], landmarker: Landmarker, *, paced: bool = True) -> list[float]:
    """Horizontal head shifts in pixels, by a tracker that found the network too slow for these frames."""
    landmarker.reset()
    tracker = Tracker(TrackerSettings(live=True, paced=paced), landmarker)
    tracker._pace.took(10.0)
    found = []
    for number, image in enumerate(images):
        motion = tracker.track(Frame(image, number, 0, number / FPS))
        assert motion is not None and tracker.reference is not None and tracker.face is not None
        found.append(motion.head.shift[0] * tracker.reference.geometry.unit)
        away = tracker.face.landmarks[:, 0].mean() - tracker.reference.face.landmarks[:, 0].mean()
        assert away == pytest.approx(found[-1], abs=0.5), "the face goes with its head"
    return found


def test_a_calm_head_is_followed_at_half_the_runs(
    close_up: Image, landmarker: Landmarker, runs: list[int]
) -> None:
    images = [shifted(close_up, 0.8 * number) for number in range(9)]
    followed(images, landmarker)  # so that the network's last image is none that is seen again at once
    runs.clear()
    found = followed(images, landmarker)
    with_pace = len(runs)
    runs.clear()
    followed(images, landmarker, paced=False)
    assert len(runs) - with_pace == 4, "of eight frames after the first"
    assert found == pytest.approx([0.8 * number for number in range(9)], abs=0.15)


def test_a_fast_head_asks_the_network_in_every_frame(
    close_up: Image, landmarker: Landmarker, runs: list[int]
) -> None:
    images = [shifted(close_up, 6.0 * number) for number in range(6)]
    followed(images, landmarker)
    with_pace = len(runs)
    runs.clear()
    followed(images, landmarker, paced=False)
    assert len(runs) - with_pace <= 1, "the first step is not known to be fast"
