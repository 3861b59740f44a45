"""Checks for options that contradict each other, before anything is read, computed or written."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from mien.cli.background import chosen_background
from mien.cli.build import MOTION_SUFFIX, make_gains
from mien.cli.live.outputs import wanted_outputs
from mien.cli.model_choice import BUILT_IN, WARP, check_model
from mien.cli.options.arguments import Options
from mien.cli.photos import is_enrolled
from mien.engine.types import UsageError
from mien.streams.factory import STDOUT, is_camera, is_network_address, names_folder
from mien.streams.sink import check_writable_parent, same_file
from mien.streams.video.encodings import QUALITY, encoding_for


class Kind(Enum):
    """What drives the portrait."""

    LIVE = "live"
    CLIP = "clip"
    MOTION = "motion"


def kind_of(options: Options) -> Kind:
    """What the options' ``--driving`` names (the camera when it is left out, motion for the demo)."""
    if options.demo:
        return Kind.MOTION
    name = options.driving
    if name is None or is_camera(name) or is_network_address(name):
        return Kind.LIVE
    return Kind.MOTION if name.lower().endswith(MOTION_SUFFIX) else Kind.CLIP


def check(options: Options) -> Kind:
    """Refuse options that contradict each other.

    Raises:
        MienError: in one line.
    """
    kind = kind_of(options)
    _check_photos(options)
    if options.web.wanted:
        _check_web(options, kind)
        return kind
    if options.demo and options.driving is not None:
        raise UsageError("--demo brings its own motion. Leave out --driving, or leave out --demo.")
    _check_background(options)
    if kind is Kind.LIVE:
        _check_live(options)
    else:
        _check_file(options, kind)
    _check_places(options, kind)
    make_gains(options)
    if options.model == WARP and options.runtime not in ("auto", "openvino"):
        raise UsageError(
            f"--model warp has no network for --runtime {options.runtime}. Leave one of them out."
        )
    if options.model not in BUILT_IN:
        check_model(Path(options.model), options, recorded=kind is Kind.MOTION)
    return kind


def _check_photos(options: Options) -> None:
    if options.photos is None:
        return
    if options.avatar is None:
        raise UsageError("--photos are further ones of the avatar's person: give the portrait with --avatar.")
    if is_enrolled(options.avatar):
        raise UsageError(f"{options.avatar} has its photos already. Leave out --photos.")


def _check_web(options: Options, kind: Kind) -> None:
    if kind is not Kind.LIVE:
        raise UsageError(
            "--webrtc is live: no file can drive it. Leave out --driving, or name a camera or stream."
        )
    if options.output is not None or options.save_motion is not None:
        raise UsageError("--webrtc writes no file. The page has a record button.")
    _check_background(options)
    if options.profile is not None:
        raise UsageError(
            "--profile remembers one person at one camera, and anyone may visit the page of --webrtc. "
            'Leave it out; "Find the best" on the page takes a neutral face as the reference.'
        )
    _check_live(options)
    make_gains(options)


def _check_background(options: Options) -> None:
    if not chosen_background(options.background).transparent:
        return
    colour = "Give a colour and take it away there: --background green."
    if options.web.wanted:
        raise UsageError(f"WebRTC carries no transparency. {colour}")
    if options.virtual_camera is not None:
        raise UsageError(f"A virtual camera carries no transparency. {colour}")
    output = options.output_text
    if output is None:
        if kind_of(options) is not Kind.LIVE and options.save_motion is None:
            raise UsageError(
                "The default result, an MP4 file, cannot be transparent. Give --output out.webm."
            )
    elif output != STDOUT and not names_folder(output):
        encoding_for(Path(output), lossless=options.lossless, quality=QUALITY, opacity=True)


def _check_live(options: Options) -> None:
    if options.output_text == STDOUT:
        raise UsageError(
            "--output - is for files. Live, --virtual-camera or --webrtc hand the frames to other programs."
        )
    if options.reference != "auto":
        raise UsageError("--reference is for files. Live, press X or F while the window is open.")
    if options.save_motion is not None:
        raise UsageError(
            "--save-motion is for files. Record the camera with another program, then use that clip."
        )


def _check_file(options: Options, kind: Kind) -> None:
    for output in wanted_outputs(options):
        if output.with_file:
            raise UsageError(output.with_file)
    if options.profile is not None:
        raise UsageError("--profile is for live use. A file's reference is chosen with --reference.")
    if options.avatars is not None:
        raise UsageError("--avatars is for live use. Give one portrait with --avatar.")
    if options.camera_size is not None:
        raise UsageError("--camera-size is for cameras. The frames of a file have their own size.")
    if options.fps is not None and not (kind is Kind.CLIP and Path(options.driving or "").is_dir()):
        raise UsageError("--fps is for cameras and folders of frames. A file has its own frame rate.")
    if kind is Kind.MOTION and options.save_motion is not None:
        raise UsageError("--save-motion needs images, and this is recorded motion already: copy the file.")
    if kind is Kind.MOTION and options.reference != "auto":
        raise UsageError("--reference needs images. Recorded motion has its reference built in.")


def _check_places(options: Options, kind: Kind) -> None:
    read = {
        "the driving file": options.driving if kind is not Kind.LIVE else None,
        "the portrait": options.avatar,
        "the clip of --photos": options.photos,
    }
    written = {"--output": options.output, "--save-motion": options.save_motion}
    for option, target in written.items():
        for name, given in read.items():
            if target is not None and given is not None and same_file(target, given):
                raise UsageError(f"{option} {target} is {name} itself. Choose another name for the result.")
    motion = options.save_motion
    if motion is None:
        return
    if motion.suffix.lower() != MOTION_SUFFIX:
        raise UsageError(
            f"--save-motion {motion} must end in {MOTION_SUFFIX}, or it could not be played later."
        )
    if motion.is_dir():
        raise UsageError(f"--save-motion {motion} is a folder. Give a file name.")
    check_writable_parent(motion)
