"""What a live run loads while the rest of the program is still being imported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mien.engine.face.layout import layout
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker
from mien.engine.utils.openvino_core import core

T = TypeVar("T")


class Early:
    """The portrait's landmarker and the layout, made in threads of their own from the beginning on.

    OpenVINO holds no lock of Python's while it reads and compiles, so that importing goes on beside it: the
    first image is there 0.3 s sooner.  What those threads import is imported here: two threads that import
    modules of one package may wait for each other.
    """

    def __init__(self) -> None:
        core()
        self._pool = ThreadPoolExecutor(2, "start")
        self._landmarker: Future[Landmarker] = self._pool.submit(OpenVinoLandmarker, live=True)
        self._layout = self._pool.submit(layout)

    def __enter__(self) -> Early:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def beside(self, work: Callable[[], T]) -> Future[T]:
        """Do ``work`` in one of the threads."""
        return self._pool.submit(work)

    def landmarker(self) -> Landmarker:
        """The portrait's landmarker, as quick as a live run's are; the caller's from now on.

        Raises:
            MienError: its files are missing or damaged.
        """
        self._layout.result()
        return self._landmarker.result()
