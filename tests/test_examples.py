"""The programs of ``examples/``: each is run."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from fakes.drivers import images_of, make_driver, talking
from fakes.face_camera import FaceCamera
from PIL import Image as Pillow

from mien.engine.runtime import Network, default_runtime
from mien.engine.types import Image
from mien.streams.preview import PreviewSink

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def portrait(astronaut: Image, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("portrait") / "me.png"
    Pillow.fromarray(astronaut).save(path)
    return str(path)


@pytest.fixture(scope="module")
def clip(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_driver(tmp_path_factory.mktemp("clip") / "talk.mp4", talking(carphone, 4), sound=True))


@pytest.fixture
def warp_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the network, which takes seconds to compile, and is not what these are about."""
    monkeypatch.setattr(
        "mien.engine.animator.animator.default_runtime", lambda: default_runtime(network=Network.OFF)
    )


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in EXAMPLES.glob("*.py") if f'example("{path.stem}")' not in tested] == []


def test_a_file_is_animated_with_its_sound(clip: str, portrait: str, tmp_path: Path) -> None:
    example("animate_file").main(clip, portrait, str(tmp_path / "out.mp4"))
    assert [image.shape for image in images_of(tmp_path / "out.mp4")] == [(512, 512, 3)] * 4
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio


@pytest.mark.usefixtures("warp_alone")
def test_a_camera_moves_the_portrait_in_a_window(
    carphone: Path, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[np.ndarray] = []
    keys = [None, ord("x"), None, 27]

    class Window(PreviewSink):
        """A window of a machine without a display."""

        def __init__(self, *, mirror: bool) -> None:
            self.closed, self.status = False, ""

        def show(self, image: Image) -> int | None:
            shown.append(image.copy())
            return keys[len(shown) - 1]

        def close(self) -> None:
            self.closed = True

    camera = FaceCamera(images=talking(carphone, 12))
    monkeypatch.setattr("mien.streams.camera.source.opencv_capture", lambda: camera)
    live_window = example("live_window")
    monkeypatch.setattr(live_window, "PreviewSink", Window)
    live_window.main(portrait)
    assert [image.shape for image in shown] == [(512, 512, 3)] * 4
    assert camera.released


@pytest.mark.usefixtures("warp_alone")
def test_a_stimulus_moves_the_brows_at_its_time_and_not_the_mouth(portrait: str, tmp_path: Path) -> None:
    import mien

    example("stimulus").main(portrait, str(tmp_path / "brows.mkv"))
    recording = mien.load_recording(tmp_path / "brows.npz")
    images = [image.astype(float) for image in images_of(tmp_path / "brows.mkv")]
    assert len(images) == len(recording) == 50
    moved = np.abs(np.stack(images) - images[0]).mean(axis=3)  # (frames, rows, columns)
    # Where the astronaut has her brows and her mouth.
    brows, mouth = moved[:, 75:105, 190:260].mean(axis=(1, 2)), moved[:, 140:170, 190:260].mean(axis=(1, 2))
    apex = int(np.argmax(brows))
    assert 0.4 <= recording.times[apex] <= 0.5
    assert brows[[10, 45]].max() < 0.2 * brows[apex]
    assert mouth[apex] < 0.02 * brows[apex]


@pytest.mark.usefixtures("warp_alone")
def test_an_output_of_ones_own_gets_every_image(clip: str, portrait: str) -> None:
    stream = io.BytesIO()
    example("custom_output").main(clip, portrait, stream)
    images = np.frombuffer(stream.getvalue(), np.uint8).reshape(-1, 512, 512, 3)
    assert len(images) == 4
    assert float(images[0].std()) > 10


@pytest.mark.usefixtures("warp_alone")
def test_an_output_whose_reader_has_gone_is_one_line(clip: str, portrait: str) -> None:
    import mien

    class Gone(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError

    with pytest.raises(mien.MienError, match="has ended"):
        example("custom_output").main(clip, portrait, Gone())
