"""Avatars: the prepared portrait, motion transferred to it, and the canvas it is composed on."""

from __future__ import annotations

from mien.engine.avatar.avatar import Avatar

__all__ = ["Avatar"]
