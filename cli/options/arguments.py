"""Options of the command ``mien``, in groups."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.cli.options import values
from mien.cli.options.shared import add_amounts, add_background, add_machine, add_mouth
from mien.cli.options.web import WebOptions, add_web, take_web
from mien.engine.mouth.mode import OWN, MouthMode
from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser
from mien.engine.utils.versions import installed_version

EXAMPLES = """\
examples:
  mien --demo
      the built-in motion moves the built-in portrait, into mien-demo.mp4
  mien --avatar me.jpg
      live, from camera 0, in a window; --virtual-camera sends it to video calls
  mien --driving talk.mp4 --avatar me.jpg --output me-talking.mp4
      every frame of a clip, with its sound
  mien --driving frames/ --fps 200 --avatar me.jpg --output out.mkv --lossless
      a high-speed recording as numbered images, every pixel kept
  mien --driving talk.mp4 --avatar me.jpg --only brows,mouth_corner
      only these regions; --gain brows=2 amplifies one
  mien --webrtc
      a page at http://127.0.0.1:8080 with your camera and your avatar
  mien --driving talk.mp4 --save-motion talk.npz
  mien --driving talk.npz --avatar other.png
      record only the motion, then play it on any face

keys while live:
  X sets the reference frame, F looks for the best one, O shows it, 1-9 switch
  portraits, M mirrors, P paints the mouth, C shows the camera, ? lists the
  keys, Esc ends
