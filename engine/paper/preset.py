"""Entry of the ``paper`` preset in the table of presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.paper.openvino_paper import OpenVinoPaper, is_paper_folder
from mien.engine.paper.renderer import PaperRenderer
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.paper.selection import paper_files, paper_options
from mien.engine.paper.tracker import PaperTracker
from mien.engine.runtime.selection import CpuSettings, RuntimeOptions
from mien.engine.tracking import Tracker, TrackerSettings


class PaperPreset:
    """The published network's preset; see :class:`mien.engine.presets.preset.Preset`."""

    name = "paper"
    model = "mien-paper"
    needs_frames = True
    has_parts = False

    def owns(self, runtime: object) -> bool:
        return isinstance(runtime, PaperRuntime)

    def holds(self, folder: Path) -> bool:
        return is_paper_folder(folder)

    def open_folder(self, folder: Path, cpu: CpuSettings) -> RuntimeOptions[PaperRuntime]:
        return paper_files(OpenVinoPaper(folder, threads=cpu.threads, precision=cpu.precision), folder)

    def options(
        self,
        here: PaperRuntime,
        parts: Callable[[], Mapping[str, bytes]],
        reference: Callable[[], PaperRuntime],
    ) -> RuntimeOptions[PaperRuntime]:
        def contents() -> dict[str, bytes]:
            return {name.removeprefix("paper-"): content for name, content in parts().items()}

        return paper_options(here, contents, reference)

    def make_tracker(
        self, runtime: PaperRuntime, settings: TrackerSettings | None, landmarker: Landmarker | None
    ) -> Tracker:
        return PaperTracker(runtime, settings, landmarker)

    def make_renderer(self, avatar: Avatar, runtime: PaperRuntime, crop: int | None) -> PaperRenderer:
        return PaperRenderer(avatar, runtime, crop)
