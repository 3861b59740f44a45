"""Face detection and the 478 face landmarks.

A new landmarker is a subclass of :class:`Landmarker` in a module of its own, and an entry in
:data:`LANDMARKERS`; the command line takes its names from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mien.engine.landmarks.base import Landmarker
from mien.engine.landmarks.bundle import canonical_mesh
from mien.engine.types import UsageError

__all__ = ["LANDMARKERS", "Landmarker", "LandmarkerKind", "canonical_mesh", "make_landmarker"]


@dataclass(frozen=True, slots=True)
class LandmarkerKind:
    """One way to find landmarks.

    Attributes:
        help: a few words for the help of the command line.
        make: constructor; takes the CPU threads of its networks and whether it is for live use.
    """

    help: str
    make: Callable[[int, bool], Landmarker]


def _openvino(threads: int, live: bool) -> Landmarker:
    from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker

    return OpenVinoLandmarker(threads, live=live)


def _mediapipe(threads: int, live: bool) -> Landmarker:
    from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker

    return MediaPipeLandmarker()


LANDMARKERS: Mapping[str, LandmarkerKind] = {
    "openvino": LandmarkerKind("sends nothing", _openvino),
    "mediapipe": LandmarkerKind("the package, which sends usage metrics to Google", _mediapipe),
}
"""Landmarkers by the names that :func:`make_landmarker` accepts; the first is the default."""


def make_landmarker(name: str = "openvino", threads: int = 1, *, live: bool = False) -> Landmarker:
    """Create a landmarker.

    Args:
        name: ``"openvino"`` (the default; local, sends nothing) or ``"mediapipe"`` (the package of that
            name, which sends usage metrics to Google).
        threads: CPU threads for the networks (``"openvino"`` only).
        live: spread the search for a lost face over several frames (``"openvino"`` only).

    Raises:
        UsageError: unknown name, missing package, or missing or damaged model bundle.
    """
    kind = LANDMARKERS.get(name)
    if kind is None:
        raise UsageError(f"{name!r} is not a valid landmarker; choose one of {', '.join(LANDMARKERS)}.")
    return kind.make(threads, live)