"""

WHOLE_SIDE, CROP_SIDE = 1024, 512
"""Default longest side of a whole portrait, and side of a face crop, in pixels."""

CROP_SOURCE = 2048
"""Longest side, in pixels, of the portrait that a face crop is cut from."""


@dataclass(frozen=True)
class Options:
    """Options of a run; see :func:`parse`."""

    demo: bool
    doctor: bool
    list_cameras: bool
    driving: str | None
    avatar: Path | None
    photos: Path | None
    avatars: Path | None
    reference: str
    fps: float | None
    bits: int | None
    camera_size: tuple[int, int] | None
    output: Path | None
    output_text: str | None
    size: int | None
    crop: bool
    background: str
    lossless: bool
    save_motion: Path | None
    head: float
    turn: float
    expression: float
    micro: float
    gains: tuple[tuple[str, float], ...]
    only: tuple[str, ...]
    virtual_camera: str | None
    profile: str | None
    model: str
    tracker: str
    runtime: Literal["auto", "openvino", "tensorrt", "torch"]
    precision: Literal["auto", "f32", "bf16", "int8"]
    threads: int | None
    mirror: bool
    mouth: MouthMode
    web: WebOptions

    @property
    def portrait_side(self) -> int:
        """Longest side, in pixels, at which portraits are read."""
        # A face crop is cut from a portrait that is larger than itself.
        return CROP_SOURCE if self.crop else self.size or WHOLE_SIDE

    @property
    def crop_side(self) -> int | None:
        """Side of the face crop to make; None for the whole portrait."""
        return (self.size or CROP_SIDE) if self.crop else None


def parse(arguments: Sequence[str] | None = None, commands: str = "") -> Options:
    """Parse ``arguments`` (``sys.argv`` by default).

    Args:
        commands: help text about subcommands.

    Raises:
        UsageError: invalid options.
    """
    found = vars(_parser(commands).parse_args(arguments))
    for name in ("driving", "output"):
        if found[name] is not None and not found[name].strip():
            raise UsageError(f"--{name} is empty. See: mien --help")
    found["gains"] = tuple(found["gains"] or ())
    found["output_text"] = found["output"]
    found["output"] = Path(found["output"]) if found["output"] else None
    found["web"] = take_web(found)
    return Options(**found)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns, 100) - 2
        super().__init__(prog, max_help_position=26, width=width)


def _version() -> str:
    return f"mien {installed_version('mien') or '(not installed)'}"


def _parser(commands: str) -> argparse.ArgumentParser:
    parser = Parser(
        prog="mien",
        usage="mien [--driving WHO] [--avatar PORTRAIT] [--output FILE] [options]\n       mien COMMAND ...",
        description="Mien: a still portrait moves like the person in front of the camera,\n"
        "down to micro-expressions.",
        epilog=f"{commands}{EXAMPLES}",
        formatter_class=_Formatter,
        add_help=False,
        allow_abbrev=False,
    )
    _who(parser.add_argument_group("who drives whom"))
    _results(parser.add_argument_group("result"))
    add_amounts(parser.add_argument_group("how much of the motion (1 is as measured, 0 is none)"))
    add_web(parser.add_argument_group("in a browser and over the network"))
    add_machine(parser.add_argument_group("machine"))
    about = parser.add_argument_group("about")
    about.add_argument("--demo", action="store_true", help="no camera, no files: writes mien-demo.mp4")
    about.add_argument("--doctor", action="store_true", help="check this machine and report what is missing")
    about.add_argument("--list-cameras", action="store_true", help="list the cameras and exit")
    about.add_argument("--version", action="version", version=_version(), help="show the version and exit")
    about.add_argument("-h", "--help", action="help", help="show this help and exit")
    return parser


def _who(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--driving",
        metavar="WHO",
        help="camera number (default 0), /dev/video2, rtsp://..., a video file, a folder of frames, "
        "or recorded motion (.npz)",
    )
    group.add_argument(
        "--avatar",
        metavar="PORTRAIT",
        type=Path,
        help="photo of the face to animate, or a file of mien enroll (default: a built-in one)",
    )
    group.add_argument(
        "--photos",
        metavar="DIR|CLIP",
        type=Path,
        help="further photos of the avatar's person, or a clip: mouth, lids and far side are taken from them",
    )
    group.add_argument("--avatars", metavar="DIR", type=Path, help="live: folder of portraits for keys 1-9")
    group.add_argument(
        "--reference",
        metavar="FRAME",
        type=values.reference,
        default="auto",
        help="files: the frame that all motion is relative to: auto (the first, unless another suits the "
        "portrait clearly better: frontal, at rest, eyes and mouth as open), first (with a face), best (most "
        "similar to the portrait), or a frame number, counted from 0",
    )
    group.add_argument(
        "--profile",
        metavar="NAME",
        help="live: remember this person's neutral face at this camera (as numbers, without an image), and "
        "take the reference when it is seen again",
    )
    group.add_argument(
        "--fps",
        metavar="RATE",
        type=values.rate,
        help="frame rate of a folder of frames (25), or requested from a camera (30)",
    )
    group.add_argument(
        "--bits",
        metavar="N",
        type=values.bits,
        help="depth of the values in 16-bit files, 8 to 16 (told from the values if left out)",
    )
    group.add_argument(
        "--camera-size",
        metavar="WxH",
        type=values.size,
        help="live: frame size requested from the camera (640x480)",
    )


def _results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output",
        metavar="FILE",
        help="mp4, mov, mkv, webm, avi or gif; a name without a suffix is a folder of PNG; "
        "- is a pipe: mien ... --output - | ffmpeg -i - out.mp4",
    )
    group.add_argument(
        "--size",
        metavar="N",
        type=values.pixels,
        help=f"longest side of the result in pixels ({WHOLE_SIDE}; with --crop: {CROP_SIDE})",
    )
    group.add_argument(
        "--crop", action="store_true", help="only the moving face, as a square, not the whole portrait"
    )
    add_mouth(group, OWN)
    add_background(group, "transparent (webm, mov, a folder of PNG)")
    group.add_argument("--lossless", action="store_true", help="keep every pixel exact (large files)")
    group.add_argument(
        "--save-motion", metavar="NPZ", type=Path, help="files: save the motion (no pixels) as .npz"
    )
    group.add_argument(
        "--virtual-camera",
        metavar="DEVICE",
        nargs="?",
        const="",
        help="live: send to a virtual camera for video calls (the first one, or e.g. /dev/video9)",
    )
    group.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="live: do not mirror the window"
    )
