"""Face detection and the 478 face landmarks."""

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
"""Names accepted by :func:`make_landmarker`."""


def make_landmarker(name: str = "openvino", threads: int = 1, *, live: bool = False) -> Landmarker:
    """Create a landmarker.

    Args:
        name: ``"openvino"`` (the default; local, sends nothing) or ``"mediapipe"`` (the package of that
            name, which sends usage metrics to Google).
        threads: CPU threads for the networks (``"openvino"`` only).
        live: spread the search for a lost face over several frames, and run the large layers in bfloat16
            where the CPU supports it (``"openvino"`` only).

    Raises:
        UsageError: unknown name, missing package, or missing or damaged model bundle.
    """
    if name == "openvino":
        from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker
        from mien.engine.utils.openvino_core import cpu_has_bf16

        return OpenVinoLandmarker(threads, "bf16" if live and cpu_has_bf16() else "f32", live=live)
    if name == "mediapipe":
        from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker

        return MediaPipeLandmarker()
    raise UsageError(f"{name!r} is not a valid landmarker; choose one of {', '.join(LANDMARKERS)}.")


def __getattr__(name: str) -> Any:
    if name == "OpenVinoLandmarker":
        from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker

        return OpenVinoLandmarker
    if name == "MediaPipeLandmarker":
        from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker

        return MediaPipeLandmarker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
