"""Behaviour of the background network: its results are those of a run on every frame, only later."""

from __future__ import annotations

import gc
import time
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_runtime import dense, face, moved, openvino

from mien.engine.avatar import Avatar
from mien.engine.avatar.model_io import AvatarCode
from mien.engine.landmarks import Landmarker, topology
from mien.engine.motion import Motion
from mien.engine.runtime import Network, OpenVinoRuntime, default_runtime
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.types import Floats, Frame, Image
from mien.engine.utils.openvino_core import compile_for_cpu
from mien.export.onnx_export import ENCODER_FILE, RENDERER_FILE
from mien.export.parity import reference_runtime

__all__ = ["face"]


def settle(runtime: OpenVinoRuntime, code: AvatarCode, points: Floats, driving: Floats) -> None:
    """Render one motion until the network has processed it."""
    for _ in range(3):
        runtime.render(code, points, driving)
        wait_for(runtime)


def wait_for(runtime: OpenVinoRuntime) -> None:
    """Wait until the background network has finished its run."""
    while runtime._background is not None and runtime._background.busy:
        time.sleep(0.005)


def frame(number: int) -> Frame:
    return Frame(np.zeros((4, 4, 3), np.uint8), number, number, number / 30)


def test_a_driver_at_rest_sees_the_network_result_of_their_last_motion(
    astronaut: Image, landmarker: Landmarker, trained: tuple[object, Path]
) -> None:
    exact, background = openvino(trained[1], "f32"), openvino(trained[1], "f32")
    avatar = Avatar.of(astronaut, landmarker, exact)
    # As if no teeth were seen in the portrait: those would need no paint.
    avatar = replace(avatar, cavity=replace(avatar.cavity, gap=0.0))
    random = np.random.default_rng(0)
    rest = Motion.neutral()
    points = random.normal(0, 0.01, rest.points.shape).astype(np.float32)
    points[[*topology.LIPS_LOWER_INNER[1:-1], *topology.LIPS_LOWER_OUTER[1:-1]], 1] += 0.3
    stopped = replace(rest, points=points)  # with a mouth opened wide: the network's part of an image
    tremor = replace(stopped, points=stopped.points + np.float32(1e-6))
    wanted = Renderer(avatar, exact).render(stopped).image

    background.network = Network.BACKGROUND
    session = Session(None, Renderer(avatar, background), skip_still=True)
    session.play(frame(0), rest)
    first = session.play(frame(1), stopped).image
    assert np.abs(first.astype(int) - wanted).max() > 1, "the network has not seen this motion yet"
    for number in range(2, 6):
        wait_for(background)
        moment = replace(tremor, index=number, captured_ns=number, time=number / 30)
        shown = session.play(frame(number), moment)
        assert (shown.index, shown.captured_ns, shown.time) == (number, number, number / 30)
    np.testing.assert_allclose(shown.image.astype(int), wanted, atol=1)
    assert not background.stale and session.skipped >= 2, "and then nothing is left to draw"
    assert session.play(frame(6), tremor).image is shown.image


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_constant_motion_gives_the_result_of_the_network_on_every_frame(
    face, trained, precision: str
) -> None:  # type: ignore[no-untyped-def]
    image, points = face
    _, folder = trained
    exact, background = openvino(folder, precision), openvino(folder, precision)
    background.network = Network.BACKGROUND
    code = exact.encode(image)
    driving = moved(points)
    expected = exact.render(code, points, driving)
    settle(background, code, points, driving)
    found = background.render(code, points, driving)
    np.testing.assert_allclose(found.flow, expected.flow, atol=1e-5)
    np.testing.assert_allclose(found.occlusion, expected.occlusion, atol=1e-5)
    np.testing.assert_allclose(found.paint, expected.paint, atol=1e-5)
    assert np.abs(expected.paint).max() > 1e-3


def test_the_warp_follows_every_frame_without_waiting_for_the_network(face, trained) -> None:  # type: ignore[no-untyped-def]
    image, points = face
    runtime = openvino(trained[1], "f32")
    code = runtime.encode(image)
    runtime.network = Network.BACKGROUND
    first = runtime.render(code, points, points).flow.copy()
    second = runtime.render(code, points, moved(points)).flow.copy()
    assert np.abs(first).max() < 1e-3 < np.abs(second).max(), "the motion of this very frame"


