"""The CPU runtime: OpenVINO.

In ``bf16`` OpenVINO rounds everything on the way, matrix products and exponentials too: the flow was
0.24 px wrong.  The plugin has no per-node switch that it honours, so the graph is cut at named values into
parts that are compiled apart: landmark arithmetic, composition and warps in FP32, convolutions in bf16.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.openvino_core import compile_for_cpu, core, cpu_has_bf16, load_openvino
from engine.priority import make_way
from engine.runtime.base import (
    FIELD_SIZE,
    IMAGE_SIZE,
    POINT_INPUTS,
    AvatarCode,
    Field,
    Runtime,
    point_inputs,
    source_tensor,
)
from engine.types import Floats, Image, MienError

Precision = Literal["auto", "f32", "bf16"]

_REMEDY = "reinstall mien, or run: python -m export"
_MODEL, _MODEL_VERSION = "mien-live", "1"
_OUTPUTS = ("flow", "occlusion", "paint")
_SEEN = ("prior.flow", "prior.maps", "prior.change", "prior.life", "prior.features")

#: (inputs, outputs, whether it may run in low precision) of each part, in the order of computation.
_PARTS: tuple[tuple[tuple[str, ...], tuple[str, ...], bool], ...] = (
    (("features", "source_points", "driving_points", "dense"), _SEEN, False),
    (
        ("prior.features", "prior.maps", "prior.change", "prior.flow"),
        ("correction.heads", "correction.hidden"),
        True,
    ),
    (
        ("source", "features", "prior.flow", "prior.maps", "prior.change", "prior.life", "correction.heads"),
        ("flow", "occlusion", "compose.warped", "compose.features", "compose.need"),
        False,
    ),
    (
        (
            "compose.features",
            "correction.hidden",
            "prior.maps",
            "prior.change",
            "occlusion",
            "compose.warped",
            "compose.need",
        ),
        ("paint",),
        True,
    ),
)


#: The flow of a frame whose network output is that of an earlier one: landmark arithmetic alone, FP32.
_LIGHT = (("source_points", "driving_points", "dense", "correction.heads"), ("flow",))


def _read(path: Path) -> Any:
    if not path.is_file():
        raise MienError(f"{path}: model file is missing ({_REMEDY})")
    try:
        return core().read_model(str(path))
    except RuntimeError as error:
        raise MienError(f"{path}: model file is damaged ({_REMEDY})") from error


def _output(model: Any, name: str) -> Any:
    """The node output that carries the tensor ``name``."""
    for node in model.get_ordered_ops():
        for output in node.outputs():
            if name in output.get_names():
                return output
    raise MienError(f"renderer has no value {name!r}: it was exported for another version of mien")


def _cut(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of ``model`` between the named values, as a model of its own with these inputs and outputs."""
    ov = load_openvino()
    part = model.clone()
    results = [_output(part, name) for name in outputs]
    parameters = []
    for name in inputs:
        value = _output(part, name)
        parameter = ov.opset13.parameter(value.get_shape(), np.float32, name=name)
        for target in value.get_target_inputs():
            target.replace_source_output(parameter.output(0))
        parameters.append(parameter)
    return ov.Model([ov.opset13.result(value) for value in results], parameters)


class Network(Enum):
    """How often the network (correction and paint) runs; the warp follows every frame.

    Attributes:
        EVERY_FRAME: with every frame.
        BESIDE: as often as the machine allows, in a thread of its own; each frame takes the newest correction
            and paint there are.
        OFF: never: an untrained one gives zeros.
    """

    EVERY_FRAME = "live"
    BESIDE = "live-fast"
    OFF = "warp"


