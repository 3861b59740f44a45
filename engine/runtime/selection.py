"""Choice of the runtime: TensorRT if there is a GPU and its engines pass the parity check, else the next."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, cast

from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime
from mien.engine.runtime.failover import FailoverRuntime, Notify, Working
from mien.engine.runtime.openvino import Network, OpenVinoRuntime, Precision
from mien.engine.types import MienError, ModelError
from mien.engine.utils.folders import NO_HOME

if TYPE_CHECKING:
    from mien.engine.runtime.tensorrt.prepare import BuildContext, Model

Choice = Literal["auto", "openvino", "tensorrt", "torch"]
CHOICES: tuple[Choice, ...] = ("auto", "openvino", "tensorrt", "torch")
Progress = Callable[[str, float], None]


def _silent(part: str, share: float) -> None:
    pass


class Closable(Working, Protocol):
    """Something made on a GPU; closing it releases the GPU."""

    def when_closed(self, work: Callable[[], None]) -> None: ...


R = TypeVar("R", bound=Working)
R_co = TypeVar("R_co", covariant=True)
C = TypeVar("C", bound=Closable)


@dataclass(frozen=True, slots=True)
class CpuSettings:
    """How a model runs on the CPU.

    Attributes:
        threads: None for the preset's usual number.
        precision: of the convolutions.
        network: how often the network runs, where the preset can leave it out.
    """

    threads: int | None = None
    precision: Precision = "auto"
    network: Network = Network.EVERY_FRAME


@dataclass(frozen=True, slots=True)
class RuntimeOptions(Generic[R]):
    """The ways to run one model.

    Attributes:
        fallback: available at once.
        tensorrt, torch: build and check a GPU runtime, which takes a while; they raise :class:`MienError`
            if that is not possible.
        join: creates a failover from ``fallback`` to the result of a function.
    """

    fallback: R
    tensorrt: Callable[[Notify, Progress], R]
    torch: Callable[[], R]
    join: Callable[[R, Callable[[], R], Notify], Joined[R]]


class Joined(Protocol[R_co]):
    """A failover pair."""

    def wait(self) -> R_co: ...


def choose(choice: Choice, options: RuntimeOptions[R], *, notify: Notify, progress: Progress = _silent) -> R:
    """Create the runtime for ``choice``, ready to render at once.

    ``"openvino"`` is ``options.fallback``.  ``"auto"`` starts with that; if TensorRT and an NVIDIA GPU are
    present, engines are loaded or built in the background and take over once they have passed the parity
    check.  ``"tensorrt"`` and ``"torch"`` wait for the GPU runtime.  A runtime that cannot be used is named
    in one line through ``notify``, and the next is used: TensorRT, torch on CUDA, OpenVINO.
    """
    if stays_on_cpu(choice):
        return options.fallback

    def on_tensorrt() -> R:
        try:
            return options.tensorrt(notify, progress)
        except MienError as error:
            if not torch_has_gpu():
                raise
            notify(f"{error}; torch is tried")
            return options.torch()

    better = options.join(options.fallback, options.torch if choice == "torch" else on_tensorrt, notify)
    if choice != "auto":
        better.wait()
    return cast(R, better)


def stays_on_cpu(choice: Choice) -> bool:
    """Whether :func:`choose` uses the fallback and prepares nothing on a GPU."""
    if choice == "openvino":
        return True
    return choice == "auto" and (not tensorrt_installed() or device_problem() is not None)


def live_options(
    fallback: Runtime, model: Callable[[], Model], reference: Callable[[], Runtime]
) -> RuntimeOptions[Runtime]:
    """The options of the ``live`` preset.

    Args:
        fallback: available at once.
        model: the exported parts; called when something is to be built from them.
        reference: creates a runtime that computes the same in FP32; a new one, because ``fallback`` may be
            used by another thread meanwhile.
    """

    def tensorrt(notify: Notify, progress: Progress) -> Runtime:
        from mien.engine.runtime.tensorrt.prepare import prepare

        return on_device(lambda context: prepare(model(), reference(), context), notify, progress)

    def torch() -> Runtime:
        from mien.engine.runtime.torch_cuda import import_torch

        import_torch()  # fail before anything slow
        return make_torch(model(), reference())

    return RuntimeOptions(fallback, tensorrt, torch, FailoverRuntime)


def live_files(cpu: OpenVinoRuntime, encoder: Path, renderer: Path) -> RuntimeOptions[Runtime]:
    """The options of exported files that ``cpu`` runs."""

    def model() -> Model:
        from mien.engine.runtime.tensorrt.prepare import Model

        return Model.read(encoder, renderer)

    def reference() -> Runtime:
        return OpenVinoRuntime(encoder, renderer, threads=1, precision="f32")

    return live_options(cpu, model, reference)


def on_device(make: Callable[[BuildContext], C], notify: Notify, progress: Progress) -> C:
    """Run ``make`` on the first GPU, which is released when the result is closed or ``make`` fails.

    Raises:
        MienError: no GPU, no TensorRT, or an error of ``make``.
    """
    from mien.engine.runtime.cuda import CudaError, open_device
    from mien.engine.runtime.tensorrt.backend import find_backend
    from mien.engine.runtime.tensorrt.cache import EngineCache
    from mien.engine.runtime.tensorrt.prepare import BuildContext

    cuda = open_device()  # first: without a GPU, TensorRT does not matter
    try:
        made = make(BuildContext(find_backend(), cuda, EngineCache(), notify, progress))
    except BaseException:
        with suppress(CudaError):
            cuda.close()
        raise
    made.when_closed(cuda.close)
    return made


def make_torch(model: Model, reference: Runtime) -> BatchRuntime:
    """Create the torch runtime on CUDA and check it; raises :class:`MienError` if that is not possible."""
    from mien.engine.runtime import parity
    from mien.engine.runtime.torch_cuda import TorchCudaRuntime

    runtime = TorchCudaRuntime(model.encoder, model.renderer)
    report = parity.check(reference, runtime, parity.real_drawings(reference))
    if report.failure is not None:
        raise ModelError(f"torch on CUDA: {report.failure}")
    return runtime


def tensorrt_installed() -> bool:
    """Whether one of TensorRT's packages is installed (without importing it)."""
    from mien.engine.runtime.tensorrt.backend import MODULES

    return any(importlib.util.find_spec(name) is not None for name in MODULES)