def test_a_new_avatar_gets_none_of_the_previous_avatars_paint(face, trained) -> None:  # type: ignore[no-untyped-def]
    image, points = face
    runtime = openvino(trained[1], "f32")
    runtime.network = Network.BACKGROUND
    code, other = runtime.encode(image), runtime.encode(np.ascontiguousarray(image[:, ::-1]))
    settle(runtime, code, points, moved(points))
    assert np.abs(runtime.render(code, points, moved(points)).paint).max() > 1e-3
    assert np.abs(runtime.render(other, points, moved(points)).paint).max() == 0


def test_two_drivers_of_one_avatar_each_get_the_network_results_of_their_own_motion(face, trained) -> None:  # type: ignore[no-untyped-def]
    image, points = face
    exact, background = openvino(trained[1], "f32"), openvino(trained[1], "f32")
    code = exact.encode(image)
    motions = [moved(points), moved(moved(points))]
    wanted = [exact.render(code, points, motion).paint.copy() for motion in motions]
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3, "two that can be told apart"
    background.network = Network.BACKGROUND
    drivers = [background.for_driver() for _ in motions]
    for _ in range(6):
        for driver, motion in zip(drivers, motions, strict=True):
            found = driver.render(code, points, motion)
            shown = [np.abs(found.paint - paint).max() < 1e-5 for paint in wanted]
            assert shown[drivers.index(driver)] or not found.paint.any()
            wait_for(background)
    for driver, motion, paint in zip(drivers, motions, wanted, strict=True):
        np.testing.assert_allclose(driver.render(code, points, motion).paint, paint, atol=1e-5)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_what_ran_on_every_frame_is_freed_when_it_is_to_run_beside_and_comes_back(
    face, trained, precision: str
) -> None:  # type: ignore[no-untyped-def]
    image, points = face
    runtime = openvino(trained[1], precision)
    code, driving = runtime.encode(image), moved(points)
    field = runtime.render(code, points, driving, dense())
    before = [part.copy() for part in (field.flow, field.occlusion, field.paint)]
    whole = [weakref.ref(request) for request in runtime._renderer._requests]
    runtime.network = Network.BACKGROUND
    runtime.render(code, points, driving, dense())
    wait_for(runtime)
    gc.collect()
    assert whole and not any(request() for request in whole)
    runtime.network = Network.EVERY_FRAME
    again = runtime.render(code, points, driving, dense())
    for part, wanted in zip((again.flow, again.occlusion, again.paint), before, strict=True):
        np.testing.assert_array_equal(part, wanted)


def test_without_its_network_any_model_is_the_landmark_warp(face) -> None:  # type: ignore[no-untyped-def]
    image, points = face
    runtime, plain = default_runtime(threads=1, precision="f32", network=Network.OFF), reference_runtime()
    found = runtime.render(runtime.encode(image), points, moved(points), dense())
    wanted = plain.render(plain.encode(image), points, moved(points), dense())
    np.testing.assert_allclose(found.flow, wanted.flow, atol=1e-5)
    assert not found.paint.any()


def test_a_network_beside_the_frames_is_compiled_by_its_first_run_and_not_before(
    face, trained, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    """A start does not wait for it, and where nothing is painted it takes no memory."""
    image, points = face
    compiled: list[str] = []

    def noted(*given: object, name: str, **more: object) -> object:
        compiled.append(name)
        return compile_for_cpu(*given, name=name, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("mien.engine.runtime.openvino_parts.compile_for_cpu", noted)
    encoder, renderer = trained[1] / ENCODER_FILE, trained[1] / RENDERER_FILE
    runtime = OpenVinoRuntime(encoder, renderer, threads=1, network=Network.BACKGROUND)
    assert not any("paint" in name for name in compiled)
    settle(runtime, runtime.encode(image), points, moved(points))
    assert any("paint" in name for name in compiled)


def test_an_encoder_that_was_forgotten_encodes_the_next_portrait_alike(face, trained) -> None:  # type: ignore[no-untyped-def]
    image, _ = face
    runtime = openvino(trained[1], "f32")
    before = runtime.encode(image)
    runtime.forget_encoder()
    np.testing.assert_array_equal(runtime.encode(image).features, before.features)
