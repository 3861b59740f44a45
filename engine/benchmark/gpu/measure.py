"""The measurements: kernel time by CUDA events, memory, and the GPU's own rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from mien.engine.benchmark.gpu.networks import TimedPart, repeated
from mien.engine.benchmark.gpu.plan import Case
from mien.engine.benchmark.gpu.report import Timing
from mien.engine.benchmark.gpu.roofline import Rates
from mien.engine.runtime.cuda import Cuda
from mien.engine.runtime.cuda.memory import DeviceArray
from mien.engine.runtime.cuda.recorded import Recorded
from mien.engine.runtime.graphs import dynamic_batch, half_convolutions
from mien.engine.runtime.graphs.editing import inferred_shapes, load_proto
from mien.engine.runtime.tensorrt.backend import Engine, Execution
from mien.engine.runtime.tensorrt.parts import network_part
from mien.engine.runtime.tensorrt.prepare import BuildContext
from mien.engine.types import MienError

WARM_UP, RUNS = 20, 100


def torch_timing(torch: Any, case: Case, parts: Sequence[TimedPart]) -> Timing:
    """Time one of torch's methods."""
    half, graph = "FP16" in case.method, "graph" in case.method
    try:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with torch.inference_mode():
            works = [_torch_work(torch, case, part, half, graph) for part in parts]

            def step() -> None:
                for work in works:
                    work()

            ms = _timed_by_torch(torch, step)
        return Timing(case, ms, torch.cuda.max_memory_allocated() - before)
    except Exception as error:  # compilers and kernels fail in many ways; the other cases go on
        return Timing(case, None, problem=reason(error))


def reason(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, MienError):
        return str(error)
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:160]}"


def _torch_work(torch: Any, case: Case, part: TimedPart, half: bool, graph: bool) -> Callable[[], Any]:
    from mien.engine.runtime.graphs.torch_graph import TorchGraph
    from mien.engine.runtime.torch_cuda import Replayed

    inputs = [torch.from_numpy(repeated(values, case.batch)).cuda() for values in part.inputs.values()]
    module = part.module
    if half or module is None:
        proto = dynamic_batch(load_proto(part.onnx))
        module = TorchGraph(half_convolutions(proto) if half else proto).cuda().eval()
    elif hasattr(module, "cuda"):
        module = module.cuda()
    else:  # a function around a module
        _to_gpu(module)
    if "compile" in case.method:
        module = torch.compile(module, dynamic=False)
    if not graph:
        return lambda: module(*inputs)
    replayed = Replayed(module, inputs)
    return lambda: replayed(*inputs)


def _to_gpu(function: Any) -> None:
    for cell in function.__closure__ or ():
        if hasattr(cell.cell_contents, "cuda"):
            cell.cell_contents.cuda()


