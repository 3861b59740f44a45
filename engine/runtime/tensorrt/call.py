"""An engine at one set of shapes, called with host arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any

from numpy.typing import NDArray

from mien.engine.runtime.cuda import Cuda
from mien.engine.runtime.cuda.memory import DeviceArray, Pinned
from mien.engine.runtime.cuda.recorded import Recorded
from mien.engine.runtime.tensorrt.backend import Engine

Shapes = Mapping[str, tuple[int, ...]]


class EngineCall:
    """An execution with its own buffers, replayed as a CUDA graph from the third call on.

    Args:
        inputs, outputs: shapes by name, batch included; element types are the engine's.
        resident: inputs already on the GPU: copied into :attr:`on_device` there instead of being uploaded.

    Attributes:
        on_device: the device buffers, by name.
    """

    def __init__(
        self, cuda: Cuda, engine: Engine, inputs: Shapes, outputs: Shapes, resident: Collection[str] = ()
    ) -> None:
        self._cuda = cuda
        self._outputs = tuple(outputs)
        self.on_device: dict[str, DeviceArray] = {}
        self._host: dict[str, Pinned] = {}
        self._open = ExitStack()
        try:
            execution = engine.execution()
            for name, shape in (*inputs.items(), *outputs.items()):
                self.on_device[name] = device = DeviceArray(cuda, shape, engine.dtypes[name])
                self._open.callback(device.close)
                if name in inputs:
                    execution.set_shape(name, shape)
                execution.set_address(name, device.address)
                if name not in resident:
                    self._host[name] = host = Pinned(cuda, shape, engine.dtypes[name])
                    self._open.callback(host.close)
            self._call = Recorded(cuda, execution.enqueue, execution.capturable)
            self._open.callback(self._call.close)
        except BaseException:
            self._open.close()
            raise

    @property
    def call(self) -> Recorded:
        """The execution."""
        return self._call

    def __call__(self, stream: int, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Upload ``given``, compute, download; waits for ``stream``.

        Returns:
            The outputs by name: buffers, valid until the next call.
        """
        for name, values in given.items():
            host, device = self._host[name], self.on_device[name]
            host.array[...] = values
            self._cuda.upload(device.address, host.address, device.size, stream)
        self._call.run(stream)
        for name in self._outputs:
            host, device = self._host[name], self.on_device[name]
            self._cuda.download(host.address, device.address, device.size, stream)
        self._cuda.synchronise(stream)
        return {name: self._host[name].array for name in self._outputs}

    def close(self) -> None:
        """Free its memory; it must not be running."""
        self._open.close()
