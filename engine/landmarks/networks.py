"""The three networks, compiled by OpenVINO, each with inputs and outputs that are allocated once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats, Image, ModelError
from mien.engine.utils.openvino_core import compile_for_cpu, core, load_openvino

_Self = TypeVar("_Self", bound="_Network")

LANDMARK_SIDE = 256
DETECTOR_SIDE = 128


class _Network:
    """A compiled network with one request.  Write ``self._input``, call ``_infer``, read the outputs.

    Args:
        parts: models and their precisions; each part's only output is the next one's only input.
    """

    def __init__(self, parts: Sequence[tuple[Any, str]], threads: int, dtype: type[np.generic]) -> None:
        self._compiled = [compile_for_cpu(m, threads=threads, precision=precision) for m, precision in parts]
        self._dtype = dtype
        self._begin()

    def twin(self: _Self) -> _Self:
        """The same network, not compiled again, with a request and arrays of its own for another thread."""
        other = copy(self)
        other._begin()
        return other

    def _begin(self) -> None:
        """Make the request and the arrays; where subclasses name those."""
        openvino = load_openvino()
        requests = [compiled.create_infer_request() for compiled in self._compiled]
        first, last = requests[0], requests[-1]
        self._input: NDArray[Any] = np.zeros(tuple(first.model_inputs[0].shape), self._dtype)
        first.set_input_tensor(openvino.Tensor(self._input, shared_memory=True))
        for before, after in pairwise(requests):
            after.set_input_tensor(before.get_output_tensor())
        self._requests = requests
        self._infer()
        self._outputs: dict[str, NDArray[Any]] = {
            name: last.get_tensor(port).data for port in last.model_outputs for name in port.get_names()
        }

    def _infer(self) -> None:
        for request in self._requests:
            request.infer()


class DetectorNetwork(_Network):
    """The short-range face detector, 128 x 128 pixels to 896 anchors."""

    def __init__(self, data: bytes, threads: int) -> None:
        model = _read(data, "face detector", mean=127.5, scale=127.5)
        super().__init__([(model, "f32")], threads, np.uint8)

    def _begin(self) -> None:
        super()._begin()
        self.picture: Image = self._input[0]
        self._boxes: Floats = self._outputs["regressors"].reshape(-1, 16)
        self._scores: Floats = self._outputs["classificators"].reshape(-1)

    def run(self) -> tuple[Floats, Floats]:
        """Boxes and key points ``(896, 16)`` and score logits ``(896,)`` of ``self.picture``; views."""
        self._infer()
        return self._boxes, self._scores


class LandmarkNetwork(_Network):
    """The landmark network, 256 x 256 pixels to 478 points and the presence of a face.

    With a ``precision`` of ``"bf16"`` its large layers run in that, a sixth quicker; what makes points of
    them stays in FP32, since bfloat16 knows no tenths of a pixel beyond 32.  The points differ by 0.08 pixels
    (root mean square; wholly in bfloat16 by 0.27), less than half of the network's own noise.
    """

    def __init__(self, data: bytes, threads: int, precision: str = "f32") -> None:
        if precision == "f32":
            parts = [(self._model(data), precision)]
        else:
            # Two readings: a graph that is cut is of no use any more.
            large, small = _cut(self._model(data), self._model(data))
            parts = [(large, precision), (small, "f32")]
        super().__init__(parts, threads, np.uint8)

    @staticmethod
    def _model(data: bytes) -> Any:
        return _read(data, "face landmark", mean=0.0, scale=255.0)

    def _begin(self) -> None:
        super()._begin()
        self.picture: Image = self._input[0]
        self._points: Floats = self._outputs["Identity"].reshape(-1, 3)
        self._presence: Floats = self._outputs["Identity_1"].reshape(-1)

    def run(self) -> tuple[Floats, float]:
        """Points ``(478, 3)`` in crop pixels (a view) and presence in 0..1 of ``self.picture``."""
        self._infer()
        return self._points, float(1.0 / (1.0 + np.exp(-self._presence[0])))


class BlendshapeNetwork(_Network):
    """The blendshape network: 146 of the landmarks to 52 coefficients."""

    def __init__(self, data: bytes, threads: int) -> None:
        super().__init__([(_read(data, "blendshape"), "f32")], threads, np.float32)

    def _begin(self) -> None:
        super()._begin()
        self._result: Floats = next(iter(self._outputs.values())).reshape(-1)

    def run(self, points: Floats) -> Floats:
        """``(52,) float32`` from ``points``: ``(146, 2)`` image pixels."""
        self._input[0] = points
        self._infer()
        return np.array(self._result, np.float32)


def read_tflite(data: bytes) -> Any:
    """OpenVINO reads TFLite from files only (its reader for bytes knows IR and ONNX)."""
    with tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(data)
        return core().read_model(path)


CUT_SIDE = 8
"""Side of the maps from which on the landmark network stays in FP32: those before take most of its time."""


def _cut(first: Any, second: Any) -> tuple[Any, Any]:
    """The part of a network up to its first block of 8 x 8 maps, and the rest.

    Args:
        first, second: the network, twice.
    """
    openvino = load_openvino()
    from openvino import opset13

    last = _entrance(first)
    large = openvino.Model([opset13.result(last)], first.get_parameters(), "large")
    entrance = _entrance(second)
    given = opset13.parameter(entrance.get_shape(), openvino.Type.f32)
    for use in list(entrance.get_target_inputs()):
        use.replace_source_output(given.output(0))
    return large, openvino.Model(second.get_results(), [given], "small")


def _entrance(model: Any) -> Any:
    """The output through which all must pass to the 8 x 8 maps: behind its second activation there.

    (The first lies inside of a residual block.)
    """
    found = [
        node.output(0)
        for node in model.get_ordered_ops()
        if node.get_type_name() == "PRelu" and list(node.output(0).get_shape())[2:] == [CUT_SIDE, CUT_SIDE]
    ]
    return found[1]


def _read(data: bytes, what: str, mean: float = 0.0, scale: float | None = None) -> Any:
    """The network in ``data``; with ``scale``, its input becomes ``uint8`` and is normalised inside."""
    try:
        model = read_tflite(data)
        shape = [1, *list(model.input(0).partial_shape)[1:]]
        model.reshape(shape)
        if scale is None:
            return model
        openvino = load_openvino()
        from openvino import preprocess

        steps = preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8)
        steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(mean).scale(scale)
        return steps.build()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"The {what} model is damaged ({reason}). Reinstall mien.") from error
