"""The portrait, prepared once; motion carried over to it; the canvas it is composed on."""

from __future__ import annotations

from mien.engine.avatar.avatar import Avatar

__all__ = ["Avatar"]
