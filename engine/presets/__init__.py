"""Model presets: which there are, and which one a runtime, a folder or a weights file belongs to.

A new preset is a class with the members of :class:`~mien.engine.presets.preset.Preset`, and an entry here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.engine.paper.preset import PaperPreset
from mien.engine.presets.live import LivePreset
from mien.engine.presets.preset import Preset, PresetRuntime

__all__ = ["PRESETS", "Preset", "PresetRuntime", "preset_in", "preset_named", "preset_of"]

PRESETS: tuple[Preset[Any], ...] = (LivePreset(), PaperPreset())
"""Every preset; the first is the built-in model's."""


def preset_of(runtime: PresetRuntime) -> Preset[Any]:
    """The preset whose model ``runtime`` runs.

    Raises:
        TypeError: none of them.
    """
    for preset in PRESETS:
        if preset.owns(runtime):
            return preset
    raise TypeError(f"{type(runtime).__name__} belongs to no preset")


def preset_in(folder: Path) -> Preset[Any] | None:
    """The preset of the exported files in ``folder``; None where there are none."""
    # The built-in model's last: its files may lie beside another's.
    return next((preset for preset in reversed(PRESETS) if preset.holds(folder)), None)


def preset_named(model: str | None) -> Preset[Any]:
    """The preset whose weights say that they are of ``model``; the first for weights that say nothing."""
    return next((preset for preset in PRESETS if preset.model == model), PRESETS[0])
