"""The subset of CUDA that Mien uses, as an interface small enough for a fake.

Addresses, streams, events and graphs are plain integers (handles).  All work on a stream is asynchronous:
host memory may be read or written again only after :meth:`Cuda.synchronise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mien.engine.types import ModelError


class CudaError(ModelError):
    """A call failed; the GPU may be unusable from now on, so another runtime must take over."""


class OutOfMemory(CudaError):
    """The GPU has not enough free memory."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Description of one GPU.

    Attributes:
        capability: compute capability, such as (9, 0).
        driver: version of the kernel driver, such as "580.65.06".
        memory: total bytes.
    """

    name: str
    capability: tuple[int, int]
    driver: str
    memory: int

    def __str__(self) -> str:
        major, minor = self.capability
        return f"{self.name} ({major}.{minor}, {self.memory / 2**30:.0f} GiB, driver {self.driver})"


class Cuda(Protocol):
    """One GPU, used by one thread at a time; every method may raise :class:`CudaError`."""

    @property
    def device(self) -> DeviceInfo: ...

    def attach(self) -> None:
        """Make the GPU's context current in the calling thread (cheap; before any other call of a thread)."""

    def allocate(self, size: int) -> int:
        """Allocate ``size`` zeroed bytes on the GPU."""

    def release(self, address: int) -> None: ...

    def allocate_host(self, size: int) -> int:
        """Allocate ``size`` bytes of pinned host memory, without which copies are not asynchronous."""

    def release_host(self, address: int) -> None: ...

    def free_memory(self) -> int:
        """Free bytes on the GPU."""

    def create_stream(self) -> int: ...

    def release_stream(self, stream: int) -> None: ...

    def synchronise(self, stream: int) -> None:
        """Wait until all work on ``stream`` is done."""

    def create_event(self) -> int: ...

    def release_event(self, event: int) -> None: ...

    def record(self, event: int, stream: int) -> None: ...

    def wait(self, stream: int, event: int) -> None:
        """Make later work on ``stream`` wait for ``event`` (on the GPU; the caller does not wait)."""

    def elapsed_ms(self, start: int, end: int) -> float:
        """Milliseconds between two events that have occurred."""

    def upload(self, to: int, host: int, size: int, stream: int) -> None: ...

    def download(self, host: int, source: int, size: int, stream: int) -> None: ...

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy from device memory to device memory."""

    def download_rectangle(
        self, host: int, pitch: int, source: int, width: int, height: int, stream: int
    ) -> None:
        """Copy ``height`` rows of ``width`` bytes, dense on the GPU, ``pitch`` bytes apart in host memory."""

    def begin_capture(self, stream: int) -> None:
        """Start recording the work on ``stream`` instead of running it."""

    def end_capture(self, stream: int) -> int:
        """Stop recording; returns the CUDA graph, ready to be launched."""

    def launch(self, graph: int, stream: int) -> None: ...

    def release_graph(self, graph: int) -> None: ...

    def close(self) -> None:
        """Release the GPU, after everything allocated on it.  Idempotent."""


def open_device() -> Cuda:
    """Open the first NVIDIA GPU.

    Raises:
        CudaError: no driver, no GPU, or one locked by another program; in one line.
    """
    from mien.engine.runtime.cuda.driver import DriverCuda

    return DriverCuda()
