"""Sixty frames a second from the camera to the virtual camera: asked for, told, and none lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.drivers import talking
from fakes.face_camera import FaceCamera
from fakes.virtual_camera import plugged

from mien.engine.avatar import Avatar
from mien.engine.runtime import Runtime
from mien.engine.session.live_pipeline import LivePipeline, Shown
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Frame
from mien.engine.utils.links import Policy
from mien.streams.camera.source import CameraSource
from mien.streams.virtual_camera import VirtualCameraSink

FPS = 60


@pytest.fixture(scope="module")
def driver(carphone: Path) -> list[np.ndarray]:
    return talking(carphone, 20)


def test_the_camera_is_asked_for_sixty_and_its_source_tells_it(driver: list[np.ndarray]) -> None:
    camera = FaceCamera(images=driver, told_fps=60.0)
    with CameraSource(0, fps=FPS, open_capture=camera) as source:
        assert (cv2.CAP_PROP_FPS, FPS) in camera.wishes
        assert source.info.fps == FPS


def test_no_frame_of_sixty_a_second_is_lost_on_its_way_to_the_virtual_camera(
    avatar: Avatar, runtime: Runtime, driver: list[np.ndarray]
) -> None:
    frames = [Frame(image, number, number, number / FPS) for number, image in enumerate(driver)]
    shown: list[Shown] = []
    with plugged() as backend, Tracker(TrackerSettings(live=True, paced=True)) as tracker:
        session = Session(tracker, Renderer(avatar, runtime))
        width, height = session.renderer.size
        sink = VirtualCameraSink(width=width, height=height, fps=FPS, backend="fake")
        # As slow as the machine may be, the frames wait: what is missing then was lost by a stage.
        live = LivePipeline(frames, session, policy=Policy.WAIT)
        live.send("camera", lambda one: sink.write(one.rendered.image, one.rendered.time))
        live.send("times", shown.append)
        with live:
            assert live.wait(120.0)
        sink.close()
        assert backend.opened[0]["fps"] == FPS
        assert len(backend.sent) == len(frames) and live.dropped == 0
    times = [one.rendered.time for one in shown]
    assert [after - before for before, after in pairwise(times)] == pytest.approx(
        [1 / FPS] * (len(frames) - 1)
    )
    assert all(one.face is not None for one in shown), "frames without the network have a face, too"
