"""Arrays in device memory and in pinned host memory."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.runtime.cuda import Cuda


class DeviceArray:
    """An array in device memory; freed by :meth:`close`."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
        self._cuda = cuda
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.size: int = max(1, math.prod(shape)) * self.dtype.itemsize
        self.address = cuda.allocate(self.size)

    @property
    def row(self) -> int:
        """Bytes of one item along the first axis."""
        return self.size // self.shape[0]

    def put(self, values: NDArray[Any], stream: int) -> None:
        """Write the whole array and wait for ``stream``; for one-time data, not per frame."""
        host = Pinned(self._cuda, self.shape, self.dtype)
        try:
            host.array[...] = values
            self._cuda.upload(self.address, host.address, self.size, stream)
            self._cuda.synchronise(stream)
        finally:
            host.close()

    def close(self) -> None:
        if self.address:
            self._cuda.release(self.address)
            self.address = 0


class Pinned:
    """A pinned host array.

    Attributes:
        array: the memory as numpy sees it; invalid after :meth:`close`.
    """

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
        self._cuda = cuda
        kind = np.dtype(dtype)
        self.size = max(1, math.prod(shape)) * kind.itemsize
        self.address = cuda.allocate_host(self.size)
        raw = (ctypes.c_ubyte * self.size).from_address(self.address)
        self.array: NDArray[Any] = np.frombuffer(raw, dtype=kind).reshape(shape)

    def close(self) -> None:
        if self.address:
            self._cuda.release_host(self.address)
            self.address = 0
