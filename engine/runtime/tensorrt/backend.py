"""Building, loading and running engines from ONNX; the same for ``tensorrt`` and ``tensorrt_rtx``.

Both have one API.  TensorRT for RTX compiles in two steps (to an engine without a GPU, to kernels when the
engine is loaded) and comes complete from PyPI; the full TensorRT must match the GPU and builds on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mien.engine.runtime.cuda import CudaError
from mien.engine.runtime.tensorrt.listeners import Progress, make_log, make_monitor
from mien.engine.types import ModelError

MODULES = ("tensorrt", "tensorrt_rtx")


class EngineError(ModelError):
    """An engine could not be built or loaded; another runtime must take over."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Shapes accepted by an engine: per input the smallest, the optimal, and the largest."""

    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]

    def __str__(self) -> str:
        def text(shape: tuple[int, ...]) -> str:
            return "x".join(map(str, shape))

        return " ".join(f"{k}={text(a)}:{text(b)}:{text(c)}" for k, (a, b, c) in sorted(self.shapes.items()))


class Execution(Protocol):
    """One execution of an engine: shapes and addresses are set once, then it is enqueued on streams."""

    def set_shape(self, name: str, shape: tuple[int, ...]) -> None: ...

    def set_address(self, name: str, address: int) -> None: ...

    def capturable(self, stream: int) -> bool:
        """Whether :meth:`enqueue` may be recorded into a CUDA graph."""

    def enqueue(self, stream: int) -> None: ...


class Engine(Protocol):
    """A loaded engine."""

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """The element type of every input and output."""

    def execution(self) -> Execution:
        """A new execution with its own scratch memory."""

    def close(self) -> None:
        """Release it before the GPU's context; its executions must have ended."""