def _timed_by_torch(torch: Any, step: Callable[[], Any]) -> float:
    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    pairs = []
    for _ in range(RUNS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        end.record()
        pairs.append((start, end))
    torch.cuda.synchronize()
    return float(median(start.elapsed_time(end) for start, end in pairs))


class Engines:
    """The parts' engines, each loaded once: an engine accepts every batch size.

    Args:
        largest: the largest batch.
    """

    def __init__(self, context: BuildContext, largest: int) -> None:
        self.context, self._largest = context, largest
        self._loaded: dict[str, Engine] = {}
        self._sizes: dict[str, int] = {}

    def load(self, part: TimedPart) -> Engine:
        """The part's engine, built first if it is not in the cache."""
        if part.name not in self._loaded:
            before = self.context.cuda.free_memory()
            network = network_part(part.name, part.onnx, "fp16", self._largest)
            self._loaded[part.name] = self.context.engine(network)
            self._sizes[part.name] = max(0, before - self.context.cuda.free_memory())
        return self._loaded[part.name]

    def size(self, parts: Sequence[TimedPart]) -> int:
        """Bytes of device memory taken by these parts' engines."""
        return sum(self._sizes[part.name] for part in parts)

    def close(self) -> None:
        for engine in self._loaded.values():
            engine.close()
        self._loaded.clear()


def tensorrt_timing(engines: Engines, case: Case, parts: Sequence[TimedPart]) -> Timing:
    """Time TensorRT's engines, replayed as one CUDA graph."""
    cuda = engines.context.cuda
    try:
        for part in parts:
            engines.load(part)
        before = cuda.free_memory()
        with ExitStack() as stack:
            stream = cuda.create_stream()
            stack.callback(cuda.release_stream, stream)
            executions = [_execution(engines, part, case.batch, stream, stack) for part in parts]

            def enqueue(stream: int) -> None:
                for execution in executions:
                    execution.enqueue(stream)

            def capturable(stream: int) -> bool:
                return all(execution.capturable(stream) for execution in executions)

            work = Recorded(cuda, enqueue, capturable)
            stack.callback(work.close)
            ms = _timed_by_driver(cuda, work, stream, stack)
            taken = max(0, before - cuda.free_memory()) + engines.size(parts)
            problem = None if work.recorded else "not replayed as a CUDA graph"
        return Timing(case, ms, taken, problem)
    except Exception as error:  # drivers and builders fail in many ways; the other cases go on
        return Timing(case, None, problem=reason(error))


def _execution(engines: Engines, part: TimedPart, batch: int, stream: int, stack: ExitStack) -> Execution:
    cuda = engines.context.cuda
    execution = engines.load(part).execution()
    for name, values in part.inputs.items():
        buffer = DeviceArray(cuda, (batch, *values.shape[1:]))
        stack.callback(buffer.close)
        buffer.put(repeated(values, batch), stream)
        execution.set_shape(name, buffer.shape)
        execution.set_address(name, buffer.address)
    proto = load_proto(part.onnx)
    shapes = inferred_shapes(proto)
    for value in proto.graph.output:
        buffer = DeviceArray(cuda, (batch, *shapes[value.name][1:]))
        stack.callback(buffer.close)
        execution.set_address(value.name, buffer.address)
    return execution


def _timed_by_driver(cuda: Cuda, work: Recorded, stream: int, stack: ExitStack) -> float:
    for _ in range(WARM_UP):
        work.run(stream)
    cuda.synchronise(stream)
    events = []
    for _ in range(RUNS):
        pair = cuda.create_event(), cuda.create_event()
        for event in pair:
            stack.callback(cuda.release_event, event)
        cuda.record(pair[0], stream)
        work.run(stream)
        cuda.record(pair[1], stream)
        events.append(pair)
    cuda.synchronise(stream)
    return float(median(cuda.elapsed_ms(*pair) for pair in events))


def gpu_rates(torch: Any) -> tuple[Rates, dict[str, float]]:
    """Measure the GPU's rates: a large FP16 matrix product, and copies on the GPU, to it and from it."""
    with torch.inference_mode():
        a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
        flops = 2 * 8192**3 / (1e-3 * _timed_by_torch(torch, lambda: a @ b))
        size = 1 << 28
        one, other = (torch.empty(size, dtype=torch.uint8, device="cuda") for _ in range(2))
        on_device = 2 * size / (1e-3 * _timed_by_torch(torch, lambda: one.copy_(other)))
        host = torch.empty(size >> 2, dtype=torch.uint8).pin_memory()
        part = one[: size >> 2]
        up = (size >> 2) / (1e-3 * _timed_by_torch(torch, lambda: part.copy_(host, non_blocking=True)))
        down = (size >> 2) / (1e-3 * _timed_by_torch(torch, lambda: host.copy_(part, non_blocking=True)))
    words = {
        "FP16 matrix product TFLOP/s": flops / 1e12,
        "copy on the GPU GB/s": on_device / 1e9,
        "to the GPU GB/s": up / 1e9,
        "from the GPU GB/s": down / 1e9,
    }
    return Rates(flops, on_device), words
