"""The ``live`` preset: landmark warp and measured flow, corrected and painted by a small network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import ENCODER, RENDERER, OpenVinoRuntime, Runtime
from mien.engine.runtime.selection import CpuSettings, RuntimeOptions, live_files, live_options
from mien.engine.session.renderer import AvatarRenderer, Renderer
from mien.engine.tracking import Tracker, TrackerSettings


class LivePreset:
    """The built-in model's preset; see :class:`mien.engine.presets.preset.Preset`."""

    name = "live"
    model = "mien-live"
    needs_frames = False
    has_parts = True

    def owns(self, runtime: object) -> bool:
        return isinstance(runtime, Runtime)

    def holds(self, folder: Path) -> bool:
        return any((folder / part.name).is_file() for part in (ENCODER, RENDERER))

    def open_folder(self, folder: Path, cpu: CpuSettings) -> RuntimeOptions[Runtime]:
        encoder, renderer = folder / ENCODER.name, folder / RENDERER.name
        here = OpenVinoRuntime(
            encoder, renderer, threads=cpu.threads or 2, precision=cpu.precision, network=cpu.network
        )
        return live_files(here, encoder, renderer)

    def options(
        self, here: Runtime, parts: Callable[[], Mapping[str, bytes]], reference: Callable[[], Runtime]
    ) -> RuntimeOptions[Runtime]:
        from mien.engine.runtime.tensorrt.prepare import Model

        def model() -> Model:
            made = parts()
            return Model(made[ENCODER.stem], made[RENDERER.stem])

        return live_options(here, model, reference)

    def make_tracker(
        self, runtime: Runtime, settings: TrackerSettings | None, landmarker: Landmarker | None
    ) -> Tracker:
        return Tracker(settings, landmarker)

    def make_renderer(self, avatar: Avatar, runtime: Runtime, crop: int | None) -> AvatarRenderer:
        return Renderer(avatar, runtime, crop)
