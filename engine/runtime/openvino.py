"""The CPU runtime: OpenVINO.

In ``bf16`` OpenVINO rounds everything, including matrix products and exponentials: the flow was wrong by
0.24 px.  The plugin honours no per-node switch, so the graph is cut at named values into parts that are
compiled separately: landmark arithmetic, composition and warps in FP32, convolutions in bf16.  In ``int8``
the convolutions alone are rounded (:mod:`mien.engine.runtime.quantisation`), and the graph stays whole.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mien.engine.avatar.model_io import (
    FIELD_SIZE,
    IMAGE_SIZE,
    POINT_INPUTS,
    AvatarCode,
    Field,
    point_inputs,
    source_tensor,
)
from mien.engine.runtime.background_network import BackgroundNetwork
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.openvino_files import REMEDY, metadata_of, quickest_with, read_model
from mien.engine.runtime.openvino_parts import NetworkResults, PartedRenderer
from mien.engine.runtime.quantisation import bounds_of
from mien.engine.types import Floats, Image, ModelError
from mien.engine.utils.openvino_core import compile_for_cpu
from mien.engine.utils.thread_priority import make_way

Precision = Literal["auto", "f32", "bf16", "int8"]


class Network(Enum):
    """How often the network (correction and paint) runs; the warp follows every frame.

    Attributes:
        EVERY_FRAME: with every frame.
        BACKGROUND: as often as the machine allows, in a background thread; each frame uses the newest
            correction and paint available.
        OFF: never; the same as with an untrained network, which gives zeros.
    """

    EVERY_FRAME = "live"
    BACKGROUND = "live-fast"
    OFF = "warp"


class OpenVinoRuntime(Runtime):
    """OpenVINO on ``threads`` CPU threads.

    Args:
        encoder_path, renderer_path: what ``mien export`` wrote.
        precision: of the convolutions (the rest stays FP32); ``"auto"`` is the fastest on this CPU.
        network: how often the network runs at first.
        skip_untrained: neither compile nor run an untrained network, whose results are zero.

    Attributes:
        precision: the precision that ``"auto"`` resolved to.
        untrained: whether the model is a pure landmark warp: its network gives zeros.
        weights: hash of the model's weights.
    """

    name = "openvino"

    def __init__(
        self,
        encoder_path: Path,
        renderer_path: Path,
        *,
        threads: int,
        precision: Precision = "auto",
        network: Network = Network.EVERY_FRAME,
        skip_untrained: bool = False,
    ) -> None:
        encoder, renderer = read_model(encoder_path), read_model(renderer_path)
        self._bounds = bounds_of(renderer)
        self.precision: str = quickest_with(self._bounds) if precision == "auto" else precision
        if precision == "int8" and not self._bounds:
            raise ModelError(f"{renderer_path}: has no bounds for int8 (export it again, or use f32)")
        self.threads = threads
        metadata = metadata_of(encoder, encoder_path, "encoder")
        if metadata_of(renderer, renderer_path, "renderer")["weights_sha256"] != metadata["weights_sha256"]:
            raise ModelError(f"{renderer_path}: not exported together with {encoder_path.name} ({REMEDY})")
        self.untrained = metadata["untrained"] == "true"
        self.weights: str = metadata["weights_sha256"]
        self._encoder_path = encoder_path
        self._encoder = _compiled_encoder(encoder)
        self._model = renderer
        self._renderer = PartedRenderer(renderer, threads, self.precision, self._bounds)
        self._worker = ThreadPoolExecutor(1, "network", initializer=make_way)
        self._background: BackgroundNetwork | None = None
        self._own = SessionRuntime(self)
        self._shown: SessionRuntime | None = None  # whose results the renderer holds
        self.network = Network.OFF if skip_untrained and self.untrained else network
        self._code: AvatarCode | None = None
        self._flow = np.zeros((FIELD_SIZE, FIELD_SIZE, 2), np.float32)
        self._paint = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)

    @property
    def network(self) -> Network:
        """How often the network runs; may be changed between two frames.

        On every frame it is compiled now (half a second); beside them by its first run, in its own thread,
        so that nothing waits for it, and where it never runs nothing is compiled at all.
        """
        return self._network

    @network.setter
    def network(self, network: Network) -> None:
        if network is Network.BACKGROUND and self._background is None:
            # One thread: it uses the time that the frames leave, and two would take theirs.
            renderer = PartedRenderer(self._model, 1, self.precision, self._bounds)
            self._background = BackgroundNetwork(renderer, self._worker)
        if network is Network.OFF:
            # Its last result would remain in every frame.
            self._finish_background()
            self._renderer.forget_network()
            self._renderer.run_warp()
        elif network is Network.BACKGROUND:
            self._renderer.run_light()
        else:
            self._renderer.warm_up()
        if network is not Network.EVERY_FRAME:
            self._renderer.release()
        self._shown = None
        self._network = network

    @property
    def paints(self) -> bool:
        return self._network is not Network.OFF

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        # In the low-priority thread: in live use, frames are rendered meanwhile; a background run waits.
        return AvatarCode(tensor, self._worker.submit(self._features, tensor).result())

    def _features(self, tensor: Floats) -> Floats:
        if self._encoder is None:
            self._encoder = _compiled_encoder(read_model(self._encoder_path))
        found = np.array(self._encoder.create_infer_request().infer({0: tensor})[0])
        self._encoder.release_memory()  # used once per avatar
        return found

    def forget_encoder(self) -> None:
        """Free the encoder (19 MB): the next avatar's takes 0.1 s longer."""
        self._encoder = None

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        return self.render_for(self._own, code, source_points, driving_points, dense)

    def for_driver(self) -> SessionRuntime:
        return SessionRuntime(self)

    def render_for(
        self,
        session: SessionRuntime,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None,
    ) -> Field:
        """:meth:`render`, for one of several drivers whose frames alternate."""
        moving = point_inputs(source_points, driving_points, dense)
        inputs, outputs = self._renderer.inputs, self._renderer.outputs
        if code is not self._code:
            inputs["source"][...] = code.source
            inputs["features"][...] = code.features
            self._code = code
        for name, values in zip(POINT_INPUTS, moving, strict=True):
            np.copyto(inputs[name], values)
        if self._network is Network.EVERY_FRAME:
            self._finish_background()
            self._renderer.run()
        else:
            if self._network is Network.BACKGROUND:
                self._run_background(session, code)
                self._renderer.run_light()
            else:
                self._renderer.run_warp()
        np.copyto(self._flow, outputs["flow"][0].transpose(1, 2, 0))
        np.copyto(self._paint, outputs["paint"][0].transpose(1, 2, 0))
        return Field(self._flow, outputs["occlusion"][0, 0], self._paint)

    @property
    def stale(self) -> bool:
        return self.stale_for(self._own)

    def stale_for(self, session: SessionRuntime) -> bool:
        """Whether a newer network result exists for this session's last frame."""
        background = self._background
        if self._network is not Network.BACKGROUND or background is None or background.busy:
            return False
        return session.waiting or background.holds_results_for(session)

    def _run_background(self, session: SessionRuntime, code: AvatarCode) -> None:
        """Collect a finished result, start a run on this frame if idle, and apply this session's results."""
        if session.code is not code:
            session.forget(code)
        session.waiting = True
        assert self._background is not None
        if self._background.collect():
            self._background.start(session, code, self._renderer.inputs)
        if session.fresh or self._shown is not session:
            session.show(self._renderer)
            self._shown = session

    def _finish_background(self) -> None:
        if self._background is not None:
            self._background.finish()


