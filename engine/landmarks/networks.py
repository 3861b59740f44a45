"""The three networks, compiled by OpenVINO, each with inputs and outputs that are allocated once."""

from __future__ import annotations

import tempfile
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.openvino_core import compile_for_cpu, core, load_openvino
from engine.types import Floats, Image, MienError

_Self = TypeVar("_Self", bound="_Network")

LANDMARK_SIDE = 256
DETECTOR_SIDE = 128


class _Network:
    """One compiled network with one request.  Write ``self._input``, call ``_infer``, read the outputs."""

    def __init__(self, model: Any, threads: int, precision: str, dtype: type[np.generic]) -> None:
        self._compiled, self._dtype = compile_for_cpu(model, threads=threads, precision=precision), dtype
        self._begin()

    def twin(self: _Self) -> _Self:
        """The same network, not compiled again, with a request and arrays of its own for another thread."""
        other = copy(self)
        other._begin()
        return other

    def _begin(self) -> None:
        """Make the request and the arrays; where subclasses name those."""
        openvino = load_openvino()
        request = self._compiled.create_infer_request()
        self._input: NDArray[Any] = np.zeros(tuple(request.model_inputs[0].shape), self._dtype)
        request.set_input_tensor(openvino.Tensor(self._input, shared_memory=True))
        self._infer = request.infer
        request.infer()
        self._outputs: dict[str, NDArray[Any]] = {
            name: request.get_tensor(port).data for port in request.model_outputs for name in port.get_names()
        }
        self._request = request


class DetectorNetwork(_Network):
    """The short-range face detector, 128 x 128 pixels to 896 anchors."""

    def __init__(self, data: bytes, threads: int) -> None:
        model = _read(data, "face detector", mean=127.5, scale=127.5)
        super().__init__(model, threads, "f32", np.uint8)

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
    """The landmark network, 256 x 256 pixels to 478 points and the presence of a face."""

    def __init__(self, data: bytes, threads: int, precision: str = "f32") -> None:
        model = _read(data, "face landmark", mean=0.0, scale=255.0)
        super().__init__(model, threads, precision, np.uint8)

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
        super().__init__(_read(data, "blendshape"), threads, "f32", np.float32)

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
        raise MienError(f"The {what} model is damaged ({reason}). Reinstall mien.") from error
