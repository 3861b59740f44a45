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
    from mien.engine.motion import Gains, Motion
    from mien.engine.motion.recording import load_recording, save_recording
    from mien.engine.types import Face, Frame, MienError, Rendered
    from mien.streams.factory import open_sink, open_source
    from mien.streams.images import load_image

    __version__: str

__all__ = [
    "Face",
    "Frame",
    "Gains",
    "MienError",
    "Motion",
    "Rendered",
    "__version__",
    "load_image",
    "load_recording",
    "open_sink",
    "open_source",
    "save_recording",
]

_MODULES = {
    "Face": "mien.engine.types",
    "Frame": "mien.engine.types",
    "Gains": "mien.engine.motion",
    "MienError": "mien.engine.types",
    "Motion": "mien.engine.motion",
    "Rendered": "mien.engine.types",
    "load_image": "mien.streams.images",
    "load_recording": "mien.engine.motion.recording",
    "open_sink": "mien.streams.factory",
    "open_source": "mien.streams.factory",
    "save_recording": "mien.engine.motion.recording",
}
"""Where each public name stands."""


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
