"""Choice of the runtime for the ``paper`` preset; as in :mod:`mien.engine.runtime.selection`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mien.engine.avatar.model_io import AvatarCode
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.openvino_paper import OpenVinoPaper
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.runtime import default_runtime
from mien.engine.runtime.failover import Failover, Notify
from mien.engine.runtime.selection import Progress, RuntimeOptions, on_device
from mien.engine.types import Floats, Image


class FailoverPaperRuntime(PaperRuntime):
    """A :class:`~mien.engine.runtime.failover.Failover` of runtimes of the ``paper`` preset."""

    def __init__(self, fallback: PaperRuntime, make: Callable[[], PaperRuntime], notify: Notify) -> None:
        self._both: Failover[PaperRuntime] = Failover(fallback, make, notify)
        self.points, self.given_points = fallback.points, fallback.given_points

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the active runtime."""
        return self.working.name

    @property
    def working(self) -> PaperRuntime:
        """The active runtime."""
        return self._both.working

    def wait(self) -> PaperRuntime:
        """Wait until the choice of runtime is final, and return that one."""
        return self._both.wait()

    def encode(self, source: Image) -> AvatarCode:
        return self._both.either(lambda runtime: runtime.encode(source))

    def detect(self, image: Floats, points: Floats | None) -> Keys:
        return self._both.either(lambda runtime: runtime.detect(image, points))

    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        return self._both.either(lambda runtime: runtime.animate(code, source, driving))

    def close(self) -> None:
        self._both.close()


def paper_options(
    fallback: PaperRuntime, contents: Callable[[], dict[str, bytes]], reference: Callable[[], PaperRuntime]
) -> RuntimeOptions[PaperRuntime]:
    """The runtime options of the ``paper`` preset.

    Args:
        fallback: works at once.
        contents: the exported parts; asked for where something is to be built from them.
        reference: computes the same in FP32; a new one, as another thread may use ``fallback`` meanwhile.
    """

    def tensorrt(notify: Notify, progress: Progress) -> PaperRuntime:
        from mien.engine.paper.prepare import prepare_paper

        return on_device(
            lambda context: prepare_paper(contents(), reference(), default_runtime(1, "f32"), context),
            notify,
            progress,
        )

    def torch() -> PaperRuntime:
        from mien.engine.paper.prepare import make_torch_paper
        from mien.engine.runtime.torch_cuda import import_torch

        import_torch()  # before anything that takes time
        return make_torch_paper(contents(), reference(), default_runtime(1, "f32"))

    return RuntimeOptions(fallback, tensorrt, torch, FailoverPaperRuntime)


def paper_files(fallback: OpenVinoPaper, folder: Path) -> RuntimeOptions[PaperRuntime]:
    """The runtime options of an exported folder that ``fallback`` runs."""
    from mien.engine.paper.parts import read_parts

    return paper_options(
        fallback, lambda: read_parts(folder), lambda: OpenVinoPaper(folder, threads=1, precision="f32")
    )
