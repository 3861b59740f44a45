"""TensorRT for a :class:`~tests.fakes.cuda.FakeCuda`: an engine is an ONNX file that OpenVINO computes.

So the numbers are real: the runtime's results can be compared with the CPU's own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fakes.cuda import FakeCuda
from mien.engine.runtime.tensorrt.backend import EngineError, Profile
from mien.engine.runtime.tensorrt.listeners import Progress
from mien.engine.utils.openvino_core import compile_for_cpu, core

_HEAD = b"fake engine "


class FakeTensorRt:
    """A backend.

    Args:
        spoil: changes every graph before it is "built": a TensorRT with a bug.
        refuse: every build fails with this reason.
    """

    def __init__(
        self,
        cuda: FakeCuda,
        version: str = "99.0",
        spoil: Callable[[Any], Any] | None = None,
        refuse: str | None = None,
    ) -> None:
        self.name, self.version = "tensorrt", version
        self.built: list[str] = []
        self.loaded: list[FakeEngine] = []
        self._cuda, self._spoil, self._refuse = cuda, spoil, refuse

    def build(self, onnx: bytes, profile: Profile, progress: Progress | None = None) -> bytes:
        import onnx as onnx_package

        if self._refuse is not None:
            raise EngineError(self._refuse)
        proto = onnx_package.load_from_string(onnx)
        assert {value.name for value in proto.graph.input} == set(profile.shapes) or "pixels" in str(profile)
        for share in (0.0, 0.5, 1.0):
            if progress is not None:
                progress("fake", share)
        self.built.append(str(profile))
        if self._spoil is not None:
            onnx = self._spoil(proto).SerializeToString()
        return _HEAD + self.version.encode() + b"\n" + onnx

    def load(self, blob: bytes) -> FakeEngine:
        head, _, onnx = blob.partition(b"\n")
        if head != _HEAD + self.version.encode():
            raise EngineError("not an engine of this version")
        engine = FakeEngine(self._cuda, onnx)
        self.loaded.append(engine)
        return engine


class FakeEngine:
    def __init__(self, cuda: FakeCuda, onnx: bytes) -> None:
        self.cuda, self.onnx = cuda, onnx
        model = core().read_model(onnx, b"")
        kinds = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}
        self.inputs = {v.get_any_name(): v.get_partial_shape() for v in model.inputs}
        self.outputs = [v.get_any_name() for v in model.outputs]
        self.dtypes: Mapping[str, np.dtype[Any]] = {
            v.get_any_name(): np.dtype(kinds[v.get_element_type().get_type_name()])
            for v in (*model.inputs, *model.outputs)
        }
        self._compiled: dict[str, Any] = {}
        self.closed = False

    def execution(self) -> FakeExecution:
        assert not self.closed, "an execution of an engine that was released"
        return FakeExecution(self)

    def close(self) -> None:
        assert not self.cuda.closed, "an engine that outlives the GPU's context"
        self.closed = True

    def compiled(self, shapes: Mapping[str, tuple[int, ...]]) -> Any:
        key = str(sorted(shapes.items()))
        if key not in self._compiled:
            model = core().read_model(self.onnx, b"")
            model.reshape({name: list(shape) for name, shape in shapes.items()})
            self._compiled[key] = compile_for_cpu(model, threads=2, precision="f32")
        return self._compiled[key]


class FakeExecution:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._shapes = {k: tuple(s.to_shape()) for k, s in engine.inputs.items() if s.is_static}
        self._addresses: dict[str, int] = {}

    def set_shape(self, name: str, shape: tuple[int, ...]) -> None:
        self._shapes[name] = shape

    def set_address(self, name: str, address: int) -> None:
        assert name in self._engine.dtypes, name
        self._addresses[name] = address

    def capturable(self, stream: int) -> bool:
        return True

    def enqueue(self, stream: int) -> None:
        assert set(self._addresses) == set(self._engine.dtypes), "a tensor has no address"
        compiled = self._engine.compiled(self._shapes)
        addresses = dict(self._addresses)

        def work() -> None:
            inputs = {k: self._view(k, s, addresses[k]) for k, s in self._shapes.items()}
            found = compiled(inputs)
            for output in compiled.outputs:
                name = output.get_any_name()
                values = found[output]
                self._view(name, values.shape, addresses[name])[...] = values

        self._engine.cuda.put(stream, work)

    def _view(self, name: str, shape: tuple[int, ...], address: int) -> np.ndarray:
        kind = self._engine.dtypes[name]
        size = int(np.prod(shape)) * kind.itemsize
        self._engine.cuda.check(address, size, "device")
        raw = (ctypes.c_ubyte * size).from_address(address)
        return np.frombuffer(raw, dtype=kind).reshape(shape)
