"""A CUDA device made of host memory that insists on the order of calls.

Nothing on a stream happens before somebody waits for it, and then only what the wait implies: a missing
event or synchronisation shows as old bytes.  Wrong kinds of memory, memory already freed, allocations
while recording, and threads that did not attach are immediate errors.
"""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count

from mien.engine.runtime.cuda import CudaError, DeviceInfo, OutOfMemory

DEVICE = DeviceInfo("Fake RTX", (8, 9), "999.1", 8 << 30)


class FakeCuda:
    def __init__(self, device: DeviceInfo = DEVICE, memory: int = 8 << 30) -> None:
        self.device = device
        self.memory = memory
        self.calls: Counter[str] = Counter()
        self.broken = self.closed = False
        self._ids = count(1)
        self._blocks: dict[int, tuple[str, ctypes.Array[ctypes.c_char]]] = {}
        self._streams: dict[int, list[tuple[str, object]]] = {}
        self._events: dict[int, tuple[int, object] | None] = {}
        self._happened: set[object] = set()
        self._graphs: dict[int, list[Callable[[], None]]] = {}
        self._recording: dict[int, list[Callable[[], None]]] = {}
        self._attached: set[int] = set()

    def _enter(self, name: str) -> None:
        if self.broken:
            raise CudaError(f"the GPU failed: {name} returned CUDA_ERROR_LAUNCH_FAILED (719)")
        assert not self.closed, f"{name}: the GPU was released"
        assert threading.get_ident() in self._attached, f"{name}: this thread is not attached"
        self.calls[name] += 1

    def attach(self) -> None:
        self._attached.add(threading.get_ident())

    def close(self) -> None:
        assert self.open_handles() == 0, "the GPU is released while something is allocated on it"
        self.closed = True

    # Memory

    def _new(self, kind: str, size: int) -> int:
        block = ctypes.create_string_buffer(size)
        address = ctypes.addressof(block)
        self._blocks[address] = (kind, block)
        return address

    def allocate(self, size: int) -> int:
        self._enter("allocate")
        assert not self._recording, "allocation while a stream is recorded"
        if self.used() + size > self.memory:
            raise OutOfMemory("the GPU's memory is full: close other programs that use it")
        return self._new("device", size)

    def allocate_host(self, size: int) -> int:
        self._enter("allocate_host")
        return self._new("host", size)

    def release(self, address: int) -> None:
        self._release("device", address)

    def release_host(self, address: int) -> None:
        self._release("host", address)

    def _release(self, kind: str, address: int) -> None:
        assert self._blocks[address][0] == kind
        assert not any(self._streams.values()), "memory freed while work is in progress"
        del self._blocks[address]

    def used(self) -> int:
        return sum(len(block) for kind, block in self._blocks.values() if kind == "device")

    def free_memory(self) -> int:
        return self.memory - self.used()

    def open_handles(self) -> int:
        """Blocks, streams, events and graphs that were not released."""
        return len(self._blocks) + len(self._streams) + len(self._events) + len(self._graphs)

    def check(self, address: int, size: int, kind: str) -> None:
        inside = any(
            found == kind and start <= address and address + size <= start + len(block)
            for start, (found, block) in self._blocks.items()
        )
        assert inside, f"{size} bytes at {address:#x} are not {kind} memory"

    # Streams, events, graphs

    def create_stream(self) -> int:
        self._enter("create_stream")
        stream = next(self._ids)
        self._streams[stream] = []
        return stream

    def release_stream(self, stream: int) -> None:
        assert not self._streams.pop(stream), "stream released while work is in progress"

    def create_event(self) -> int:
        self._enter("create_event")
        event = next(self._ids)
        self._events[event] = None
        return event

    def release_event(self, event: int) -> None:
        del self._events[event]

    def put(self, stream: int, work: Callable[[], None]) -> None:
        """Queue work, as a kernel launch does."""
        if stream in self._recording:
            self._recording[stream].append(work)
        else:
            self._streams[stream].append(("work", work))

    def record(self, event: int, stream: int) -> None:
        self._enter("record")
        assert stream not in self._recording
        token = object()
        self._events[event] = (stream, token)
        self._streams[stream].append(("record", token))

    def wait(self, stream: int, event: int) -> None:
        self._enter("wait")
        assert stream not in self._recording
        recorded = self._events[event]
        assert recorded is not None, "waits for an event that was never recorded"
        self._streams[stream].append(("wait", recorded))

    def elapsed_ms(self, start: int, end: int) -> float:
        self._enter("elapsed_ms")
        for event in (start, end):
            recorded = self._events[event]
            assert recorded is not None
            assert recorded[1] in self._happened, "event has not happened"
        return 0.5

    def synchronise(self, stream: int) -> None:
        self._enter("synchronise")
        assert stream not in self._recording, "synchronised while recorded"
        self._run(stream, None)

    def _run(self, stream: int, until: object | None) -> None:
        queue = self._streams[stream]
        while queue and not (until is not None and until in self._happened):
            kind, what = queue.pop(0)
            if kind == "work":
                what()  # type: ignore[operator]
            elif kind == "record":
                self._happened.add(what)
            else:
                other, token = what  # type: ignore[misc]
                if token not in self._happened:
                    self._run(other, token)

    def begin_capture(self, stream: int) -> None:
        self._enter("begin_capture")
        self._recording[stream] = []

    def end_capture(self, stream: int) -> int:
        self._enter("end_capture")
        graph = next(self._ids)
        self._graphs[graph] = self._recording.pop(stream)
        return graph

    def launch(self, graph: int, stream: int) -> None:
        self._enter("launch")
        for work in self._graphs[graph]:
            self._streams[stream].append(("work", work))

    def release_graph(self, graph: int) -> None:
        del self._graphs[graph]

    # Copies

    def _move(self, stream: int, to: int, source: int, size: int, kinds: tuple[str, str]) -> None:
        def work() -> None:
            self.check(to, size, kinds[0])
            self.check(source, size, kinds[1])
            ctypes.memmove(to, source, size)

        self.check(to, size, kinds[0])
        self.check(source, size, kinds[1])
        self.put(stream, work)

    def upload(self, to: int, host: int, size: int, stream: int) -> None:
        self._enter("upload")
        self._move(stream, to, host, size, ("device", "host"))

    def download(self, host: int, source: int, size: int, stream: int) -> None:
        self._enter("download")
        self._move(stream, host, source, size, ("host", "device"))

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        self._enter("copy")
        self._move(stream, to, source, size, ("device", "device"))

    def download_rectangle(
        self, host: int, pitch: int, source: int, width: int, height: int, stream: int
    ) -> None:
        self._enter("download_rectangle")
        for row in range(height):
            self._move(stream, host + row * pitch, source + row * width, width, ("host", "device"))
