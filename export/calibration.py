"""Bounds of the renderer network's values, for its computation in integers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.model_io import POINT_INPUTS, AvatarCode, Field, point_inputs
from mien.engine.landmarks import make_landmarker
from mien.engine.motion.recording import load_recording
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.openvino import OpenVinoRuntime
from mien.engine.runtime.quantisation import KEY, measured_bounds
from mien.engine.session.renderer import Renderer
from mien.engine.types import Floats, Image
from mien.engine.utils.assets import DEMO_MOTION, PORTRAIT
from mien.engine.utils.image_files import load_image
from mien.engine.utils.openvino_core import core

FRAMES = 16
"""Of the built-in motion, evenly spread."""


def with_bounds(encoder: bytes, renderer: bytes) -> bytes:
    """The renderer's file with the bounds in its metadata, measured on the built-in portrait and motion.

    Args:
        encoder, renderer: contents of the two ONNX files.
    """
    import onnx

    model = core().read_model(renderer, b"")
    bounds = measured_bounds(model, _samples(encoder, renderer))
    proto = onnx.load_from_string(renderer)
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(bounds, sort_keys=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _samples(encoder: bytes, renderer: bytes) -> Iterator[dict[str, Floats]]:
    """The renderer's inputs, frame by frame."""
    with tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
        paths = Path(folder) / "encoder.onnx", Path(folder) / "renderer.onnx"
        for path, content in zip(paths, (encoder, renderer), strict=True):
            path.write_bytes(content)
        runtime = _Watched(OpenVinoRuntime(*paths, threads=1, precision="f32"))
    with make_landmarker() as landmarker:
        avatar = Avatar.of(load_image(PORTRAIT), landmarker, runtime, "the portrait")
    draws = Renderer(avatar, runtime, always=True)
    motions = [motion for motion in load_recording(DEMO_MOTION) if motion is not None]
    for number in np.linspace(0, len(motions) - 1, FRAMES):
        draws.render(motions[int(number)])
        yield runtime.inputs


class _Watched(Runtime):
    """A runtime whose inputs can be read.

    Attributes:
        inputs: of the last frame, by name; copies.
    """

    name = OpenVinoRuntime.name

    def __init__(self, runtime: OpenVinoRuntime) -> None:
        self._runtime = runtime
        self.inputs: dict[str, Floats] = {}

    def encode(self, source: Image) -> AvatarCode:
        return self._runtime.encode(source)

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        moving = point_inputs(source_points, driving_points, dense)
        self.inputs = {"source": code.source, "features": code.features}
        self.inputs |= {name: np.array(values) for name, values in zip(POINT_INPUTS, moving, strict=True)}
        return self._runtime.render(code, source_points, driving_points, dense)
