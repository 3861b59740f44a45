"""Motion passed from driver to avatar: displacements relative to the reference frame, and gains on them."""

from __future__ import annotations

from mien.engine.motion.body import Body
from mien.engine.motion.gains import Gains, apply_gains
from mien.engine.motion.motion import Head, Motion, Shape
from mien.engine.motion.shading import Shading

__all__ = ["Body", "Gains", "Head", "Motion", "Shading", "Shape", "apply_gains"]