class Backend(Protocol):
    """Builds and loads engines."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def build(self, onnx: bytes, profile: Profile, progress: Progress | None = None) -> bytes:
        """Build an engine; raises :class:`EngineError`."""

    def load(self, blob: bytes) -> Engine:
        """Load an engine; raises :class:`EngineError` if it is damaged or for another version or GPU."""


def find_backend(names: tuple[str, ...] = MODULES) -> TensorRt:
    """Import the first TensorRT package that works.

    Raises:
        EngineError: none is installed, or none works here.
    """
    reasons = []
    for name in names:
        try:
            return TensorRt(importlib.import_module(name))
        except ImportError as error:
            if error.name != name:
                reasons.append(f"{name} cannot be imported: {_line(error)}")
        except Exception as error:  # a broken CUDA library raises whatever its loader raises
            reasons.append(f"{name} cannot be imported: {_line(error)}")
    raise EngineError(
        "; ".join(reasons) or 'TensorRT is not installed (python -m pip install "mien[tensorrt-rtx]")'
    )


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class TensorRt:
    """A :class:`Backend` over an imported ``tensorrt`` or ``tensorrt_rtx`` module.

    Args:
        current_gpu: build for this machine's GPU only (TensorRT for RTX; faster there); otherwise its engines
            run on every supported GPU, and no GPU is needed to build them.
    """

    def __init__(self, module: Any, *, current_gpu: bool = False) -> None:
        self._trt = module
        self._current_gpu = current_gpu
        self._log = make_log(module)

    @property
    def name(self) -> str:
        return str(self._trt.__name__).split(".")[0]

    @property
    def version(self) -> str:
        return str(self._trt.__version__)

    @property
    def for_rtx(self) -> bool:
        return self.name == "tensorrt_rtx"

    def parse(self, onnx: bytes) -> tuple[Any, Any, Any]:
        """Builder, strongly typed network and parser (it owns the weights: keep it) of an ONNX model.

        Raises:
            EngineError: an operator that TensorRT does not support.
        """
        trt = self._trt
        builder = self._made(trt.Builder)
        typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if typed is None else 1 << int(typed))
        parser = trt.OnnxParser(network, self._log)
        if not parser.parse(onnx):
            errors = [parser.get_error(i).desc() for i in range(parser.num_errors)]
            raise EngineError(f"{self.name} {self.version} cannot read the model: {_first(errors)}")
        return builder, network, parser

    def _made(self, kind: Any) -> Any:
        """Create a ``Builder`` or ``Runtime``; the bindings raise ``TypeError`` without a usable driver."""
        self._log.errors.clear()
        try:
            return kind(self._log)
        except (TypeError, RuntimeError) as error:
            reason = _first(self._log.errors or [str(error)])
            raise EngineError(f"{self.name} {self.version} does not work here: {reason}") from error

    def build(self, onnx: bytes, profile: Profile, progress: Progress | None = None) -> bytes:
        from mien.engine.runtime.tensorrt.inspection import check_network

        builder, network, _parser = self.parse(onnx)
        check_network(self._trt, network, onnx)
        config = builder.create_builder_config()
        self._add_profile(builder, network, config, profile)
        if self.for_rtx and self._current_gpu:
            config.num_compute_capabilities = 1
            if not config.set_compute_capability(self._trt.ComputeCapability.CURRENT, 0):
                raise EngineError(f"TensorRT for RTX {self.version} does not support this GPU")
        if progress is not None:
            config.progress_monitor = make_monitor(self._trt, progress)
        self._log.errors.clear()
        blob = builder.build_serialized_network(network, config)
        if blob is None:
            raise EngineError(
                f"{self.name} {self.version} cannot build the engine: {_first(self._log.errors)}"
            )
        return bytes(blob)

    @staticmethod
    def _add_profile(builder: Any, network: Any, config: Any, profile: Profile) -> None:
        shapes = builder.create_optimization_profile()
        for index in range(network.num_inputs):
            tensor = network.get_input(index)
            if -1 in tuple(tensor.shape):
                shapes.set_shape(tensor.name, *profile.shapes[tensor.name])
        config.add_optimization_profile(shapes)

    def load(self, blob: bytes) -> Engine:
        self._log.errors.clear()
        runtime = self._made(self._trt.Runtime)
        engine = runtime.deserialize_cuda_engine(blob)
        if engine is None:
            raise EngineError(
                f"{self.name} {self.version} cannot load the engine: {_first(self._log.errors)}"
            )
        return _Loaded(self._trt, runtime, engine, self._log)


def _first(errors: list[str]) -> str:
    return _line(Exception(errors[0])) if errors else "it gave no reason"


class _Loaded:
    def __init__(self, trt: Any, runtime: Any, engine: Any, log: Any) -> None:
        self._trt, self._runtime, self._engine, self._log = trt, runtime, engine, log
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self.dtypes: Mapping[str, np.dtype[Any]] = {
            name: np.dtype(trt.nptype(engine.get_tensor_dtype(name))) for name in names
        }

    def execution(self) -> Execution:
        self._log.errors.clear()
        context = self._context()
        if context is None:
            raise EngineError(f"the engine cannot run on this GPU: {_first(self._log.errors)}")
        return _Running(context, self._log)

    def close(self) -> None:
        self._engine = self._runtime = None  # in this order

    def _context(self) -> Any:
        make = getattr(self._engine, "create_runtime_config", None)
        strategies = getattr(self._trt, "DynamicShapesKernelSpecializationStrategy", None)
        if make is None or strategies is None:
            return self._engine.create_execution_context()
        config = make()
        # Lazily specialised kernels would be swapped in after the CUDA graph was recorded.
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        return self._engine.create_execution_context(config)


class _Running:
    def __init__(self, context: Any, log: Any) -> None:
        self._context, self._log = context, log

    def set_shape(self, name: str, shape: tuple[int, ...]) -> None:
        if not self._context.set_input_shape(name, shape):
            raise EngineError(f"the engine does not take {name} of shape {shape}")

    def set_address(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise EngineError(f"the engine has no value {name!r}")

    def capturable(self, stream: int) -> bool:
        ask = getattr(self._context, "is_stream_capturable", None)
        return True if ask is None else bool(ask(stream))

    def enqueue(self, stream: int) -> None:
        if not self._context.execute_async_v3(stream):
            raise CudaError(f"TensorRT failed: {_first(self._log.errors)}")
