"""Preparation of a checked runtime: find TensorRT and the GPU, load or build the engines, check parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mien.engine.avatar.model_io import POINT_INPUTS, point_inputs
from mien.engine.runtime import parity
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing
from mien.engine.runtime.cuda import Cuda, CudaError
from mien.engine.runtime.failover import close_quietly
from mien.engine.runtime.tensorrt.backend import Backend, Engine, EngineError
from mien.engine.runtime.tensorrt.cache import EngineCache, EngineKey
from mien.engine.runtime.tensorrt.layer_comparison import compare_layers, first_wrong, write_dump
from mien.engine.runtime.tensorrt.listeners import Progress
from mien.engine.runtime.tensorrt.parts import MAX_BATCH, Part, Precision, live_parts, read_onnx
from mien.engine.runtime.tensorrt.runtime import LiveEngines, TensorRtRuntime
from mien.engine.types import MienError

#: Called with one line for the user.
Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Model:
    """Contents of the ``live`` preset's exported files."""

    encoder: bytes
    renderer: bytes

    @staticmethod
    def read(encoder: Path, renderer: Path) -> Model:
        """Read both files; raises :class:`MienError` if one cannot be read."""
        return Model(read_onnx(encoder), read_onnx(renderer))


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Everything needed to build engines.

    Attributes:
        notify: called with lines for the user (a cache that cannot be written).
        progress: called with the part being built and its progress, 0..1.
    """

    backend: Backend
    cuda: Cuda
    cache: EngineCache
    notify: Notify = lambda line: None
    progress: Progress = lambda part, share: None

    def key(self, part: Part) -> EngineKey:
        """The cache key of an engine of ``part`` on this machine."""
        device = self.cuda.device
        return EngineKey(
            part=part.name,
            weights=part.sha256,
            card=device.name,
            capability=f"{device.capability[0]}.{device.capability[1]}",
            driver=device.driver,
            backend=f"{self.backend.name} {self.backend.version}",
            precision=part.precision,
            shapes=str(part.profile),
        )

    def engine(self, part: Part) -> Engine:
        """The part's engine: from the cache, or built (by one process at a time) and stored.

        Raises:
            EngineError: it cannot be built or loaded.
        """
        key = self.key(part)
        kept = self._kept(key)
        if kept is not None:
            return kept
        with self.cache.building(key):
            kept = self._kept(key)  # another process may have built it meanwhile
            if kept is not None:
                return kept
            self.progress(part.name, 0.0)
            # TensorRT names its phases; the name of the part is enough for the user.
            blob = self.backend.build(
                part.onnx, part.profile, lambda _, share: self.progress(part.name, share)
            )
            engine = self.backend.load(blob)
            problem = self.cache.store(key, blob)
            self.progress(part.name, 1.0)
        if problem is not None:
            self.notify(problem)
        return engine

    def engines(self, parts: Mapping[str, Part]) -> dict[str, Engine]:
        """The engines of all parts, by the parts' keys.

        Raises:
            EngineError: one cannot be built or loaded; none stays on the GPU then.
        """
        self.cuda.attach()
        with ExitStack() as stack:
            found = {}
            try:
                for name, part in parts.items():
                    found[name] = self.engine(part)
                    stack.callback(found[name].close)
            except MemoryError as error:
                raise CudaError("there is not enough memory to build the engines") from error
            stack.pop_all()
        return found

    def parity_error(
        self, failure: str, onnx: bytes, inputs: Mapping[str, NDArray[Any]], precision: Precision
    ) -> EngineError:
        """Create the error for a network that failed its parity check, naming the first wrong layer if any.

        Args:
            onnx: the network, FP32, batch 1.
            inputs: inputs of one item.
        """
        named = f"{self.backend.name} {self.backend.version}: {failure}"
        try:
            layers = compare_layers(self.backend, self.cuda, onnx, inputs, half=precision == "fp16")
        except MienError as error:
            return EngineError(f"{named} (the layer is not known: {error})")
        dump = self.cache.folder / "layers.json" if self.cache.folder else None
        where = f"; all layers: {dump}" if dump and write_dump(layers, dump) else ""
        layer = first_wrong(layers)
        if layer is None:
            return EngineError(f"{named} (no single layer of the network is wrong{where})")
        return EngineError(f"{named} (first wrong in layer {layer.layer!r}, {layer.kind}{where})")

    def _kept(self, key: EngineKey) -> Engine | None:
        blob = self.cache.load(key)
        if blob is None:
            return None
        try:
            return self.backend.load(blob)
        except EngineError:
            self.cache.discard(key)
            return None


def prepare(
    model: Model,
    reference: Runtime,
    context: BuildContext,
    *,
    precision: Precision = "fp16",
    batch: int = MAX_BATCH,
    limits: parity.Limits | None = None,
) -> TensorRtRuntime:
    """Build a runtime that has passed the parity check.

    Args:
        reference: computes the same model in FP32; used in this thread, so not one that renders elsewhere.

    Raises:
        MienError: no engine, not enough memory, or results that differ from the reference; in one line.
    """
    parts = live_parts(model.encoder, model.renderer, precision, batch)
    engines = context.engines(parts)
    code = parts["encoder"].outputs
    runtime = TensorRtRuntime(LiveEngines(**engines, code=code, batch=batch), context.cuda)
    with ExitStack() as stack:
        stack.callback(close_quietly, runtime)
        drawings = parity.real_drawings(reference)
        report = parity.check(reference, runtime, drawings, limits)
        if report.failure is None:
            report = _check_encoder(reference, runtime, drawings, limits)
        if report.failure is not None:
            last = drawings[-1]
            points = point_inputs(last.source_points, last.driving_points, last.dense)
            inputs = {"source": last.code.source, "features": last.code.features}
            inputs |= dict(zip(POINT_INPUTS, points, strict=True))
            raise context.parity_error(report.failure, model.renderer, inputs, precision)
        stack.pop_all()
    return runtime


def _check_encoder(
    reference: Runtime, runtime: BatchRuntime, drawings: list[Drawing], limits: parity.Limits | None
) -> parity.ParityReport:
    """Check the same frames with the avatar's code computed on the GPU."""
    drawn = parity.real_drawings(runtime, len(drawings))
    images = parity.check(reference, runtime, drawn[:2], limits)
    if images.failure is not None:
        return images
    return parity.check_codes(drawings[0].code, drawn[0].code, images)
