"""The driver's frames -> motion, measured against the reference frame."""

from __future__ import annotations

from mien.engine.tracking.tracker import Tracker, TrackerSettings

__all__ = ["Tracker", "TrackerSettings"]
