"""Report on this machine, what works and what is missing: ``--doctor`` and ``--list-cameras``."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.build import load_avatar, make_renderer, make_runtime, portrait_landmarker
from mien.cli.live.outputs import OUTPUTS
from mien.cli.options.arguments import Options
from mien.engine.motion.recording import load_recording
from mien.engine.runtime import describe_runtime
from mien.engine.runtime.selection import describe_engines, describe_gpu
from mien.engine.types import MienError
from mien.engine.utils.assets import DEMO_MOTION
from mien.engine.utils.openvino_core import core
from mien.engine.utils.versions import installed_version
from mien.streams.camera.listing import CameraInfo
from mien.streams.provenance.credentials import describe

PACKAGES = ("mien", "numpy", "openvino", "av", "pillow")
OPENCVS = tuple(
    f"opencv-{kind}" for kind in ("contrib-python", "python", "contrib-python-headless", "python-headless")
)
_PRECISIONS = {"FP32", "FP16", "BF16", "INT8"}
OPTIONAL = ("torch", "mediapipe", "pyvirtualcam")


def run_doctor(options: Options, console: Console) -> None:
    """Print the report; raises MienError at the end if the self-test failed."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    failure: MienError | None = None
    for name, text in _report():
        table.add_row(name, Text(text))
    try:
        table.add_row("self-test", Text(_self_test(options)))
    except MienError as error:
        failure = error
        table.add_row("self-test", Text(f"failed: {error}"))
    console.print(table)
    if failure is not None:
        raise MienError(f"The self-test failed: {failure}")


def list_cameras(console: Console) -> None:
    """Print the cameras, one line each."""
    from mien.streams.camera.listing import list_cameras as found

    cameras = found()
    if not cameras:
        console.print(
            "no camera was found; a video file can drive too: mien --driving clip.mp4", highlight=False
        )
    for camera in cameras:
        console.print(_camera_line(camera), markup=False, highlight=False)


def _report() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "packages", ", ".join([*_versions(PACKAGES), *_versions(OPENCVS)])
    yield "optional", ", ".join(_versions(OPTIONAL)) or "none installed (torch, mediapipe, pyvirtualcam)"
    yield "processor", _processor()
    yield "runtime", describe_runtime()
    yield "NVIDIA GPU", describe_gpu()
    yield "GPU engines", describe_engines()
    yield "recordings", describe()
    yield "display", _display()
    yield from _cameras()
    for output in OUTPUTS:
        if (status := output.status()) is not None:
            yield output.name, status


def _versions(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        found = installed_version(name)
        if found is not None or name in PACKAGES:
            yield f"{name} {found or '(not installed)'}"


def _processor() -> str:
    name = core().get_property("CPU", "FULL_DEVICE_NAME")
    features = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return f"{name}, {os.cpu_count()} cores, computes in {', '.join(sorted(set(features) & _PRECISIONS))}"


def _display() -> str:
    from mien.streams.preview import check_display

    try:
        check_display()
    except MienError as error:
        return str(error)
    return "a preview window can open"


def _cameras() -> Iterator[tuple[str, str]]:
    from mien.streams.camera.listing import list_cameras as found

    cameras = found()
    if not cameras:
        yield "cameras", "none found"
    for camera in cameras:
        yield f"camera {camera.index}", f"{camera.name}: {_measured(camera)}"


def _measured(camera: CameraInfo) -> str:
    from mien.streams.camera.source import measure_camera

    try:
        rate = measure_camera(camera.index)
    except MienError as error:
        return str(error)
    return f"{rate.width}x{rate.height}, measured {rate.fps:.1f} fps"


def _camera_line(camera: CameraInfo) -> str:
    size = f", {camera.width}x{camera.height}" if camera.width else ""
    return f"{camera.index}: {camera.name} ({camera.path}{size})"


def _self_test(options: Options) -> str:
    """Render one frame of the built-in motion; it must show a moved face."""
    start = perf_counter()
    runtime = make_runtime(options)
    with portrait_landmarker() as landmarker:
        avatar = load_avatar(None, options, landmarker, runtime)
        loaded = perf_counter()
        renderer = make_renderer(avatar, runtime, options)
        motion = max(
            (m for m in load_recording(DEMO_MOTION) if m is not None),
            key=lambda m: float(np.abs(m.points).sum()),
        )
        renderer.render(motion)
        begun = perf_counter()
        image = renderer.render(motion).image
        done = perf_counter()
        faces = landmarker.detect(image)
    moved = float(np.abs(image.astype(np.int16) - avatar.image).mean())
    if not faces or moved < 0.1:
        raise MienError("the rendered image does not show a moved face. Reinstall Mien.")
    return f"passed: ready in {loaded - start:.1f} s, one frame in {1000 * (done - begun):.0f} ms"
