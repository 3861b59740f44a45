"""Work on a stream that is recorded into a CUDA graph and replayed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mien.engine.runtime.cuda import Cuda, CudaError


class CaptureError(CudaError):
    """Work that runs could not be recorded: what it did before is done, and it may still be run directly."""


class Recorded:
    """Runs ``work`` on a stream: directly the first time, recorded the second, replayed from then on.

    The first run is direct because libraries allocate and choose kernels in it, which must not be recorded.

    Args:
        work: puts its operations on the stream that it is given; always the same ones.
        capturable: asked before recording; where it says no, every run is direct.
    """

    def __init__(
        self, cuda: Cuda, work: Callable[[int], None], capturable: Callable[[int], bool] = lambda stream: True
    ) -> None:
        self._cuda, self._work, self._capturable = cuda, work, capturable
        self._warm = False
        self._graph = 0
        self.recordable = True

    @property
    def used(self) -> bool:
        """Whether it has run."""
        return self._warm

    @property
    def recorded(self) -> bool:
        """Whether it is replayed as a CUDA graph."""
        return self._graph != 0

    def run(self, stream: int, *, directly: bool = True) -> None:
        """Put the work on ``stream``.

        Args:
            directly: where it cannot be recorded, run it as it is, now and from then on.

        Raises:
            CaptureError: it cannot be recorded, and ``directly`` is False; nothing was run.
            CudaError: it cannot be run.
        """
        if self._graph:
            self._cuda.launch(self._graph, stream)
            return
        if self._warm and self.recordable:
            self.recordable = self._capturable(stream)
        if not self._warm or not self.recordable:
            self._work(stream)
            self._warm = True
            return
        try:
            self._graph = self._record(stream)
        except CudaError as error:
            self.recordable = False
            if not directly:
                raise CaptureError(str(error)) from error
            self._work(stream)  # if it is the card that failed, so does this
            return
        self._cuda.launch(self._graph, stream)

    def _record(self, stream: int) -> int:
        self._cuda.begin_capture(stream)
        try:
            self._work(stream)
        except BaseException:
            # A stream left recording would swallow everything that follows; it may be broken already.
            with suppress(CudaError):
                self._cuda.release_graph(self._cuda.end_capture(stream))
            raise
        return self._cuda.end_capture(stream)

    def close(self) -> None:
        """Give the graph back, and let go of the work (what it runs on may have to end before the card)."""
        if self._graph:
            self._cuda.release_graph(self._graph)
            self._graph = 0
        self._work = _ended


def _ended(stream: int) -> None:
    raise CudaError("this work has ended")