def device_problem() -> str | None:
    """Why no NVIDIA GPU can be used; None if one can."""
    from mien.engine.runtime.cuda import CudaError, open_device

    try:
        open_device().close()
    except CudaError as error:
        return str(error)
    return None


def torch_has_gpu() -> bool:
    """Whether torch is installed and finds a GPU."""
    from mien.engine.runtime.torch_cuda import import_torch

    try:
        import_torch()
    except MienError:
        return False
    return True


def describe_gpu() -> str:
    """The NVIDIA GPU and TensorRT, or what is missing, in one line."""
    from mien.engine.runtime.cuda import CudaError, open_device
    from mien.engine.runtime.tensorrt.backend import EngineError, find_backend

    try:
        cuda = open_device()
        gpu = str(cuda.device)
        cuda.close()
    except CudaError as error:
        return f"not used: {error}"
    try:
        backend = find_backend()
    except EngineError as error:
        return f"{gpu}; not used: {error}"
    return f"{gpu}, {backend.name} {backend.version}"


def describe_engines() -> str:
    """The engines in the cache, in one line."""
    from mien.engine.runtime.tensorrt.cache import EngineCache

    cache = EngineCache()
    entries = cache.entries()
    if not entries:
        return f"none built yet (they would be in {cache.folder})" if cache.folder else f"not kept: {NO_HOME}"
    words = []
    for entry in entries:
        if entry.key is None:
            words.append(f"{entry.name} damaged, will be rebuilt")
        else:
            words.append(f"{entry.key.part} {entry.key.precision} for {entry.key.card}, {entry.key.backend}")
    size = sum(entry.size for entry in entries) / 2**20
    return f"{'; '.join(words)}; {size:.0f} MiB in {cache.folder}"