def _compiled_encoder(model: Any) -> Any:
    """Exact rather than fast, once per avatar; on one thread, since in live use frames are drawn beside."""
    return compile_for_cpu(model, threads=1, precision="f32", name="encoder", kept=True)


class SessionRuntime(Runtime):
    """One session's view of a shared runtime.

    In the background the network computes results for an earlier frame, and results for one person are wrong
    for another, even if both drive the same avatar.

    Attributes:
        code: the avatar drawn last.
        waiting: whether the network has not received the last frame yet.
        fresh: whether the results have changed since they were last shown.
    """

    name = OpenVinoRuntime.name

    def __init__(self, runtime: OpenVinoRuntime) -> None:
        self._runtime = runtime
        self._results: NetworkResults | None = None
        self.code: AvatarCode | None = None
        self.waiting = self.fresh = False

    @property
    def stale(self) -> bool:
        return self._runtime.stale_for(self)

    @property
    def paints(self) -> bool:
        return self._runtime.paints

    def encode(self, source: Image) -> AvatarCode:
        return self._runtime.encode(source)

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        return self._runtime.render_for(self, code, source_points, driving_points, dense)

    def forget(self, code: AvatarCode) -> None:
        """Start with an avatar for which there are no results yet."""
        self.code, self._results, self.fresh = code, None, True

    def learn(self, network: PartedRenderer) -> None:
        """Keep a copy of the network's results."""
        if self._results is None:
            self._results = network.results()
        else:
            network.give(self._results)
        self.fresh = True

    def show(self, renderer: PartedRenderer) -> None:
        """Load this session's results into ``renderer``."""
        if self._results is None:
            renderer.forget_network()
        else:
            renderer.take(self._results)
        self.fresh = False
