"""The renderer network in OpenVINO: whole or in parts of different precision, and without the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.engine.runtime.quantisation import Bounds, quantised
from mien.engine.types import Floats, ModelError
from mien.engine.utils.openvino_core import compile_for_cpu, load_openvino

_OUTPUTS = ("flow", "occlusion", "paint")
_SEEN = ("prior.flow", "prior.maps", "prior.change", "prior.life", "prior.features")

#: (inputs, outputs, whether low precision is allowed) of each part, in the order of computation.
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


_POINTS = ("source_points", "driving_points", "dense")
#: The flow of a frame that reuses an earlier network output: landmark arithmetic only, FP32.
_LIGHT = ((*_POINTS, "correction.heads"), "flow")
#: The same without the network: its corrections need not be known (a quarter of the time).
_WARP = (_POINTS, "prior.flow")


def _output(model: Any, name: str) -> Any:
    """The node output that carries the tensor ``name``."""
    for node in model.get_ordered_ops():
        for output in node.outputs():
            if name in output.get_names():
                return output
    raise ModelError(f"the renderer has no value {name!r}; it was exported for another version of mien")


def _cut(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of ``model`` between the named values, as a model with these inputs and outputs."""
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


@dataclass(frozen=True, slots=True)
class NetworkResults:
    """The network's contribution to the warp, valid until its next run; all arrays are copies.

    Attributes:
        heads: ``(1, 4, 64, 64) float32``, the correction's raw heads.
        occlusion, paint: as in :class:`mien.engine.avatar.model_io.Field`, channels first, with a batch axis.
    """

    heads: Floats
    occlusion: Floats
    paint: Floats


class PartedRenderer:
    """Compiled parts with shared tensors: one, or several run in sequence, and light ones without network."""

    def __init__(self, model: Any, threads: int, precision: str, bounds: Bounds) -> None:
        tensor = load_openvino().Tensor
        self.inputs: dict[str, Floats] = {
            value.get_any_name(): np.zeros(tuple(value.get_shape()), np.float32) for value in model.inputs
        }
        whole = (tuple(self.inputs), (*_OUTPUTS, "correction.heads"), True)
        parts = _PARTS if precision == "bf16" else (whole,)
        values = {name: tensor(array, shared_memory=True) for name, array in self.inputs.items()}

        def compiled(inputs: Sequence[str], outputs: Sequence[str], low: bool) -> Any:
            integers = low and precision == "int8"
            part = _cut(quantised(model, bounds) if integers else model, inputs, outputs)
            request = compile_for_cpu(
                part,
                threads=threads,
                precision="bf16" if low and precision == "bf16" else "f32",
                name=f"renderer: {', '.join(outputs)}",
                kept=True,
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

        def compile_small(inputs: Sequence[str], output: str) -> Any:
            request = compiled(inputs, (output,), False)
            # All write the flow to the same buffer.
            request.set_output_tensor(0, values["flow"])
            return request

        self._compile_small = compile_small
        self._small: dict[str, Any] = {}

    def run(self) -> None:
        """Run everything; compiled at the first call, which takes half a second."""
        if not self._requests:
            self._requests = self._compile_parts()
        for request in self._requests:
            request.infer()

    def warm_up(self) -> None:
        """Run everything once, unless it has run: the first call allocates, too."""
        if not self._requests:
            self.run()
            self.forget_network()

    def release(self) -> None:
        """Free what :meth:`run` has compiled (40 to 80 MB); the light parts stay."""
        self._requests.clear()

    def run_light(self) -> None:
        """Compute the flow alone, with the network's contribution and the paint of the last :meth:`run`."""
        self._run_small(*_LIGHT)

    def run_warp(self) -> None:
        """Compute the flow alone, without the network's contribution."""
        self._run_small(*_WARP)

    def _run_small(self, inputs: Sequence[str], output: str) -> None:
        """Run a light part; compiled at the first call, 0.1 s."""
        if output not in self._small:
            self._small[output] = self._compile_small(inputs, output)
        self._small[output].infer()

    def results(self) -> NetworkResults:
        """A copy of the network's last results."""
        return NetworkResults(
            self._heads.copy(), *(self.outputs[name].copy() for name in ("occlusion", "paint"))
        )

    def give(self, results: NetworkResults) -> None:
        """Copy the network's last results into ``results``."""
        np.copyto(results.heads, self._heads)
        np.copyto(results.occlusion, self.outputs["occlusion"])
        np.copyto(results.paint, self.outputs["paint"])

    def take(self, results: NetworkResults) -> None:
        """Restore these results, as if the network had just computed them."""
        np.copyto(self._heads, results.heads)
        np.copyto(self.outputs["occlusion"], results.occlusion)
        np.copyto(self.outputs["paint"], results.paint)

    def forget_network(self) -> None:
        """Reset the network's results to none."""
        self._heads[...] = 0.0
        self.outputs["paint"][...] = 0.0
