"""The ``live`` model on an NVIDIA GPU: TensorRT engines, replayed as CUDA graphs.

A frame is: landmarks and measured flow go up (27 KB and 48 KB from pinned memory, on the slot's copy stream),
the network and the picture part run (on the computing stream, one CUDA graph each), the moving part of the
picture comes down (on the copy stream again) into a pinned picture that already holds the rest.  The host
waits once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from engine.canvas import Canvas
from engine.graphs.pixels import PIXELS
from engine.runtime.base import (
    IMAGE_SIZE,
    AvatarCode,
    CardRuntime,
    Drawing,
    Field,
    check_points,
    check_source,
)
from engine.runtime.cuda import Cuda
from engine.runtime.cuda.memory import OnCard, Pinned
from engine.runtime.tensorrt.backend import Engine
from engine.runtime.tensorrt.parts import MAX_BATCH
from engine.runtime.tensorrt.residents import AvatarOnCard, CanvasOnCard, Residents
from engine.runtime.tensorrt.slot import RESULTS, Slot
from engine.types import Floats, Image

SLOTS = 2
AVATARS = CANVASES = 2 * MAX_BATCH  # two full batches: none in flight is ever dropped


@dataclass(frozen=True, slots=True)
class LiveEngines:
    """The loaded engines of the three parts, and the largest batch of the renderer's."""

    encoder: Engine
    renderer: Engine
    picture: Engine
    batch: int = MAX_BATCH


class TensorRtRuntime(CardRuntime):
    """Runs loaded engines; :func:`engine.runtime.tensorrt.prepare.prepare` builds, loads and checks them.

    One thread at a time.  :meth:`close` gives the card's memory back.

    Raises:
        CudaError: from every method, when the card fails; the runtime is of no use after that.
    """

    name = "tensorrt"

    def __init__(self, engines: LiveEngines, cuda: Cuda, features: int = 64) -> None:
        self._engines, self._cuda = engines, cuda
        cuda.attach()
        self._features = features
        self._closed = False
        avatar = {
            "source": (3, IMAGE_SIZE, IMAGE_SIZE),
            "features": (features, IMAGE_SIZE // 4, IMAGE_SIZE // 4),
        }
        self._open = ExitStack()
        try:
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
        self._avatars: Residents[AvatarCode, AvatarOnCard] = Residents(
            lambda code: AvatarOnCard(cuda, code, self._compute), AVATARS
        )
        self._canvases: Residents[Canvas, CanvasOnCard] = Residents(
            lambda canvas: CanvasOnCard(cuda, engines.picture, canvas, SLOTS, self._compute), CANVASES
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
        pictures = {
            f"picture {i}, slot {j}": canvas[j].call.recorded
            for i, canvas in enumerate(self._canvases)
            for j in range(SLOTS)
            if canvas[j].call.used
        }
        return network | pictures

    def encode(self, source: Image) -> AvatarCode:
        check_source(source)
        self._cuda.attach()
        shapes = {
            "source": (1, 3, IMAGE_SIZE, IMAGE_SIZE),
            "features": (1, self._features, IMAGE_SIZE // 4, IMAGE_SIZE // 4),
        }
        with ExitStack() as stack:
            sent = Pinned(self._cuda, (1, *source.shape), np.uint8)
            stack.callback(sent.close)
            pixels = OnCard(self._cuda, (1, *source.shape), np.uint8)
            stack.callback(pixels.close)
            execution = self._engines.encoder.execution()
            execution.set_address(PIXELS, pixels.address)
            found = {}
            for name, shape in shapes.items():
                card = OnCard(self._cuda, shape)
                stack.callback(card.close)
                host = Pinned(self._cuda, shape)
                stack.callback(host.close)
                execution.set_address(name, card.address)
                found[name] = (card, host)
            sent.array[0] = source
            self._cuda.upload(pixels.address, sent.address, pixels.size, self._compute)
            execution.enqueue(self._compute)
            for card, host in found.values():
                self._cuda.download(host.address, card.address, card.size, self._compute)
            self._cuda.synchronise(self._compute)
            return AvatarCode(*(host.array.copy() for _, host in found.values()))

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
        drawing = Drawing(code, source_points, driving_points, dense, canvas=None)  # type: ignore[arg-type]
        slot.start([drawing], [self._avatars.get(code)], self._compute)
        for name in RESULTS:
            host, card = slot.host[name], slot.on_card[name]
            size = card.size // self.batch
            self._cuda.download(host.address, card.address, size, self._compute)
        self._cuda.synchronise(self._compute)
        flow, occlusion, paint = (slot.host[name].array[0] for name in RESULTS)  # type: ignore[union-attr]
        return Field(
            np.ascontiguousarray(flow.transpose(1, 2, 0)),
            occlusion[0].copy(),
            np.ascontiguousarray(paint.transpose(1, 2, 0)),
        )

    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        for drawing in drawings:
            check_points(drawing.source_points)
            check_points(drawing.driving_points)
        self._cuda.attach()
        pictures: list[Image] = []
        waiting: list[CanvasOnCard] = []
        last = 0
        for turn, batch in enumerate(batches(drawings, self.batch)):
            if waiting and not self._resident(batch):
                # Room is made on the card only while it has nothing to do.
                pictures += self._finish(last, waiting)
                waiting = []
            # While this batch is uploaded and queued, the card still computes the one before.
            started = self._start(turn % SLOTS, batch)
            if waiting:
                pictures += self._finish(last, waiting)
            waiting, last = started, turn % SLOTS
        if waiting:
            pictures += self._finish(last, waiting)
        return pictures

    def _resident(self, batch: Sequence[Drawing]) -> bool:
        return all(d.canvas in self._canvases and d.code in self._avatars for d in batch)

    def _start(self, index: int, batch: Sequence[Drawing]) -> list[CanvasOnCard]:
        slot = self._slots[index]
        canvases = [self._canvases.get(drawing.canvas) for drawing in batch]
        slot.start(batch, [self._avatars.get(drawing.code) for drawing in batch], self._compute)
        for place, canvas in enumerate(canvases):
            canvas[index].start(slot, place, self._compute)
        return canvases

    def _finish(self, index: int, canvases: Sequence[CanvasOnCard]) -> list[Image]:
        self._cuda.synchronise(self._slots[index].stream)
        return [canvas[index].picture() for canvas in canvases]

    def close(self) -> None:
        """Give everything on the card back; safe to call again."""
        if self._closed:
            return
        self._closed = True
        self._cuda.attach()
        for stream in (self._compute, *(slot.stream for slot in self._slots)):
            self._cuda.synchronise(stream)
        self._open.close()


def batches(drawings: Sequence[Drawing], limit: int) -> list[list[Drawing]]:
    """Drawings in order, ``limit`` at most in each batch, no canvas twice in one (it has one result)."""
    found: list[list[Drawing]] = []
    for drawing in drawings:
        last = found[-1] if found else None
        if last is None or len(last) == limit or any(d.canvas is drawing.canvas for d in last):
            found.append([drawing])
        else:
            last.append(drawing)
    return found
