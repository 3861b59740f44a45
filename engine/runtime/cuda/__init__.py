"""The few things that Mien wants of CUDA, behind an interface small enough to be played by a fake.

Addresses, streams, events and graphs are plain integers (handles).  Everything on a stream is asynchronous:
host memory may be read or written again only after :meth:`Cuda.synchronise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mien.engine.types import ModelError


class CudaError(ModelError):
    """A call failed; the card may be unusable from now on, so another runtime must take over."""


class OutOfMemory(CudaError):
    """The card has not enough free memory."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One GPU.

    Attributes:
        capability: compute capability, as (9, 0).
        driver: the kernel driver's version, as "580.65.06".
        memory: bytes in all.
    """

    name: str
    capability: tuple[int, int]
    driver: str
    memory: int

    def __str__(self) -> str:
        major, minor = self.capability
        return f"{self.name} ({major}.{minor}, {self.memory / 2**30:.0f} GiB, driver {self.driver})"


class Cuda(Protocol):
    """One card, used from one thread at a time; every method may raise :class:`CudaError`."""

    @property
    def device(self) -> DeviceInfo: ...

    def attach(self) -> None:
        """Make the card's context current in the calling thread (cheap; before a thread's other calls)."""

    def allocate(self, size: int) -> int:
        """``size`` bytes on the card, set to 0."""

    def release(self, address: int) -> None: ...

    def allocate_host(self, size: int) -> int:
        """``size`` bytes of pinned host memory: only from and to such memory do copies run asynchronously."""

    def release_host(self, address: int) -> None: ...

    def free_memory(self) -> int:
        """Free bytes on the card."""

    def create_stream(self) -> int: ...

    def release_stream(self, stream: int) -> None: ...

    def synchronise(self, stream: int) -> None:
        """Wait until everything on ``stream`` is done."""

    def create_event(self) -> int: ...

    def release_event(self, event: int) -> None: ...

    def record(self, event: int, stream: int) -> None: ...

    def wait(self, stream: int, event: int) -> None:
        """Let what comes next on ``stream`` wait for ``event`` (on the card; the caller goes on)."""

    def elapsed_ms(self, start: int, end: int) -> float:
        """Milliseconds between two events that have happened."""

    def upload(self, to: int, host: int, size: int, stream: int) -> None: ...

    def download(self, host: int, source: int, size: int, stream: int) -> None: ...

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        """From the card to the card."""

    def download_rectangle(
        self, host: int, pitch: int, source: int, width: int, height: int, stream: int
    ) -> None:
        """``height`` rows of ``width`` bytes, dense on the card, ``pitch`` bytes apart in host memory."""

    def begin_capture(self, stream: int) -> None:
        """From now on ``stream`` records instead of running."""

    def end_capture(self, stream: int) -> int:
        """The recorded CUDA graph, ready to be launched."""

    def launch(self, graph: int, stream: int) -> None: ...

    def release_graph(self, graph: int) -> None: ...

    def close(self) -> None:
        """Let go of the card: last of all, when nothing made on it is left.  Closing twice is allowed."""


def open_device() -> Cuda:
    """The first NVIDIA GPU.

    Raises:
        CudaError: no driver, no card, or one that another program has locked; in one line.
    """
    from mien.engine.runtime.cuda.driver import DriverCuda

    return DriverCuda()
