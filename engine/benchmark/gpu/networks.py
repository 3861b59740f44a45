"""The timed networks: those that run for every frame, as graphs with example inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.runtime import RENDERER
from mien.engine.types import ModelError


@dataclass(frozen=True, slots=True)
class TimedPart:
    """One network.

    Attributes:
        onnx: FP32, batch 1.
        inputs: one item's inputs by name, in the graph's order.
        module: the torch module it was exported from, called with the inputs in order; None: TorchGraph.
    """

    name: str
    onnx: bytes
    inputs: Mapping[str, NDArray[Any]]
    module: Any = None


def live_network(notes: list[str]) -> list[TimedPart]:
    """The shipped renderer, with its module if the training code is installed."""
    content = RENDERER.read_bytes()
    try:
        from mien.export import onnx_export as export
    except ImportError as error:
        notes.append(f"live, torch eager FP32: the exported graph stands for the model ({error})")
        return [TimedPart("live-renderer", content, _made_up(content))]
    model = export.deployable(export.untrained_model())
    args = export.example_inputs(model.config)
    inputs = {name: value.numpy() for name, value in zip(export.RENDERER_INPUTS, args, strict=True)}
    return [TimedPart("live-renderer", content, inputs, _first(export.RendererGraph(model)))]


def _made_up(content: bytes) -> dict[str, NDArray[Any]]:
    """Inputs of the right shapes; their values do not affect the time."""
    from mien.engine.runtime.graphs.editing import inferred_shapes, load_proto

    proto = load_proto(content)
    shapes = inferred_shapes(proto)
    random = np.random.default_rng(1)
    return {v.name: random.uniform(-0.6, 0.6, shapes[v.name]).astype(np.float32) for v in proto.graph.input}


def _first(module: Any) -> Any:
    """Only the three outputs used by a runtime; the graph's cuts would cost copies."""
    return lambda *inputs: module(*inputs)[:3]


@dataclass(frozen=True, slots=True)
class PaperNetwork:
    """The published network with random weights of its size.

    Attributes:
        contents: its exported parts.
        model: the torch module, FP32.
        timed: the parts that run for every frame.
    """

    contents: Mapping[str, bytes]
    model: Any
    timed: list[TimedPart]


def paper_network(names: tuple[str, ...] = ("detector", "motion", "decoder")) -> PaperNetwork:
    """Create the published network.

    Raises:
        MienError: the training code is not installed.
    """
    try:
        from mien.export import paper_onnx
        from mien.train.model.paper import PaperModel
    except ImportError as error:
        raise ModelError(f'it needs the training code: pip install "mien[train]" ({error})') from error
    model = PaperModel().eval()
    built = paper_onnx.build(model)
    parts = paper_onnx.parts(model)
    timed = [
        TimedPart(
            f"paper-{name}",
            built[name],
            {k: v.numpy() for k, v in zip(parts[name].inputs, parts[name].args, strict=True)},
            parts[name].module,
        )
        for name in names
    ]
    return PaperNetwork(built, model, timed)


def repeated(values: NDArray[Any], batch: int) -> NDArray[Any]:
    """Repeat one item's input for a whole batch."""
    return np.ascontiguousarray(np.repeat(values, batch, axis=0))
