"""Work on a stream that is recorded into a CUDA graph and replayed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mien.engine.runtime.cuda import Cuda, CudaError


class CaptureError(CudaError):
    """Work could not be recorded; earlier work is done, and this may still be run directly."""


class Recorded:
    """Runs ``work`` on a stream: directly the first time, recorded the second, replayed from then on.

    The first run is direct because libraries allocate memory and choose kernels in it, which must not be
    recorded.

    Args:
        work: enqueues its operations, always the same ones, on the given stream.
        capturable: called before recording; if it returns False, every run is direct.
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
        """Whether it has run at least once."""
        return self._warm

    @property
    def recorded(self) -> bool:
        """Whether it is replayed as a CUDA graph."""
        return self._graph != 0

    def run(self, stream: int, *, directly: bool = True) -> None:
        """Enqueue the work on ``stream``.

        Args:
            directly: if it cannot be recorded, run it directly, now and from then on.

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
            self._work(stream)  # if the GPU itself failed, this fails, too
            return
        self._cuda.launch(self._graph, stream)

    def _record(self, stream: int) -> int:
        self._cuda.begin_capture(stream)
        try:
            self._work(stream)
        except BaseException:
            # A stream left in capture mode would swallow all later work; it may already be broken.
            with suppress(CudaError):
                self._cuda.release_graph(self._cuda.end_capture(stream))
            raise
        return self._cuda.end_capture(stream)

    def close(self) -> None:
        """Release the graph and the work (its resources may have to be freed before the GPU is released)."""
        if self._graph:
            self._cuda.release_graph(self._graph)
            self._graph = 0
        self._work = _ended


def _ended(stream: int) -> None:
    raise CudaError("this work was closed")
