"""Composition of stimuli with known content: ``mien compose``.

A recorded motion with edits, or a synthetic one without any recording.  The result is a motion file that
can drive any portrait (``mien --driving edited.npz --avatar face.png``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.engine.compose import values as parse
from mien.engine.compose.actions import FacialAction, Timing, source_timing
from mien.engine.compose.composition import compose
from mien.engine.face.regions import REGIONS, region_indices
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser
from mien.engine.utils.exit_status import status_of

EXAMPLES = """\
examples:
  mien compose talk.npz --region brow_inner --gain 1.5 --onset 0.4 --output edited.npz
      the strongest movement of the inner brows in talk.npz, 1.5 times as strong, starting at 0.4 s
  mien compose talk.npz --region brow_inner --onset 0.4 --region lips --strength 1.5% \\
      --onset 0.9 --output two.npz
      the brows as recorded, then the lips by 1.5 hundredths of a face unit
  mien compose --neutral --seconds 2 --fps 100 --region mouth_corner_left --move 0.01,-0.01 \\
      --onset 0.5 --apex 0.7 --offset 1.0 --output smirk.npz

One face unit is the distance between the outer eye corners (89 mm on the model face). x is to the
image's right, y is down; left and right in names are the person's own. Options after a --region
apply to it; options before the first --region apply to all.
"""
DEFAULT_RISE, DEFAULT_FALL = 0.2, 0.3
"""Seconds from onset to apex and from apex to offset of a synthetic movement; typical of
micro-expressions."""

_PER_ACT: dict[str, Any] = {
    "gain": 1.0,
    "strength": None,
    "move": None,
    "onset": None,
    "apex": None,
    "offset": None,
    "smooth": False,
    "passage": (0.0, float("inf")),
}


class _Region(argparse.Action):
    """Starts an action; its defaults are the options given before the first region."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        common = getattr(namespace, "common", {})
        namespace.actions = [*(namespace.actions or []), {**_PER_ACT, **common, "regions": values}]


class _OfAction(argparse.Action):
    """Sets an option of the last region named, or of all if none was named yet."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        value = True if self.nargs == 0 else values
        if namespace.actions:
            namespace.actions[-1][self.dest] = value
        else:
            namespace.common = {**getattr(namespace, "common", {}), self.dest: value}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compose a motion file; returns the exit status (0 success, 2 user error, 130 interrupted)."""

    def say_what_was_written() -> None:
        sys.stdout.write(f"{run(arguments)}\n")

    return status_of(say_what_was_written)


def run(arguments: Sequence[str] | None = None) -> str:
    """Compose what ``arguments`` ask for; returns a description of the file written.

    Raises:
        MienError: invalid arguments, unreadable recordings, or impossible movements.
    """
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    recording = _recording(options)
    if not options.actions:
        raise UsageError("No region was given. Name one: --region brow_inner.")
    actions = [_action(asked, recording, options.face_pixels) for asked in options.actions]
    seconds = options.seconds or _length(actions, recording)
    late = max(action.timing.apex for action in actions)
    if late > seconds:
        raise UsageError(
            f"The apex at {late:g} s comes after the end at {seconds:g} s. Give a longer --duration."
        )
    fps = options.fps or (recording.fps if recording else 100.0)
    chosen = {index for action in actions for index in action.regions}
    keep = [i for i in region_indices(options.keep) if i not in chosen]
    result = compose(actions, seconds, fps, recording, keep, options.with_head)
    save_recording(options.output, result)
    return _told(options.output, actions, result)


def _parser() -> Parser:
    parser = Parser(
        prog="mien compose",
        description="Play the expression of single regions at a chosen strength and time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(actions=None)
    parser.add_argument("recording", nargs="?", type=Path, help="motion file (mien --save-motion)")
    parser.add_argument(
        "--neutral", action="store_true", help="start from a face at rest instead of a recording"
    )
    parser.add_argument("--output", required=True, type=parse.npz, metavar="FILE.npz")
    _action_options(parser.add_argument_group("what, how strong, when (may be repeated)"))
    rest = parser.add_argument_group("everything else")
    rest.add_argument(
        "--keep",
        type=parse.names,
        default=(),
        metavar="REGION,...",
        help="keep these as recorded (otherwise at rest)",
    )
    rest.add_argument(
        "--with-head", action="store_true", help="keep the recorded head motion (otherwise at rest)"
    )
    rest.add_argument(
        "--seconds",
        "--duration",
        dest="seconds",
        type=parse.positive,
        metavar="S",
        help="length of the result",
    )
    rest.add_argument(
        "--fps", type=parse.positive, metavar="F", help="frame rate (default: the recording's, or 100)"
    )
    rest.add_argument(
        "--face-pixels",
        type=parse.positive,
        metavar="PX",
        help="distance of the outer eye corners in the avatar's image, for strengths in pixels",
    )
    return parser


def _action_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--region", type=parse.names, action=_Region, metavar="REGION,...", help="brow_inner, ..."
    )
    group.add_argument(
        "--gain",
        type=parse.gain,
        action=_OfAction,
        metavar="G",
        help="factor on the recorded movement (1 is as recorded)",
    )
    group.add_argument(
        "--strength",
        type=parse.strength,
        action=_OfAction,
        metavar="S",
        help="displacement at the apex: 1.5%% of a face unit, or 2px with --face-pixels",
    )
    group.add_argument(
        "--move",
        type=parse.vector,
        action=_OfAction,
        metavar="X,Y",
        help="a synthetic movement: face units at the apex",
    )
    for name, text in (("onset", "begins"), ("apex", "is strongest"), ("offset", "has ended")):
        group.add_argument(
            f"--{name}", type=parse.time, action=_OfAction, metavar="S", help=f"second at which it {text}"
        )
    group.add_argument(
        "--passage",
        type=parse.passage,
        action=_OfAction,
        metavar="FROM,TO",
        help="seconds of the recording to take the movement from",
    )
    group.add_argument(
        "--smooth",
        nargs=0,
        action=_OfAction,
        help="play the recorded apex with a smooth time course instead of the recorded one",
    )


