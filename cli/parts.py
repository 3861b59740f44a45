"""Builds the engine's parts from the options."""

from __future__ import annotations

from pathlib import Path

from cli.arguments import Options
from cli.engine_progress import EngineProgress
from engine.avatar import Avatar
from engine.landmarks import Landmarker, make_landmarker
from engine.motion import Gains
from engine.runtime import ASSETS, Runtime, chosen_runtime
from engine.tracker import Tracker, TrackerSettings
from engine.types import MienError
from streams.portrait import fit_within, load_image

PORTRAIT = ASSETS / "portrait.jpg"
DEMO_MOTION = ASSETS / "demo-motion.npz"
MOTION_SUFFIX = ".npz"

__all__ = [
    "DEMO_MOTION",
    "MOTION_SUFFIX",
    "PORTRAIT",
    "load_avatar",
    "make_gains",
    "make_runtime",
    "make_tracker",
    "portrait_landmarker",
]


def make_runtime(options: Options) -> Runtime:
    """The renderer's runtime."""
    told = EngineProgress()
    return chosen_runtime(
        options.runtime, options.threads, options.precision, note=told.note, progress=told.progress
    )


def portrait_landmarker() -> Landmarker:
    """The landmarker for portraits (the driver's keeps its own state)."""
    return make_landmarker("openvino", threads=2)


def load_avatar(path: Path | None, options: Options, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    """The portrait at ``path``, or the built-in one, ready to be driven."""
    full = load_image(path or PORTRAIT)
    image = fit_within(full, options.portrait_side)
    try:
        return Avatar.of(image, landmarker, runtime, path.name if path else "the portrait")
    except MienError as error:
        if image is full or options.size is None:
            raise
        # A face that is large enough in the photo can be too small in what the user's --size makes of it.
        side = f"{options.portrait_side} pixels"
        raise MienError(f"{error} (It was reduced to {side}; a larger --size may do.)") from error


def make_tracker(options: Options, *, live: bool) -> Tracker:
    """The driver's tracker; only live use smooths over time."""
    return Tracker(TrackerSettings(landmarks=options.tracker, live=live))


def make_gains(options: Options) -> Gains:
    """The gains that the options ask for."""
    amounts = {
        "head": options.head,
        "turn": options.turn,
        "expression": options.expression,
        "micro": options.micro,
    }
    regions = dict(options.gains)
    if not options.only:
        return Gains(regions=regions, **amounts)
    if regions:
        raise MienError(
            "--only and --gain contradict each other. Use --only with --expression, or --gain alone."
        )
    return Gains.only(list(options.only), **amounts)
