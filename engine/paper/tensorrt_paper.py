"""The published network on an NVIDIA GPU: TensorRT engines, replayed as CUDA graphs.

The encoder runs once per portrait, whose code stays on the GPU.  Per frame the detector looks at the driving
crop (768 KB up, the key points down), and one engine makes the image (key points up, 768 KB down).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.model_io import IMAGE_SIZE, AvatarCode, check_source
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.runtime.cuda import Cuda, CudaError
from mien.engine.runtime.device_cache import DeviceCache
from mien.engine.runtime.graphs.pixels import PIXELS
from mien.engine.runtime.tensorrt.avatar_buffers import AvatarBuffers
from mien.engine.runtime.tensorrt.backend import Engine
from mien.engine.runtime.tensorrt.call import EngineCall
from mien.engine.runtime.tensorrt.parts import Part
from mien.engine.types import Floats, Image

CODE = ("source", "features")
AVATARS = 8
"""Number of portraits' codes kept after their last use."""


class TensorRtPaper(PaperRuntime):
    """Runs loaded engines; :func:`mien.engine.paper.prepare.prepare_paper` builds, loads and checks them.

    Threads take turns: there is one GPU.  :meth:`close` gives its memory back, the engines' too.

    Args:
        parts: the networks (:func:`mien.engine.paper.parts.paper_parts`), ``engines`` theirs by
            the same names.
        points, given_points: the model's (:class:`PaperRuntime`).

    Raises:
        CudaError: from every method, when the GPU fails or the runtime is closed.
    """

    name = "tensorrt"

    def __init__(
        self,
        parts: Mapping[str, Part],
        engines: Mapping[str, Engine],
        cuda: Cuda,
        points: int,
        given_points: bool,
    ) -> None:
        self.points, self.given_points = points, given_points
        self._cuda, self._encoder = cuda, engines["encoder"]
        self._code = parts["encoder"].outputs
        self._lock = threading.RLock()
        self._closed = False
        self._loaded: AvatarBuffers | None = None
        self._image: Floats = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)
        self._open = ExitStack()
        cuda.attach()
        try:
            for engine in engines.values():
                self._open.callback(engine.close)
            self._stream = cuda.create_stream()
            self._open.callback(cuda.release_stream, self._stream)
            self._detector = self._call(parts["detector"], engines["detector"])
            self._renderer = self._call(parts["renderer"], engines["renderer"], CODE)
        except BaseException:
            self._open.close()
            raise
        self._avatars: DeviceCache[AvatarCode, AvatarBuffers] = DeviceCache(
            lambda code: AvatarBuffers(cuda, code, self._stream), AVATARS, AvatarBuffers.close
        )
        self._open.callback(self._avatars.close)

    def _call(self, part: Part, engine: Engine, resident: tuple[str, ...] = ()) -> EngineCall:
        call = EngineCall(self._cuda, engine, part.inputs, part.outputs, resident)
        self._open.callback(call.close)
        return call

    @property
    def graphs(self) -> dict[str, bool]:
        """What has run so far, and whether it is replayed as a CUDA graph."""
        calls = {"detector": self._detector.call, "renderer": self._renderer.call}
        return {name: call.recorded for name, call in calls.items() if call.used}

    def _begin(self) -> None:
        if self._closed:
            raise CudaError("the runtime is closed")
        self._cuda.attach()

    def encode(self, source: Image) -> AvatarCode:
        check_source(source)
        with self._lock:
            self._begin()
            call = EngineCall(self._cuda, self._encoder, {PIXELS: (1, *source.shape)}, self._code)
            with closing(call):
                found = call(self._stream, {PIXELS: source[None]})
                return AvatarCode(*(found[name].copy() for name in CODE))

    def detect(self, image: Floats, points: Floats | None) -> Keys:
        given: dict[str, NDArray[Any]] = {"image": image}
        if self.given_points:
            if points is None:
                raise ValueError("this model is given its points")
            given["points"] = points[None]
        with self._lock:
            self._begin()
            found = self._detector(self._stream, given)
            return Keys(found["key_points"][0].copy(), found["jacobians"][0].copy())

    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        with self._lock:
            self._begin()
            avatar = self._avatars.get(code)
            if avatar is not self._loaded:
                self._loaded = None
                for name in CODE:
                    place = self._renderer.on_device[name]
                    self._cuda.copy(place.address, avatar.on_device[name].address, place.size, self._stream)
                self._loaded = avatar
            given = {
                "source_points": source.points[None],
                "source_jacobians": source.jacobians[None],
                "driving_points": driving.points[None],
                "driving_jacobians": driving.jacobians[None],
            }
            image = self._renderer(self._stream, given)["picture"][0]
            np.copyto(self._image, image.transpose(1, 2, 0))
            return self._image

    def when_closed(self, work: Callable[[], None]) -> None:
        """Call ``work`` at the end of :meth:`close`."""
        rest, self._open = self._open, ExitStack()
        self._open.callback(work)
        self._open.push(rest)

    def close(self) -> None:
        """Free everything on the GPU; idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with self._open:  # whatever the GPU reports, everything is released
                self._cuda.attach()
                self._cuda.synchronise(self._stream)
