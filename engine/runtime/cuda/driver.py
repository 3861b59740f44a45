"""CUDA's driver API through ctypes.

Not the runtime API (libcudart): that would be another library to install in the right version, whereas
``libcuda`` comes with the driver and exists wherever CUDA can work at all.  It uses the GPU's primary
context, which torch and TensorRT share.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_void_p
from pathlib import Path
from typing import Any

from mien.engine.runtime.cuda import CudaError, DeviceInfo, OutOfMemory

_OUT_OF_MEMORY = 2
_NO_DEVICE = 100
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_NON_BLOCKING = 1  # a stream that does not wait for the default stream
_CAPTURE_THREAD_LOCAL = 1  # other threads (an engine build) may allocate while this one captures
_HOST, _DEVICE = 1, 2


class _Copy2D(ctypes.Structure):
    """``CUDA_MEMCPY2D``."""

    _fields_ = (
        ("srcXInBytes", c_size_t),
        ("srcY", c_size_t),
        ("srcMemoryType", c_uint),
        ("srcHost", c_void_p),
        ("srcDevice", c_void_p),
        ("srcArray", c_void_p),
        ("srcPitch", c_size_t),
        ("dstXInBytes", c_size_t),
        ("dstY", c_size_t),
        ("dstMemoryType", c_uint),
        ("dstHost", c_void_p),
        ("dstDevice", c_void_p),
        ("dstArray", c_void_p),
        ("dstPitch", c_size_t),
        ("WidthInBytes", c_size_t),
        ("Height", c_size_t),
    )


def _load(path: str | None) -> Any:
    name = path or ("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise CudaError(f"no NVIDIA driver is installed ({name} was not found)") from None


class DriverCuda:
    """The first GPU; see :class:`mien.engine.runtime.cuda.Cuda`.

    Args:
        library: path of an alternative ``libcuda``.
    """

    def __init__(self, library: str | None = None) -> None:
        self._library = _load(library)
        self._call("cuInit", c_uint(0))
        count = c_int()
        self._call("cuDeviceGetCount", byref(count))
        if count.value == 0:
            raise CudaError("the NVIDIA driver finds no GPU")
        self._device = c_int()
        self._call("cuDeviceGet", byref(self._device), c_int(0))
        self._context = c_void_p()
        self._call("cuDevicePrimaryCtxRetain", byref(self._context), self._device)
        try:
            self.attach()
            self._device_info = self._describe()
        except CudaError:
            with suppress(CudaError):
                self.close()
            raise

    @property
    def device(self) -> DeviceInfo:
        return self._device_info

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise CudaError(f"the NVIDIA driver is too old (it has no {name}): update it") from None
        code = function(*arguments)
        if code == 0:
            return
        if code == _NO_DEVICE:
            raise CudaError("the NVIDIA driver finds no GPU")
        if code == _OUT_OF_MEMORY:
            raise OutOfMemory("the GPU's memory is full: close other programs that use it")
        text = c_char_p()
        self._library.cuGetErrorName(c_int(code), byref(text))
        word = text.value.decode() if text.value else "unknown error"
        raise CudaError(f"the GPU failed: {name} returned {word} ({code})")

    def _describe(self) -> DeviceInfo:
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, c_int(256), self._device)
        capability = []
        for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
            value = c_int()
            self._call("cuDeviceGetAttribute", byref(value), c_int(attribute), self._device)
            capability.append(value.value)
        memory = c_size_t()
        self._call("cuDeviceTotalMem_v2", byref(memory), self._device)
        return DeviceInfo(
            name.value.decode(), (capability[0], capability[1]), self._driver_version(), memory.value
        )

    def _driver_version(self) -> str:
        """The kernel driver's own version if available, otherwise the CUDA version it supports."""
        text = Path("/sys/module/nvidia/version")
        try:
            return text.read_text(encoding="utf-8").strip()
        except OSError:
            version = c_int()
            self._call("cuDriverGetVersion", byref(version))
            return f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"

    def attach(self) -> None:
        self._call("cuCtxSetCurrent", self._context)

    def allocate(self, size: int) -> int:
        address = c_void_p()
        self._call("cuMemAlloc_v2", byref(address), c_size_t(size))
        found = address.value or 0
        try:
            self._call("cuMemsetD8_v2", c_void_p(found), ctypes.c_ubyte(0), c_size_t(size))
            # memset runs on the default stream, which our streams do not wait for: it could erase an upload.
            self._call("cuStreamSynchronize", c_void_p(0))
        except CudaError:
            with suppress(CudaError):
                self.release(found)
            raise
        return found

    def release(self, address: int) -> None:
        self._call("cuMemFree_v2", c_void_p(address))

    def allocate_host(self, size: int) -> int:
        address = c_void_p()
        self._call("cuMemHostAlloc", byref(address), c_size_t(size), c_uint(0))
        return address.value or 0

    def release_host(self, address: int) -> None:
        self._call("cuMemFreeHost", c_void_p(address))

    def free_memory(self) -> int:
        free, total = c_size_t(), c_size_t()
        self._call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value

    def create_stream(self) -> int:
        stream = c_void_p()
        self._call("cuStreamCreate", byref(stream), c_uint(_NON_BLOCKING))
        return stream.value or 0

    def release_stream(self, stream: int) -> None:
        self._call("cuStreamDestroy_v2", c_void_p(stream))

    def synchronise(self, stream: int) -> None:
        self._call("cuStreamSynchronize", c_void_p(stream))

    def create_event(self) -> int:
        event = c_void_p()
        self._call("cuEventCreate", byref(event), c_uint(0))
        return event.value or 0

    def release_event(self, event: int) -> None:
        self._call("cuEventDestroy_v2", c_void_p(event))

    def record(self, event: int, stream: int) -> None:
        self._call("cuEventRecord", c_void_p(event), c_void_p(stream))

    def wait(self, stream: int, event: int) -> None:
        self._call("cuStreamWaitEvent", c_void_p(stream), c_void_p(event), c_uint(0))

    def elapsed_ms(self, start: int, end: int) -> float:
        milliseconds = c_float()
        self._call("cuEventElapsedTime", byref(milliseconds), c_void_p(start), c_void_p(end))
        return milliseconds.value

    def upload(self, to: int, host: int, size: int, stream: int) -> None:
        self._call("cuMemcpyHtoDAsync_v2", c_void_p(to), c_void_p(host), c_size_t(size), c_void_p(stream))

    def download(self, host: int, source: int, size: int, stream: int) -> None:
        self._call("cuMemcpyDtoHAsync_v2", c_void_p(host), c_void_p(source), c_size_t(size), c_void_p(stream))

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        self._call("cuMemcpyDtoDAsync_v2", c_void_p(to), c_void_p(source), c_size_t(size), c_void_p(stream))

    def download_rectangle(
        self, host: int, pitch: int, source: int, width: int, height: int, stream: int
    ) -> None:
        what = _Copy2D(
            srcMemoryType=_DEVICE,
            srcDevice=source,
            srcPitch=width,
            dstMemoryType=_HOST,
            dstHost=host,
            dstPitch=pitch,
            WidthInBytes=width,
            Height=height,
        )
        self._call("cuMemcpy2DAsync_v2", byref(what), c_void_p(stream))

    def begin_capture(self, stream: int) -> None:
        self._call("cuStreamBeginCapture_v2", c_void_p(stream), c_int(_CAPTURE_THREAD_LOCAL))

    def end_capture(self, stream: int) -> int:
        graph, ready = c_void_p(), c_void_p()
        self._call("cuStreamEndCapture", c_void_p(stream), byref(graph))
        try:
            self._call("cuGraphInstantiateWithFlags", byref(ready), graph, ctypes.c_ulonglong(0))
        finally:
            if graph.value:
                self._call("cuGraphDestroy", graph)
        return ready.value or 0

    def launch(self, graph: int, stream: int) -> None:
        self._call("cuGraphLaunch", c_void_p(graph), c_void_p(stream))

    def release_graph(self, graph: int) -> None:
        self._call("cuGraphExecDestroy", c_void_p(graph))

    def close(self) -> None:
        # The context belongs to the process: it ends when every user (torch, TensorRT) has released it.
        if self._context.value is None:
            return
        self._context = c_void_p()
        try:
            self._call("cuCtxSetCurrent", self._context)
        finally:
            self._call("cuDevicePrimaryCtxRelease_v2", self._device)
