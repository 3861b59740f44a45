"""Mien: a live avatar that keeps micro-expressions.

A still portrait moves as the person in a camera, clip or recorded motion:

>>> import mien                                                        # doctest: +SKIP
>>> avatar = mien.load_avatar("me.jpg")
>>> with mien.open_source("talk.mp4") as frames, mien.Animator(avatar) as animator:
...     for frame in frames:
...         image = animator.step(frame).image                         # (H, W, 3) uint8 RGB

The names are loaded when they are first used: ``import mien`` alone loads no library.  Everything else is
imported from its own module (``mien.engine.tracking``, ``mien.streams.camera``, ...).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.engine.animator import Animator
    from mien.engine.motion import Gains, Motion
    from mien.engine.motion.recording import load_recording, save_recording
    from mien.engine.types import (
        Face,
        Frame,
        MienError,
        ModelError,
        NoFaceError,
        Rendered,
        SinkError,
        SourceError,
        UsageError,
    )
    from mien.engine.utils.image_files import load_image
    from mien.portrait import load_avatar
    from mien.streams.factory import open_sink, open_source

    __version__: str

__all__ = [
    "Animator",
    "Face",
    "Frame",
    "Gains",
    "MienError",
    "ModelError",
    "Motion",
    "NoFaceError",
    "Rendered",
    "SinkError",
    "SourceError",
    "UsageError",
    "__version__",
    "load_avatar",
    "load_image",
    "load_recording",
    "open_sink",
    "open_source",
    "save_recording",
]

_MODULES = {
    "Animator": "mien.engine.animator",
    "Face": "mien.engine.types",
    "Frame": "mien.engine.types",
    "Gains": "mien.engine.motion",
    "MienError": "mien.engine.types",
    "ModelError": "mien.engine.types",
    "Motion": "mien.engine.motion",
    "NoFaceError": "mien.engine.types",
    "Rendered": "mien.engine.types",
    "SinkError": "mien.engine.types",
    "SourceError": "mien.engine.types",
    "UsageError": "mien.engine.types",
    "load_avatar": "mien.portrait",
    "load_image": "mien.engine.utils.image_files",
    "load_recording": "mien.engine.motion.recording",
    "open_sink": "mien.streams.factory",
    "open_source": "mien.streams.factory",
    "save_recording": "mien.engine.motion.recording",
}
"""Module of each public name."""


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("mien")
    elif name in _MODULES:
        value = getattr(_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    globals()[name] = value
    return value


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        from mien.installation import problem

        # A checkout that is imported where it is, but not installed, has this package alone.
        if (reason := problem()) is None:
            raise
        raise ModuleNotFoundError(reason, name=error.name) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