def _recording(options: argparse.Namespace) -> Recording | None:
    if options.neutral and options.recording is not None:
        raise UsageError("--neutral and a recording contradict each other. Leave one out.")
    if options.recording is None and not options.neutral:
        raise UsageError("Name a motion file, or give --neutral to create a movement without one.")
    return load_recording(options.recording) if options.recording is not None else None


def _action(asked: dict[str, Any], recording: Recording | None, face_pixels: float | None) -> FacialAction:
    regions = region_indices(asked["regions"])
    if asked["move"] is not None:
        if asked["strength"] is not None or asked["gain"] != 1.0:
            raise UsageError("--move already sets the strength. Leave out --gain and --strength.")
        timing = _timing(asked, Timing(1e-9, DEFAULT_RISE + 1e-9, DEFAULT_RISE + DEFAULT_FALL))
        return FacialAction(regions, timing, move=asked["move"])
    if recording is None:
        raise UsageError("Without a recording a movement is needed: --move X,Y in face units.")
    source = source_timing(recording, regions, *asked["passage"])
    strength = _face_units(asked["strength"], face_pixels)
    if strength is not None and asked["gain"] != 1.0:
        raise UsageError("--gain and --strength contradict each other. Leave one out.")
    return FacialAction(
        regions,
        _timing(asked, source),
        gain=asked["gain"],
        strength=strength,
        source=source,
        smooth=asked["smooth"],
    )


def _timing(asked: dict[str, Any], natural: Timing) -> Timing:
    """The requested times; a time left out keeps its distance from one that was given."""
    onset, apex, offset = asked["onset"], asked["apex"], asked["offset"]
    rise, fall = natural.apex - natural.onset, natural.offset - natural.apex
    if apex is None:
        if onset is not None:
            apex = onset + rise if offset is None else onset + (offset - onset) * rise / (rise + fall)
        else:
            apex = natural.apex if offset is None else offset - fall
    onset = max(apex - rise, 0.0) if onset is None else onset
    return Timing(onset, apex, apex + fall if offset is None else offset)


def _face_units(strength: parse.Strength | None, face_pixels: float | None) -> float | None:
    if strength is None or not strength.pixels:
        return strength.value if strength else None
    if face_pixels is None:
        raise UsageError(
            "A strength in pixels needs the face's size: --face-pixels, its outer eye corners' distance."
        )
    return strength.value / face_pixels


def _length(actions: Sequence[FacialAction], recording: Recording | None) -> float:
    needed = max(action.timing.offset for action in actions) + 0.2
    return max(needed, recording.times[-1] + 1 / recording.fps) if recording else needed


def _told(path: Path, actions: Sequence[FacialAction], result: Recording) -> str:
    """Description of the file, region by region."""
    lines = [f"{path}: {len(result)} frames at {result.fps:g} per second"]
    for action in actions:
        frame = min(len(result) - 1, round(action.timing.apex * result.fps))
        motion = result.motions[frame]
        assert motion is not None
        timing = action.timing
        when = f"onset {timing.onset:.3f} s, apex {timing.apex:.3f} s, offset {timing.offset:.3f} s"
        for index in action.regions:
            x, y = 1000 * motion.regions[index]
            lines.append(
                f"  {REGIONS[index]}: {x:+.1f} right, {y:+.1f} down (thousandths of a face unit); {when}"
            )
    return "\n".join(lines)


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join ``--move -0.01,0.02`` into one argument; argparse would take the value for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--move":
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


if __name__ == "__main__":
    sys.exit(main())
