"""Faces and their 478 landmarks in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mien.engine.landmarks.base import Landmarker
from mien.engine.landmarks.bundle import canonical_mesh
from mien.engine.types import UsageError

if TYPE_CHECKING:
    from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker
    from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker

__all__ = [
    "LANDMARKERS",
    "Landmarker",
    "MediaPipeLandmarker",
    "OpenVinoLandmarker",
    "canonical_mesh",
    "make_landmarker",
]

LANDMARKERS = ("openvino", "mediapipe")
"""The names that :func:`make_landmarker` knows."""


def make_landmarker(name: str = "openvino", threads: int = 1, *, live: bool = False) -> Landmarker:
    """A new landmarker.

    Args:
        name: ``"openvino"`` (the default; local, sends nothing) or ``"mediapipe"`` (the package of that
            name, which sends usage metrics to Google).
        threads: CPU threads for the networks (``"openvino"`` only).
        live: look for a lost face a little on every frame, and compute in bfloat16 what may be, where the CPU
            does that (``"openvino"`` only).

    Raises:
        UsageError: for an unknown name, a missing package, or a missing or damaged model bundle.
    """
    if name == "openvino":
        from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker
        from mien.engine.utils.openvino_core import cpu_has_bf16

        return OpenVinoLandmarker(threads, "bf16" if live and cpu_has_bf16() else "f32", live=live)
    if name == "mediapipe":
        from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker

        return MediaPipeLandmarker()
    raise UsageError(f"There is no landmarker {name!r}; choose one of {', '.join(LANDMARKERS)}.")


def __getattr__(name: str) -> Any:
    if name == "OpenVinoLandmarker":
        from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker

        return OpenVinoLandmarker
    if name == "MediaPipeLandmarker":
        from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker

        return MediaPipeLandmarker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
