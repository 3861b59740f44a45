"""What went wrong can be told from the error's kind, and not only from its words."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from mien.cli.model_choice import load_model
from mien.cli.options.arguments import parse
from mien.engine import types
from mien.engine.avatar import Avatar
from mien.engine.face.regions import region_indices
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.motion import Gains
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.runtime import Runtime
from mien.engine.runtime.cuda import CudaError
from mien.engine.runtime.openvino import OpenVinoRuntime
from mien.engine.runtime.tensorrt.backend import EngineError
from mien.engine.types import Image, MienError, ModelError, NoFaceError, SinkError, SourceError, UsageError
from mien.streams.factory import open_sink, open_source
from mien.streams.images import load_image


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    kinds = {name for name, kind in inspect.getmembers(types, inspect.isclass) if issubclass(kind, MienError)}
    drawn = {word for word in (types.__doc__ or "").split() if word.endswith("Error")}
    assert drawn == kinds
    assert all(
        kind.__base__ is MienError for kind in (NoFaceError, SourceError, SinkError, ModelError, UsageError)
    )
    assert issubclass(CudaError, ModelError) and issubclass(EngineError, ModelError)


def test_a_portrait_without_a_usable_face(astronaut: Image, landmarker: Landmarker, runtime: Runtime) -> None:
    flat = np.full((256, 256, 3), 127, np.uint8)
    with pytest.raises(NoFaceError, match="No face was found in a wall"):
        Avatar.of(flat, landmarker, runtime, "a wall")
    small = np.ascontiguousarray(astronaut[::8, ::8])
    far = np.full((256, 256, 3), 127, np.uint8)
    far[96 : 96 + small.shape[0], 96 : 96 + small.shape[1]] = small
    with pytest.raises(NoFaceError):
        Avatar.of(far, landmarker, runtime, "a crowd")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("this is no video\n", encoding="utf-8")
    for name in (tmp_path / "none.mp4", text, tmp_path):
        with pytest.raises(SourceError):
            open_source(str(name))
    for name in (tmp_path / "none.jpg", text, tmp_path):
        with pytest.raises(SourceError):
            load_image(name)
        with pytest.raises(SourceError):
            load_recording(name)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    for name in ("out.xyz", "none/out.mp4", "none/out.gif"):
        with pytest.raises(SinkError):
            open_sink(str(tmp_path / name), width=64, height=64, fps=25)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").touch()
    with pytest.raises(SinkError, match="is not empty"):
        open_sink(str(tmp_path / "frames"), width=64, height=64, fps=25)
    with pytest.raises(SinkError):
        save_recording(tmp_path / "none" / "m.npz", Recording((None,), (0.0,), 25.0))


def test_what_cannot_compute(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load_model(tmp_path / "none.safetensors", 1, "f32")
    damaged = tmp_path / "encoder.onnx"
    damaged.write_bytes(b"no network")
    with pytest.raises(ModelError, match="is damaged"):
        OpenVinoRuntime(damaged, damaged, threads=1)
    with pytest.raises(ModelError, match="is missing"):
        OpenVinoRuntime(tmp_path / "a.onnx", tmp_path / "b.onnx", threads=1)


def test_what_cannot_be_asked_for() -> None:
    for ask in (
        lambda: parse(["--nonsense"]),
        lambda: parse(["--size", "7"]),
        lambda: Gains(head=99),
        lambda: region_indices(["elbow"]),
        lambda: make_landmarker("dowsing"),
        lambda: open_source(""),
    ):
        with pytest.raises(UsageError):
            ask()