class _Renderer:
    """Compiled parts, their tensors shared: one or several that run one after the other, and a light one."""

    def __init__(self, model: Any, threads: int, precision: str) -> None:
        tensor = load_openvino().Tensor
        self.inputs: dict[str, Floats] = {
            value.get_any_name(): np.zeros(tuple(value.get_shape()), np.float32) for value in model.inputs
        }
        whole = (tuple(self.inputs), (*_OUTPUTS, "correction.heads"), False)
        parts = (whole,) if precision == "f32" else _PARTS
        values = {name: tensor(array, shared_memory=True) for name, array in self.inputs.items()}

        def compiled(inputs: Sequence[str], outputs: Sequence[str], low: bool) -> Any:
            part = _cut(model, inputs, outputs)
            request = compile_for_cpu(
                part, threads=threads, precision=precision if low else "f32"
            ).create_infer_request()
            for index, name in enumerate(inputs):
                request.set_input_tensor(index, values[name])
            return request

        results = {
            name: np.zeros(tuple(_output(model, name).get_shape()), np.float32)
            for name in (*_OUTPUTS, "correction.heads")
        }
        values.update((name, tensor(array, shared_memory=True)) for name, array in results.items())

        def compile_parts() -> list[Any]:
            requests = []
            for inputs, outputs, low in parts:
                request = compiled(inputs, outputs, low)
                for index, name in enumerate(outputs):
                    if name in results:
                        request.set_output_tensor(index, values[name])
                    else:
                        values[name] = request.get_output_tensor(index)
                requests.append(request)
            return requests

        self._compile_parts = compile_parts
        self._requests: list[Any] = []
        self._heads: Floats = results["correction.heads"]
        self.outputs: dict[str, Floats] = {name: results[name] for name in _OUTPUTS}
        self._light = compiled(*_LIGHT, False)
        # Both write the flow to one place.
        self._light.set_output_tensor(0, values["flow"])

    def run(self) -> None:
        """Everything; compiled at the first call, which takes half a second."""
        if not self._requests:
            self._requests = self._compile_parts()
        for request in self._requests:
            request.infer()

    def run_light(self) -> None:
        """The flow alone, with the network's part of it and the paint as the last :meth:`run` left them."""
        self._light.infer()

    def take_network(self, other: _Renderer) -> None:
        """The network's results from another renderer of the same model."""
        np.copyto(self._heads, other._heads)
        for name in ("occlusion", "paint"):
            np.copyto(self.outputs[name], other.outputs[name])

    def forget_network(self) -> None:
        """The network's results as they are at rest: none."""
        self._heads[...] = 0.0
        self.outputs["paint"][...] = 0.0


