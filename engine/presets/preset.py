"""Interface of a model preset: what the model needs to be run, driven and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from mien.engine.avatar import Avatar
from mien.engine.avatar.model_io import AvatarCode
from mien.engine.landmarks import Landmarker
from mien.engine.runtime.selection import CpuSettings, RuntimeOptions
from mien.engine.session.renderer import AvatarRenderer
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Image


class PresetRuntime(Protocol):
    """What every preset's runtime can do, whatever computes it."""

    @property
    def name(self) -> str: ...

    def encode(self, source: Image) -> AvatarCode: ...

    def close(self) -> None: ...


R = TypeVar("R", bound=PresetRuntime)


class Preset(Protocol[R]):
    """One architecture of model, and the tracker and renderer that go with it.

    Attributes:
        name: what the user calls it (``"live"``).
        model: what weights and exported files call it in their metadata (``"mien-live"``).
        needs_frames: whether the network looks at the driver's frames, so that recorded motion is not enough.
        has_parts: whether gains can differ between parts of the face, the head and its turn; else
            ``expression`` alone scales all motion.
    """

    name: str
    model: str
    needs_frames: bool
    has_parts: bool

    def owns(self, runtime: object) -> bool:
        """Whether ``runtime`` runs a model of this preset."""

    def holds(self, folder: Path) -> bool:
        """Whether ``folder`` holds an exported model of this preset (or some of it)."""

    def open_folder(self, folder: Path, cpu: CpuSettings) -> RuntimeOptions[R]:
        """The ways to run the exported model in ``folder``.

        Raises:
            MienError: a part is missing, damaged, or not exported together with the others.
        """

    def options(
        self, here: R, parts: Callable[[], Mapping[str, bytes]], reference: Callable[[], R]
    ) -> RuntimeOptions[R]:
        """The ways to run a model that ``here`` runs already.

        Args:
            parts: the exported ONNX parts by name; asked for where something is to be built from them.
            reference: computes the same in FP32; made anew, because ``here`` is in use meanwhile.
        """

    def make_tracker(
        self, runtime: R, settings: TrackerSettings | None, landmarker: Landmarker | None
    ) -> Tracker:
        """A tracker whose motions have what the renderer needs."""

    def make_renderer(self, avatar: Avatar, runtime: R, crop: int | None) -> AvatarRenderer:
        """A renderer of ``avatar``; see :class:`mien.engine.session.renderer.Renderer`."""
