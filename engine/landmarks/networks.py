"""The three landmark networks compiled by OpenVINO, with preallocated inputs and outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats, Image, ModelError
from mien.engine.utils.converted import NetworkText, compile_converted
from mien.engine.utils.openvino_core import core, load_openvino
from mien.engine.utils.openvino_kernels import DIRECT, with_direct_convolutions

_Self = TypeVar("_Self", bound="_Network")

CONVERSION = 1
"""Another number makes networks that an earlier version of this module converted be converted anew."""

LANDMARK_SIDE = 256
DETECTOR_SIDE = 128


class _Network:
    """A compiled network with one infer request: write ``self._input``, call ``_infer``, read the outputs."""

    def __init__(self, compiled: Any, dtype: type[np.generic]) -> None:
        self._compiled = compiled
        self._dtype = dtype
        self._begin()

    def twin(self: _Self) -> _Self:
        """The same compiled network with its own request and arrays, for another thread."""
        other = copy(self)
        other._begin()
        return other

    def _begin(self) -> None:
        """Create the request and its arrays; subclasses name them here."""
        request = self._compiled.create_infer_request()
        self._input: NDArray[Any] = np.zeros(tuple(request.model_inputs[0].shape), self._dtype)
        request.set_input_tensor(load_openvino().Tensor(self._input, shared_memory=True))
        self._request = request
        self._infer()
        self._outputs: dict[str, NDArray[Any]] = {
            name: request.get_tensor(port).data for port in request.model_outputs for name in port.get_names()
        }

    def _infer(self) -> None:
        self._request.infer()


class DetectorNetwork(_Network):
    """The short-range face detector, 128 x 128 pixels to 896 anchors."""

    def __init__(self, data: bytes, threads: int) -> None:
        def convert() -> NetworkText:
            return NetworkText.of(_read(data, "face detector", mean=127.5, scale=127.5))

        super().__init__(_compiled(self, data, "detector", threads, convert), np.uint8)

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

    It computes in FP32 with direct convolutions, on every CPU: its maps are too narrow for less to pay.  On a
    Xeon with AMX it takes 4.9 ms of CPU time (beside other programs) so.  With its large layers in bfloat16
    and the last ones in FP32 it takes 5.7, and points differ by 0.08 pixels RMS; all in bfloat16 4.4, and
    0.28; in half precision (AVX-512 FP16) more than in FP32.  With all layers in eight-bit integers (NNCF,
    120 crops) points are wrong by 1.8 pixels RMS, and the time is 8 % less.
    """

    def __init__(self, data: bytes, threads: int) -> None:
        def convert() -> NetworkText:
            return with_direct_convolutions(NetworkText.of(self._model(data)))

        super().__init__(_compiled(self, data, f"landmarks, {DIRECT}", threads, convert), np.uint8)

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
        some = slice(None, None, LANDMARK_SIDE // 8)  # rows that tell most new images at once
        again = np.array_equal(self._input[0, some], self._seen[0, some])
        if not (again and np.array_equal(self._input, self._seen)):
            self._infer()
            np.copyto(self._seen, self._input)
        return self._points, float(1.0 / (1.0 + np.exp(-self._presence[0])))


class BlendshapeNetwork(_Network):
    """The blendshape network: 146 landmarks to 52 coefficients."""

    def __init__(self, data: bytes, threads: int) -> None:
        def convert() -> NetworkText:
            return NetworkText.of(_read(data, "blendshape"))

        super().__init__(_compiled(self, data, "blendshapes", threads, convert), np.float32)

    def _begin(self) -> None:
        super()._begin()
        self._result: Floats = next(iter(self._outputs.values())).reshape(-1)

    def run(self, points: Floats) -> Floats:
        """The coefficients ``(52,) float32`` of ``points``, ``(146, 2)`` image pixels."""
        self.start(points)
        return self.finish()

    def start(self, points: Floats) -> None:
        """Compute them in a thread of OpenVINO's, which ends by itself."""
        self._request.wait()
        self._input[0] = points
        self._request.start_async()

    def finish(self) -> Floats:
        """What was started last."""
        self._request.wait()
        return np.array(self._result, np.float32)


def _compiled(
    network: _Network, data: bytes, how: str, threads: int, convert: Callable[[], NetworkText]
) -> Any:
    how = f"{how}, version {CONVERSION}"
    return compile_converted(data, how, convert, threads=threads, name=type(network).__name__)


def read_tflite(data: bytes) -> Any:
    """Read a TFLite model.  OpenVINO reads TFLite only from files; its reader for bytes takes IR and ONNX."""
    with tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(data)
        return core().read_model(path)


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
