"""Tracking: the driver's frames in, motion measured against the reference frame out."""

from __future__ import annotations

from mien.engine.tracking.tracker import Tracker, TrackerSettings

__all__ = ["Tracker", "TrackerSettings"]
