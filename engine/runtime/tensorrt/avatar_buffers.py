"""Avatars' codes and canvases in device memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.engine.avatar.canvas.canvas import Canvas, device_constants
from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE, AvatarCode
from mien.engine.runtime.cuda import Cuda
from mien.engine.runtime.cuda.memory import DeviceArray, Pinned
from mien.engine.runtime.cuda.recorded import Recorded
from mien.engine.runtime.graphs.image import IMAGE_OUTPUT

if TYPE_CHECKING:
    from mien.engine.avatar.canvas.mesh_canvas import Warp
    from mien.engine.runtime.tensorrt.backend import Engine
    from mien.engine.types import Image


class AvatarBuffers:
    """An avatar's code in device memory."""

    def __init__(self, cuda: Cuda, code: AvatarCode, stream: int) -> None:
        self.code = code  # kept alive, so that its id is not reused
        self._open = ExitStack()
        self.on_device: dict[str, DeviceArray] = {}
        try:
            for name, values in (("source", code.source), ("features", code.features)):
                buffer = DeviceArray(cuda, values.shape)
                self._open.callback(buffer.close)
                buffer.put(values, stream)
                self.on_device[name] = buffer
        except BaseException:
            self._open.close()
            raise

    def close(self) -> None:
        self._open.close()


class CanvasBuffers:
    """A canvas in device memory, with the image part's execution and results for each slot."""

    def __init__(self, cuda: Cuda, engine: Engine, canvas: Canvas, slots: int, stream: int) -> None:
        self.canvas = canvas
        self._open = ExitStack()
        try:
            constants = {}
            for name, values in device_constants(canvas).items():
                constants[name] = buffer = DeviceArray(cuda, values.shape)
                self._open.callback(buffer.close)
                buffer.put(values, stream)
            self._calls = [ImageCall(cuda, engine, canvas, constants, self._open) for _ in range(slots)]
        except BaseException:
            self._open.close()
            raise

    def __getitem__(self, slot: int) -> ImageCall:
        return self._calls[slot]

    def close(self) -> None:
        self._open.close()


class ImageCall:
    """The last step of a frame on one canvas: field in, finished bytes in pinned memory out.

    The portrait around the moving part is in the pinned image from the start: pasting back is a strided
    copy of the moving part alone, done by the GPU.
    """

    def __init__(
        self, cuda: Cuda, engine: Engine, canvas: Canvas, constants: dict[str, DeviceArray], stack: ExitStack
    ) -> None:
        self._cuda, self._canvas = cuda, canvas
        columns, rows = canvas.part
        self._result = DeviceArray(cuda, (1, rows, columns, 3), np.uint8)
        stack.callback(self._result.close)
        self._field: dict[str, DeviceArray] = {}
        for name, shape in (("flow", (2, FIELD_SIZE, FIELD_SIZE)), ("paint", (3, IMAGE_SIZE, IMAGE_SIZE))):
            self._field[name] = buffer = DeviceArray(cuda, (1, *shape))
            stack.callback(buffer.close)
        self._warp: dict[str, tuple[Pinned, DeviceArray]] = {}
        moving: dict[str, tuple[tuple[int, ...], Any]] = {
            "shift": ((1, 2, rows, columns), np.float32),
            "front": ((1, rows, columns, 4), np.uint8),
        }
        for name, (size, kind) in moving.items():
            host = Pinned(cuda, size, kind)
            stack.callback(host.close)
            device = DeviceArray(cuda, size, kind)
            stack.callback(device.close)
            self._warp[name] = host, device
        self._image = Pinned(cuda, canvas.still.shape if canvas.pasted else (rows, columns, 3), np.uint8)
        stack.callback(self._image.close)
        if canvas.pasted:
            self._image.array[...] = canvas.still
        self._done = cuda.create_event()
        stack.callback(cuda.release_event, self._done)
        execution = engine.execution()
        warp = {name: device for name, (_, device) in self._warp.items()}
        for name, buffer in (*constants.items(), *self._field.items(), *warp.items()):
            execution.set_shape(name, buffer.shape)
            execution.set_address(name, buffer.address)
        execution.set_address(IMAGE_OUTPUT, self._result.address)
        self._call = Recorded(cuda, execution.enqueue, execution.capturable)
        stack.callback(self._call.close)

    def put(self, warp: Warp, compute: int) -> None:
        """Upload what the mesh says of the frame that :meth:`start` then draws."""
        for name, values in warp.device_inputs().items():
            host, device = self._warp[name]
            np.copyto(host.array, values)
            self._cuda.upload(device.address, host.address, device.size, compute)

    def start(self, results: Mapping[str, DeviceArray], index: int, compute: int, stream: int) -> None:
        """Draw one item of a batch that the network has computed.

        Args:
            results: the batch's device buffers, by name.
            index: the item.
            compute: stream in which the network ran.
            stream: copy stream, in which the finished bytes arrive.
        """
        for name, buffer in self._field.items():
            row = results[name].address + index * buffer.size
            self._cuda.copy(buffer.address, row, buffer.size, compute)
        self._call.run(compute)
        self._cuda.record(self._done, compute)
        self._cuda.wait(stream, self._done)
        columns, rows = self._canvas.part
        canvas, wide = self._canvas, self._image.array.shape[1]
        place = 3 * (canvas.top * wide + canvas.left) if canvas.pasted else 0
        self._cuda.download_rectangle(
            self._image.address + place, 3 * wide, self._result.address, 3 * columns, rows, stream
        )

    @property
    def call(self) -> Recorded:
        """The image part's execution."""
        return self._call

    def image(self) -> Image:
        """The finished image, once the copy stream is done; a new array."""
        return np.array(self._image.array, np.uint8)
