"""The ``live`` model on an NVIDIA GPU: TensorRT engines, replayed as CUDA graphs.

For each frame, landmarks and measured flow are uploaded (27 KB and 48 KB from pinned memory, on the slot's
copy stream), the network and the image part run (on the compute stream, one CUDA graph each), and the moving
part of the image is downloaded (on the copy stream again) into a pinned image that already holds the rest.
The host waits once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from mien.engine.avatar.canvas.canvas import Canvas
from mien.engine.avatar.model_io import AvatarCode, Field, check_points, check_source, to_field
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing, halves
from mien.engine.runtime.cuda import Cuda
from mien.engine.runtime.device_cache import DeviceCache
from mien.engine.runtime.graphs.pixels import PIXELS
from mien.engine.runtime.tensorrt.avatar_buffers import AvatarBuffers, CanvasBuffers
from mien.engine.runtime.tensorrt.backend import Engine
from mien.engine.runtime.tensorrt.call import EngineCall, Shapes
from mien.engine.runtime.tensorrt.parts import MAX_BATCH
from mien.engine.runtime.tensorrt.slot import RESULTS, Slot
from mien.engine.types import Floats, Image, MienError

SLOTS = 2
AVATARS = CANVASES = 2 * MAX_BATCH
"""Number of avatars and canvases kept although unused."""


@dataclass(frozen=True, slots=True)
class LiveEngines:
    """The loaded engines of the three parts.

    Attributes:
        code: shapes of an avatar's ``source`` and ``features``, including the batch of 1.
        batch: the renderer's largest batch.
    """

    encoder: Engine
    renderer: Engine
    image: Engine
    code: Shapes
    batch: int = MAX_BATCH

    def close(self) -> None:
        for engine in (self.encoder, self.renderer, self.image):
            engine.close()


class TensorRtRuntime(BatchRuntime):
    """Runs loaded engines; ``tensorrt.prepare.prepare`` builds, loads and checks them.

    Not thread-safe.  :meth:`close` frees all device memory, including the engines'.

    Raises:
        CudaError: from every method, when the GPU fails; the runtime cannot be used afterwards.
    """

    name = "tensorrt"

    def __init__(self, engines: LiveEngines, cuda: Cuda) -> None:
        self._engines, self._cuda = engines, cuda
        cuda.attach()
        self._closed = False
        self._too_large: set[int] = set()  # batch sizes that failed
        avatar = {name: shape[1:] for name, shape in engines.code.items()}
        self._open = ExitStack()
        try:
            self._open.callback(engines.close)
            self._compute = cuda.create_stream()
            self._open.callback(cuda.release_stream, self._compute)
            self._slots = []
            for _ in range(SLOTS):
                slot = Slot(cuda, engines.renderer, engines.batch, avatar)
                self._open.callback(slot.close)
                self._slots.append(slot)
        except BaseException:
            self._open.close()
            raise
        self._avatars: DeviceCache[AvatarCode, AvatarBuffers] = DeviceCache(
            lambda code: AvatarBuffers(cuda, code, self._compute), AVATARS, AvatarBuffers.close
        )
        self._canvases: DeviceCache[Canvas, CanvasBuffers] = DeviceCache(
            lambda canvas: CanvasBuffers(cuda, engines.image, canvas, SLOTS, self._compute),
            CANVASES,
            CanvasBuffers.close,
        )
        self._open.callback(self._canvases.close)
        self._open.callback(self._avatars.close)

    @property
    def batch(self) -> int:
        return self._engines.batch

    @property
    def graphs(self) -> dict[str, bool]:
        """What has run so far, and whether it is replayed as a CUDA graph."""
        network = {
            f"network, batch {count}, slot {i}": recorded
            for i, slot in enumerate(self._slots)
            for count, recorded in slot.recorded.items()
        }
        images = {
            f"image {i}, slot {j}": canvas[j].call.recorded
            for i, canvas in enumerate(self._canvases)
            for j in range(SLOTS)
            if canvas[j].call.used
        }
        return network | images

    def encode(self, source: Image) -> AvatarCode:
        check_source(source)
        self._cuda.attach()
        inputs = {PIXELS: (1, *source.shape)}
        with closing(EngineCall(self._cuda, self._engines.encoder, inputs, self._engines.code)) as call:
            found = call(self._compute, {PIXELS: source[None]})
            return AvatarCode(found["source"].copy(), found["features"].copy())

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        check_points(source_points)
        check_points(driving_points)
        self._cuda.attach()
        slot = self._slots[0]
        drawing = Drawing(code, source_points, driving_points, dense, None, None)  # type: ignore[arg-type]
        slot.start([drawing], [self._avatars.get(code)], self._compute)
        for name in RESULTS:
            host, device = slot.host[name], slot.on_device[name]
            size = device.size // self.batch
            self._cuda.download(host.address, device.address, size, self._compute)
        self._cuda.synchronise(self._compute)
        return to_field(*(slot.host[name].array[:1] for name in RESULTS))

    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        for drawing in drawings:
            check_points(drawing.source_points)
            check_points(drawing.driving_points)
        self._cuda.attach()
        images: list[Image] = []
        waiting: list[CanvasBuffers] = []
        to_do = deque(batches(drawings, self.batch))
        turn = 0
        while to_do:
            batch = to_do.popleft()
            if len(batch) in self._too_large:
                to_do.extendleft(reversed(halves(batch)))
                continue
            if waiting and not self._resident(batch):
                # The GPU must be idle while room is made on it.
                images += self._finish(turn - 1, waiting)
                waiting = []
            try:
                # While this batch is uploaded and queued, the GPU still computes the previous one.
                started = self._start(turn, batch)
            except MienError:
                if len(batch) == 1:
                    raise
                # Memory for a larger batch or its graph may be missing: smaller batches may work.
                self._settle(turn)
                self._too_large.add(len(batch))
                to_do.appendleft(batch)
                continue
            if waiting:
                images += self._finish(turn - 1, waiting)
            waiting, turn = started, turn + 1
        if waiting:
            images += self._finish(turn - 1, waiting)
        return images

    def _resident(self, batch: Sequence[Drawing]) -> bool:
        return all(d.canvas in self._canvases and d.code in self._avatars for d in batch)

    def _start(self, turn: int, batch: Sequence[Drawing]) -> list[CanvasBuffers]:
        index = turn % SLOTS
        slot = self._slots[index]
        canvases = self._canvases.all([drawing.canvas for drawing in batch])
        slot.start(batch, self._avatars.all([drawing.code for drawing in batch]), self._compute)
        for place, canvas in enumerate(canvases):
            canvas[index].put(batch[place].warp, self._compute)
            canvas[index].start(slot.on_device, place, self._compute, slot.stream)
        return canvases

    def _settle(self, turn: int) -> None:
        """Wait for the operations of a failed batch, so that its buffers can be refilled."""
        self._cuda.synchronise(self._slots[turn % SLOTS].stream)
        self._cuda.synchronise(self._compute)

    def _finish(self, turn: int, canvases: Sequence[CanvasBuffers]) -> list[Image]:
        index = turn % SLOTS
        self._cuda.synchronise(self._slots[index].stream)
        return [canvas[index].image() for canvas in canvases]

    def when_closed(self, work: Callable[[], None]) -> None:
        """Register ``work`` to run at the end of :meth:`close`."""
        rest, self._open = self._open, ExitStack()
        self._open.callback(work)
        self._open.push(rest)

    def close(self) -> None:
        """Free everything on the GPU; idempotent."""
        if self._closed:
            return
        self._closed = True
        with self._open:  # everything is released, even if the GPU fails
            self._cuda.attach()
            for stream in (self._compute, *(slot.stream for slot in self._slots)):
                self._cuda.synchronise(stream)


def batches(drawings: Sequence[Drawing], limit: int) -> list[list[Drawing]]:
    """Split drawings, in order, into batches of at most ``limit``, each canvas once (it has one result)."""
    found: list[list[Drawing]] = []
    for drawing in drawings:
        last = found[-1] if found else None
        if last is None or len(last) == limit or any(d.canvas is drawing.canvas for d in last):
            found.append([drawing])
        else:
            last.append(drawing)
    return found
