"""The networks from which engines are built: the shipped ONNX files, rewritten for a GPU."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mien.engine.runtime.graphs import dynamic_batch, half_convolutions
from mien.engine.runtime.graphs.editing import inferred_shapes, load_proto
from mien.engine.runtime.graphs.image import IMAGE_INPUTS, image_graph
from mien.engine.runtime.graphs.pixels import uint8_source
from mien.engine.runtime.tensorrt.backend import Profile
from mien.engine.types import ModelError

Precision = Literal["fp16", "fp32"]

MAX_BATCH = 8
SMALLEST_SIDE, USUAL_SIDE, LARGEST_SIDE = 16, 512, 4096


@dataclass(frozen=True, slots=True)
class Part:
    """One network to build.

    Attributes:
        name: such as ``"live-renderer"``, for files and messages.
        onnx: the graph as given to TensorRT.
        profile: shapes that the engine accepts.
        precision: of its convolutions.
        outputs: shapes at batch 1.
    """

    name: str
    onnx: bytes
    profile: Profile
    precision: Precision
    outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The smallest input shapes: at batch 1 where the batch is free."""
        return {name: low for name, (low, _, _) in self.profile.shapes.items()}

    @property
    def sha256(self) -> str:
        """Hash of graph and weights."""
        return hashlib.sha256(self.onnx).hexdigest()


def read_onnx(path: Path) -> bytes:
    """Read a model file; raises :class:`MienError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror or error}") from error


def network_part(
    name: str, content: bytes, precision: Precision, batch: int, *, dynamic: bool = True, pixels: bool = False
) -> Part:
    """Prepare an exported network as a part.

    Args:
        content: the ONNX file, FP32, batch 1.
        batch: the largest batch; with ``dynamic`` all smaller ones as well, fastest at ``batch``.
        pixels: take the input ``source`` as bytes (see
            :func:`mien.engine.runtime.graphs.pixels.uint8_source`).
    """
    if not 1 <= batch <= 64:
        raise ModelError(f"a batch of {batch} is not possible; choose 1 to 64")
    proto = load_proto(content)
    if pixels:
        proto = uint8_source(proto)
    known = inferred_shapes(proto)
    shapes = {v.name: tuple(known[v.name]) for v in proto.graph.input}
    outputs = {v.name: tuple(known[v.name]) for v in proto.graph.output}
    if precision == "fp16":
        proto = half_convolutions(proto)
    if batch > 1:
        proto = dynamic_batch(proto)
    lowest = 1 if dynamic else batch
    profile = Profile({k: ((lowest, *s[1:]), (batch, *s[1:]), (batch, *s[1:])) for k, s in shapes.items()})
    return Part(name, _bytes(proto), profile, precision, outputs)


def image_part(side: int = USUAL_SIDE) -> Part:
    """The image part; any size up to 4096 x 4096, fastest if the moving part has this ``side``."""

    def shape(size: int) -> dict[str, tuple[int, ...]]:
        return {k: tuple(size if isinstance(d, str) else d for d in v) for k, v in IMAGE_INPUTS.items()}

    low, best, high = shape(SMALLEST_SIDE), shape(side), shape(LARGEST_SIDE)
    profile = Profile({name: (low[name], best[name], high[name]) for name in IMAGE_INPUTS})
    return Part("live-picture", _bytes(image_graph()), profile, "fp32")


def live_parts(
    encoder: bytes,
    renderer: bytes,
    precision: Precision = "fp16",
    batch: int = MAX_BATCH,
    side: int = USUAL_SIDE,
) -> dict[str, Part]:
    """``encoder``, ``renderer`` and ``image`` of the ``live`` preset."""
    return {
        "encoder": network_part("live-encoder", encoder, precision, 1, pixels=True),
        "renderer": network_part("live-renderer", renderer, precision, batch),
        "image": image_part(side),
    }


def _bytes(proto: Any) -> bytes:
    return bytes(proto.SerializeToString(deterministic=True))
