"""Construction of the engine's parts from the options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mien.cli.background import chosen_background
from mien.cli.engine_progress import EngineProgress
from mien.cli.model_choice import BUILT_IN, WARP, load_model
from mien.cli.options.arguments import Options
from mien.cli.photos import is_enrolled, with_photos
from mien.engine.animator import Animator
from mien.engine.avatar import Avatar
from mien.engine.avatar.avatar import PortraitEncoder
from mien.engine.enrolment.container import load_enrolled
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.motion import Gains, Motion
from mien.engine.presets import PresetRuntime, preset_of
from mien.engine.runtime import Network, Runtime, chosen_runtime, default_runtime
from mien.engine.session.renderer import AvatarRenderer
from mien.engine.tracking import TrackerSettings
from mien.engine.types import Frame, Image, NoFaceError, UsageError
from mien.engine.utils.assets import DEMO_MOTION, PORTRAIT
from mien.engine.utils.bit_depth import depth_of, white_of
from mien.engine.utils.image_files import white_of_file
from mien.streams.images import fit_within, load_image
from mien.streams.provenance.credentials import available

MOTION_SUFFIX = ".npz"

__all__ = [
    "DEMO_MOTION",
    "MOTION_SUFFIX",
    "PORTRAIT",
    "load_avatar",
    "make_animator",
    "make_gains",
    "make_renderer",
    "make_runtime",
    "portrait_landmarker",
    "tracker_settings",
    "wants_credentials",
    "wants_opacity",
]


def make_runtime(options: Options, alone: Network = Network.EVERY_FRAME) -> PresetRuntime:
    """Create the runtime of the model that ``--model`` names.

    Args:
        alone: how often the network runs if the CPU does all the work.
    """
    told = EngineProgress()
    wanted = (options.threads, options.precision)
    if options.model == WARP:
        return default_runtime(*wanted, Network.OFF)
    if options.model in BUILT_IN:
        return chosen_runtime(options.runtime, *wanted, notify=told.note, progress=told.progress, alone=alone)
    path = Path(options.model)
    return load_model(path, *wanted, options.runtime, notify=told.note, progress=told.progress, alone=alone)


def make_renderer(avatar: Avatar, runtime: PresetRuntime, options: Options) -> AvatarRenderer:
    """The renderer of ``avatar`` for the model that ``runtime`` runs."""
    return preset_of(runtime).make_renderer(avatar, runtime, options.crop_side)


def portrait_landmarker() -> Landmarker:
    """The landmarker for portraits; the driver's keeps its own state and can be a twin of it."""
    return make_landmarker("openvino")


def load_avatar(
    path: Path | None, options: Options, landmarker: Landmarker, runtime: PortraitEncoder
) -> Avatar:
    """The portrait at ``path``, or the built-in one, ready to be driven.

    With ``--photos``, those of them that help the portrait of ``--avatar`` are its own.
    """
    background = chosen_background(options.background)
    if not background.kept and not isinstance(runtime, Runtime):
        raise UsageError(
            "--background is for the built-in model: the paper's network draws what is around the face, too. "
            "Leave one of them out."
        )
    if path is not None and is_enrolled(path):
        enrolled = load_enrolled(path)
        avatar = _prepared(enrolled.portrait, path, options, landmarker, runtime)
        return replace(avatar, photos=enrolled.photos).before(background)
    white = white_of(options.bits) if options.bits else None
    full = load_image(path or PORTRAIT, white=white, opacity=True)
    avatar = _prepared(full, path, options, landmarker, runtime)
    avatar = replace(avatar, notes=(*_told_depth(path, options), *avatar.notes))
    if options.photos is not None and path is not None and path == options.avatar:
        avatar = with_photos(avatar, options.photos, landmarker)
    return avatar.before(background)


def _prepared(
    full: Image, path: Path | None, options: Options, landmarker: Landmarker, runtime: PortraitEncoder
) -> Avatar:
    image = fit_within(full, options.portrait_side)
    try:
        return Avatar.of(image, landmarker, runtime, path.name if path else "the portrait")
    except NoFaceError as error:
        if image is full or options.size is None:
            raise
        # A face that is large enough in the photo can be too small in what the user's --size makes of it.
        side = f"{options.portrait_side} pixels"
        raise NoFaceError(f"{error} (It was reduced to {side}; a larger --size may do.)") from error


def _told_depth(path: Path | None, options: Options) -> list[str]:
    """What is said of a portrait whose values have fewer bits than its file."""
    white = None if path is None or options.bits else white_of_file(path)
    if path is None or white is None or not white_of(8) < white < white_of(16):
        return []
    return [f"{path.name} holds {depth_of(white)}-bit values in 16 and was read so; --bits overrules it."]


def make_animator(
    options: Options,
    avatar: Avatar,
    runtime: PresetRuntime,
    *,
    live: bool = False,
    like: Landmarker | None = None,
    on_motion: Callable[[Frame, Motion | None], None] | None = None,
) -> Animator:
    """The animator of ``avatar`` for the model that ``runtime`` runs.

    Args:
        live: smooth over time, and draw nothing anew where nothing has moved.
        like: a landmarker whose networks the driver's can share, so that they are not compiled again.
        on_motion: see :class:`mien.engine.session.session.Session`.
    """
    return Animator(
        avatar,
        live,
        gains=make_gains(options),
        runtime=runtime,
        settings=tracker_settings(options, live=live),
        landmarker=like.twin(live=live) if like is not None and like.name == options.tracker else None,
        crop=options.crop_side,
        mouth=options.mouth,
        skip_still=live,
        on_motion=on_motion,
    )


def tracker_settings(options: Options, *, live: bool = False) -> TrackerSettings:
    """The settings of the driver's tracker; only live use smooths over time, and leaves out what is late."""
    return TrackerSettings(landmarks=options.tracker, live=live, paced=live)


def wants_credentials(options: Options) -> bool:
    """Whether video files are to be signed as synthetic: where that is possible, unless ``--no-mark``."""
    return options.web.mark and available()


def wants_opacity(options: Options) -> bool:
    """Whether results are to be transparent around the person."""
    return chosen_background(options.background).transparent


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
        raise UsageError(
            "--only and --gain contradict each other. Use --only with --expression, or --gain alone."
        )
    return Gains.only(list(options.only), **amounts)