class OpenVinoRuntime(Runtime):
    """OpenVINO on ``threads`` CPU threads.

    Args:
        encoder_path, renderer_path: what ``python -m export`` wrote.
        precision: ``"bf16"`` computes the convolutions in bfloat16 (the rest stays FP32), ``"auto"`` does so
            where the CPU has it.
        network: how often the network runs at first.
        skip_untrained: an untrained network, whose results are zero, is neither compiled nor run.

    Attributes:
        precision: what ``"auto"`` came to.
        untrained: whether the model is the plain landmark warp: its network gives zeros.
        weights: hash of the model's weights.
        warm_up_ms: how long the first rendering took, in the constructor.
    """

    name = "openvino"

    def __init__(
        self,
        encoder_path: Path,
        renderer_path: Path,
        *,
        threads: int,
        precision: Precision = "auto",
        network: Network = Network.EVERY_FRAME,
        skip_untrained: bool = False,
    ) -> None:
        if precision == "auto":
            precision = "bf16" if cpu_has_bf16() else "f32"
        self.precision: str = precision
        self.threads = threads
        encoder, renderer = _read(encoder_path), _read(renderer_path)
        card = _card(encoder, encoder_path, "encoder")
        if _card(renderer, renderer_path, "renderer")["weights_sha256"] != card["weights_sha256"]:
            raise MienError(f"{renderer_path}: not exported together with {encoder_path.name} ({_REMEDY})")
        self.untrained = card["untrained"] == "true"
        self.weights: str = card["weights_sha256"]
        # The encoder runs once per avatar: exact rather than fast.
        self._encoder = compile_for_cpu(encoder, threads=threads, precision="f32").create_infer_request()
        self._model = renderer
        self._renderer = _Renderer(renderer, threads, precision)
        self._other: _Renderer | None = None
        self._beside: Future[None] | None = None
        self._beside_code: AvatarCode | None = None
        self.network = Network.OFF if skip_untrained and self.untrained else network
        self._worker = ThreadPoolExecutor(1, "network", initializer=make_way)
        self._code: AvatarCode | None = None
        self._flow = np.zeros((FIELD_SIZE, FIELD_SIZE, 2), np.float32)
        self._paint = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)
        started = time.perf_counter()
        if self.network is not Network.OFF:
            self._renderer.run()  # the first call allocates and compiles kernels
            self._renderer.forget_network()
        self._renderer.run_light()
        self.warm_up_ms = 1e3 * (time.perf_counter() - started)

    @property
    def network(self) -> Network:
        """How often the network runs; may be changed between two frames."""
        return self._network

    @network.setter
    def network(self, network: Network) -> None:
        if network is Network.BESIDE and self._other is None:
            # One thread: it fills the time that the frames leave, and two would take theirs.
            self._other = _Renderer(self._model, 1, self.precision)
        if network is Network.OFF:
            # What it gave last would stay in every picture.
            self._finish()
            self._renderer.forget_network()
        self._network = network

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        features = self._encoder.infer({0: tensor})[0]
        return AvatarCode(tensor, np.array(features))

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        moving = point_inputs(source_points, driving_points, dense)
        inputs, outputs = self._renderer.inputs, self._renderer.outputs
        if code is not self._code:
            inputs["source"][...] = code.source
            inputs["features"][...] = code.features
            self._code = code
            self._renderer.forget_network()
        for name, values in zip(POINT_INPUTS, moving, strict=True):
            np.copyto(inputs[name], values)
        if self.network is Network.EVERY_FRAME:
            self._finish()
            self._renderer.run()
        else:
            if self.network is Network.BESIDE:
                self._run_beside(code)
            self._renderer.run_light()
        np.copyto(self._flow, outputs["flow"][0].transpose(1, 2, 0))
        np.copyto(self._paint, outputs["paint"][0].transpose(1, 2, 0))
        return Field(self._flow, outputs["occlusion"][0, 0], self._paint)

    @property
    def behind(self) -> bool:
        """Whether the network beside has finished something that no picture shows yet."""
        return self._network is Network.BESIDE and self._beside is not None and self._beside.done()

    def _run_beside(self, code: AvatarCode) -> None:
        """Take what the network has finished, and give it this frame when it is free."""
        other = self._other
        assert other is not None
        if self._beside is not None:
            if not self._beside.done():
                return
            self._beside.result()
            self._beside = None
            if self._beside_code is code:
                self._renderer.take_network(other)
        given = {name: a for name, a in self._renderer.inputs.items() if name not in ("source", "features")}
        if self._beside_code is code:
            if all(np.array_equal(other.inputs[name], array) for name, array in given.items()):
                return  # it would give the same again
        else:
            given = self._renderer.inputs
        for name, array in given.items():
            np.copyto(other.inputs[name], array)
        self._beside_code = code
        self._beside = self._worker.submit(other.run)

    def _finish(self) -> None:
        if self._beside is not None:
            self._beside.result()
        self._beside = self._beside_code = None


def _card(model: Any, path: Path, part: str) -> dict[str, str]:
    """The metadata that the export wrote into the file."""
    keys = ("name", "version", "part", "weights_sha256", "untrained")
    try:
        card = {key: str(model.get_rt_info(["framework", key]).astype(str)) for key in keys}
    except RuntimeError:
        card = {}
    if (card.get("name"), card.get("version"), card.get("part")) != (_MODEL, _MODEL_VERSION, part):
        raise MienError(f"{path}: not the {part} of {_MODEL} {_MODEL_VERSION} ({_REMEDY})")
    return card
