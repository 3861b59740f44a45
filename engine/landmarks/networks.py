"""The three landmark networks compiled by OpenVINO, with preallocated inputs and outputs."""

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
from mien.engine.utils.openvino_kernels import with_direct_convolutions

_Self = TypeVar("_Self", bound="_Network")

LANDMARK_SIDE = 256
DETECTOR_SIDE = 128


class _Network:
    """A compiled network with one infer request.  Write ``self._input``, call ``_infer``, read the outputs.

    Args:
        parts: models with their precisions; the only output of each is the only input of the next.
    """

    def __init__(self, parts: Sequence[tuple[Any, str]], threads: int, dtype: type[np.generic]) -> None:
        self._compiled = [
            compile_for_cpu(part, threads=threads, precision=precision, name=type(self).__name__, kept=True)
            for part, precision in parts
        ]
        self._dtype = dtype
        self._begin()

    def twin(self: _Self) -> _Self:
        """The same compiled network with its own request and arrays, for another thread."""
        other = copy(self)
        other._begin()
        return other

    def _begin(self) -> None:
        """Create the request and its arrays; subclasses name them here."""
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
        self.image: Image = self._input[0]
        self._boxes: Floats = self._outputs["regressors"].reshape(-1, 16)
        self._scores: Floats = self._outputs["classificators"].reshape(-1)

    def run(self) -> tuple[Floats, Floats]:
        """Boxes and key points ``(896, 16)`` and score logits ``(896,)`` of ``self.image``, as views."""
        self._infer()
        return self._boxes, self._scores


class LandmarkNetwork(_Network):
    """The landmark network: 256 x 256 pixels to 478 points and the presence of a face.

    With ``precision`` ``"bf16"`` the large layers run in bfloat16, a sixth faster on CPUs that are fast in
    it.  The layers that turn features into points stay in FP32, because bfloat16 cannot represent tenths of a
    pixel above 32.  The points then differ by 0.08 pixels RMS (0.27 with all layers in bfloat16), less than
    half of the network's own noise.  Eight-bit integers are no way: with all layers quantised (NNCF, 120
    crops) the points are wrong by 1.8 pixels RMS, and the time is 8 % less.
    """

    def __init__(self, data: bytes, threads: int, precision: str = "f32") -> None:
        if precision == "f32":
            parts = [(with_direct_convolutions(self._model(data)), precision)]
        else:
            # Read twice: cutting a graph destroys it.
            large, small = _cut(self._model(data), self._model(data))
            parts = [(large, precision), (small, "f32")]
        super().__init__(parts, threads, np.uint8)

    @staticmethod
    def _model(data: bytes) -> Any:
        return _read(data, "face landmark", mean=0.0, scale=255.0)

    def _begin(self) -> None:
        super()._begin()
        self._seen = self._input.copy()
        self.image: Image = self._input[0]
        self._points: Floats = self._outputs["Identity"].reshape(-1, 3)
        self._presence: Floats = self._outputs["Identity_1"].reshape(-1)

    def run(self) -> tuple[Floats, float]:
        """Points ``(478, 3)`` in crop pixels (a view) and presence in 0..1 for ``self.image``.

        An image that is the last one again is not computed again: cameras repeat frames in the dark, and
        clips at a lower rate than their file's do everywhere.
        """
        if not np.array_equal(self._input, self._seen):
            self._infer()
            np.copyto(self._seen, self._input)
        return self._points, float(1.0 / (1.0 + np.exp(-self._presence[0])))


class BlendshapeNetwork(_Network):
    """The blendshape network: 146 landmarks to 52 coefficients."""

    def __init__(self, data: bytes, threads: int) -> None:
        super().__init__([(_read(data, "blendshape"), "f32")], threads, np.float32)

    def _begin(self) -> None:
        super()._begin()
        self._result: Floats = next(iter(self._outputs.values())).reshape(-1)

    def run(self, points: Floats) -> Floats:
        """The coefficients ``(52,) float32`` of ``points``, ``(146, 2)`` image pixels."""
        self._input[0] = points
        self._infer()
        return np.array(self._result, np.float32)


def read_tflite(data: bytes) -> Any:
    """Read a TFLite model.  OpenVINO reads TFLite only from files; its reader for bytes takes IR and ONNX."""
    with tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(data)
        return core().read_model(path)


CUT_SIDE = 8
"""Side of the feature maps from which on the network stays in FP32; the layers before take most of the
time."""


def _cut(first: Any, second: Any) -> tuple[Any, Any]:
    """Split a network before its first block of 8 x 8 maps.

    Args:
        first, second: the same network, read twice.
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
    """The single output that feeds the 8 x 8 maps: the one after the second activation of that size.

    (The first activation is inside a residual block.)
    """
    found = [
        node.output(0)
        for node in model.get_ordered_ops()
        if node.get_type_name() == "PRelu" and list(node.output(0).get_shape())[2:] == [CUT_SIDE, CUT_SIDE]
    ]
    return found[1]


def _read(data: bytes, what: str, mean: float = 0.0, scale: float | None = None) -> Any:
    """Read the network in ``data``; with ``scale``, its input becomes ``uint8`` and is normalised inside."""
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
