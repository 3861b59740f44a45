"""Tracker, renderer and session of one avatar, put together."""

from __future__ import annotations

from mien.engine.animator.animator import NO_IMAGE, Animator

__all__ = ["NO_IMAGE", "Animator"]
