"""One batch in flight: pinned and device buffers of the network, and its executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE, point_inputs
from mien.engine.runtime.cuda import Cuda
from mien.engine.runtime.cuda.memory import DeviceArray, Pinned
from mien.engine.runtime.cuda.recorded import CaptureError, Recorded
from mien.engine.types import N_LANDMARKS

if TYPE_CHECKING:
    from mien.engine.runtime.batch_runtime import Drawing
    from mien.engine.runtime.tensorrt.avatar_buffers import AvatarBuffers
    from mien.engine.runtime.tensorrt.backend import Engine

#: Inputs that change with every frame and cross the bus.
MOVING: Mapping[str, tuple[int, ...]] = {
    "source_points": (N_LANDMARKS, 2),
    "driving_points": (N_LANDMARKS, 2),
    "dense": (3, FIELD_SIZE, FIELD_SIZE),
}
RESULTS: Mapping[str, tuple[int, ...]] = {
    "flow": (2, FIELD_SIZE, FIELD_SIZE),
    "occlusion": (1, FIELD_SIZE, FIELD_SIZE),
    "paint": (3, IMAGE_SIZE, IMAGE_SIZE),
}


class Slot:
    """Buffers for up to ``batch`` drawings.  Two slots let one batch be uploaded while another computes.

    Args:
        avatar: shapes of an avatar's ``source`` and ``features``, without the batch.
    """

    def __init__(self, cuda: Cuda, engine: Engine, batch: int, avatar: Mapping[str, tuple[int, ...]]) -> None:
        self._cuda, self._engine = cuda, engine
        self._avatar = dict(avatar)
        self._loaded: list[AvatarBuffers | None] = [None] * batch
        self._calls: dict[int, Recorded] = {}
        self._open = ExitStack()
        try:
            self.stream = cuda.create_stream()  # for copies; the compute stream is shared
            self._open.callback(cuda.release_stream, self.stream)
            self._uploaded = cuda.create_event()
            self._open.callback(cuda.release_event, self._uploaded)
            self.on_device: dict[str, DeviceArray] = {}
            self.host: dict[str, Pinned] = {}
            for name, shape in (*MOVING.items(), *RESULTS.items(), *self._avatar.items()):
                self.on_device[name] = device = DeviceArray(cuda, (batch, *shape))
                self._open.callback(device.close)
                if name not in self._avatar:
                    self.host[name] = host = Pinned(cuda, (batch, *shape))
                    self._open.callback(host.close)
        except BaseException:
            self._open.close()
            raise

    def start(self, drawings: Sequence[Drawing], avatars: Sequence[AvatarBuffers], compute: int) -> None:
        """Upload and run the network; its results are on the GPU then, in order of ``compute``.

        Raises:
            CudaError: among others if a batch of this size, above 1, cannot be a CUDA graph; then
                ``TensorRtRuntime.draw`` uses smaller ones.
        """
        self._fill(drawings)
        count = len(drawings)
        for name in MOVING:
            host, device = self.host[name], self.on_device[name]
            size = count * device.size // len(self._loaded)
            self._cuda.upload(device.address, host.address, size, self.stream)
        self._cuda.record(self._uploaded, self.stream)
        for index, avatar in enumerate(avatars):
            if self._loaded[index] is not avatar:
                for name, shape in self._avatar.items():
                    size = 4 * int(np.prod(shape))
                    to = self.on_device[name].address + index * size
                    self._cuda.copy(to, avatar.on_device[name].address, size, compute)
                self._loaded[index] = avatar
        self._cuda.wait(compute, self._uploaded)
        try:
            self._call(count).run(compute, directly=count == 1)
        except CaptureError:
            self._calls.pop(count).close()  # frees its scratch memory
            raise

    def _fill(self, drawings: Sequence[Drawing]) -> None:
        hosts = [self.host[name].array for name in MOVING]
        for index, drawing in enumerate(drawings):
            moving = point_inputs(drawing.source_points, drawing.driving_points, drawing.dense)
            for host, values in zip(hosts, moving, strict=True):
                host[index] = values[0]

    def _call(self, count: int) -> Recorded:
        if count not in self._calls:
            execution = self._engine.execution()
            for name, shape in (*MOVING.items(), *self._avatar.items()):
                execution.set_shape(name, (count, *shape))
            for name, buffer in self.on_device.items():
                execution.set_address(name, buffer.address)
            self._calls[count] = call = Recorded(self._cuda, execution.enqueue, execution.capturable)
            self._open.callback(call.close)
        return self._calls[count]

    @property
    def recorded(self) -> dict[int, bool]:
        """For each batch size used so far, whether it runs as a CUDA graph."""
        return {count: call.recorded for count, call in self._calls.items()}

    def close(self) -> None:
        self._open.close()
