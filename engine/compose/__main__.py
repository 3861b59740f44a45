"""Makes a driver of known content: ``mien compose``.

A recorded motion plus edits, or a made one without any recording.  The result is a motion file that any
portrait can be driven with (``mien --driving edited.npz --avatar face.png``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.engine.compose import values as words
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
      the inner brows' strongest movement in talk.npz, half as strong again, beginning at 0.4 s
  mien compose talk.npz --region brow_inner --onset 0.4 --region lips --strength 1.5% \\
      --onset 0.9 --output two.npz
      as recorded at the brows, then the lips by 1.5 hundredths of a face unit
  mien compose --neutral --seconds 2 --fps 100 --region mouth_corner_left --move 0.01,-0.01 \\
      --onset 0.5 --apex 0.7 --offset 1.0 --output smirk.npz

One face unit is the distance between the outer eye corners (89 mm on the model face). x is to the
picture's right, y is down, left and right in names are the person's own. Options after a --region
belong to it; before the first one they hold for all.
"""
DEFAULT_RISE, DEFAULT_FALL = 0.2, 0.3
"""Seconds from onset to apex and from apex to offset of a made movement: a micro-expression's."""

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
    """Begins an act; it starts with what was said before the first region."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        common = getattr(namespace, "common", {})
        namespace.acts = [*(namespace.acts or []), {**_PER_ACT, **common, "regions": values}]


class _OfAct(argparse.Action):
    """Belongs to the last region named, or to all when none was named yet."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        value = True if self.nargs == 0 else values
        if namespace.acts:
            namespace.acts[-1][self.dest] = value
        else:
            namespace.common = {**getattr(namespace, "common", {}), self.dest: value}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compose a motion file; the exit status (0 done, 2 one line said why not, 130 stopped)."""

    def say_what_was_written() -> None:
        sys.stdout.write(f"{run(arguments)}\n")

    return status_of(say_what_was_written)


def run(arguments: Sequence[str] | None = None) -> str:
    """Compose what ``arguments`` ask for and say what was written.

    Raises:
        MienError: for words that make no sense, unreadable recordings, movements that cannot be.
    """
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    recording = _recording(options)
    if not options.acts:
        raise UsageError("Nothing was asked for. Name a region: --region brow_inner.")
    acts = [_act(asked, recording, options.face_pixels) for asked in options.acts]
    seconds = options.seconds or _length(acts, recording)
    late = max(act.timing.apex for act in acts)
    if late > seconds:
        raise UsageError(
            f"The apex at {late:g} s comes after the end at {seconds:g} s. Give a longer --duration."
        )
    fps = options.fps or (recording.fps if recording else 100.0)
    chosen = {index for act in acts for index in act.regions}
    keep = [i for i in region_indices(options.keep) if i not in chosen]
    result = compose(acts, seconds, fps, recording, keep, options.with_head)
    save_recording(options.output, result)
    return _told(options.output, acts, result)


def _parser() -> Parser:
    parser = Parser(
        prog="mien compose",
        description="Play one region's expression at a chosen strength and time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(acts=None)
    parser.add_argument("recording", nargs="?", type=Path, help="motion file (mien --save-motion)")
    parser.add_argument("--neutral", action="store_true", help="no recording: a face at rest to begin with")
    parser.add_argument("--output", required=True, type=words.npz, metavar="FILE.npz")
    _act_options(parser.add_argument_group("what, how strong, when (may be repeated)"))
    rest = parser.add_argument_group("everything else")
    rest.add_argument(
        "--keep", type=words.names, default=(), metavar="REGION,...", help="go on as recorded (else at rest)"
    )
    rest.add_argument("--with-head", action="store_true", help="keep the recorded head motion (else at rest)")
    rest.add_argument(
        "--seconds",
        "--duration",
        dest="seconds",
        type=words.positive,
        metavar="S",
        help="length of the result",
    )
    rest.add_argument("--fps", type=words.positive, metavar="F", help="frame rate (the recording's, or 100)")
    rest.add_argument(
        "--face-pixels",
        type=words.positive,
        metavar="PX",
        help="distance of the outer eye corners in the avatar's picture, for strengths in pixels",
    )
    return parser


def _act_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--region", type=words.names, action=_Region, metavar="REGION,...", help="brow_inner, ..."
    )
    group.add_argument(
        "--gain",
        type=words.gain,
        action=_OfAct,
        metavar="G",
        help="of the recorded movement (1 is as recorded)",
    )
    group.add_argument(
        "--strength",
        type=words.strength,
        action=_OfAct,
        metavar="S",
        help="displacement at the apex: 1.5%% of a face unit, or 2px with --face-pixels",
    )
    group.add_argument(
        "--move",
        type=words.vector,
        action=_OfAct,
        metavar="X,Y",
        help="a made movement: face units at the apex",
    )
    for name, text in (("onset", "begins"), ("apex", "is strongest"), ("offset", "has ended")):
        group.add_argument(
            f"--{name}", type=words.time, action=_OfAct, metavar="S", help=f"second at which it {text}"
        )
    group.add_argument(
        "--passage",
        type=words.passage,
        action=_OfAct,
        metavar="FROM,TO",
        help="seconds of the recording to take the movement from",
    )
    group.add_argument(
        "--smooth",
        nargs=0,
        action=_OfAct,
        help="the recorded apex with a smooth course, not the recorded one",
    )


def _recording(options: argparse.Namespace) -> Recording | None:
    if options.neutral and options.recording is not None:
        raise UsageError("--neutral and a recording contradict each other. Leave one out.")
    if options.recording is None and not options.neutral:
        raise UsageError("Name a motion file, or give --neutral to make a movement without one.")
    return load_recording(options.recording) if options.recording is not None else None


def _act(asked: dict[str, Any], recording: Recording | None, face_pixels: float | None) -> FacialAction:
    regions = region_indices(asked["regions"])
    if asked["move"] is not None:
        if asked["strength"] is not None or asked["gain"] != 1.0:
            raise UsageError("--move says how strong it is: leave out --gain and --strength beside it.")
        timing = _timing(asked, Timing(1e-9, DEFAULT_RISE + 1e-9, DEFAULT_RISE + DEFAULT_FALL))
        return FacialAction(regions, timing, move=asked["move"])
    if recording is None:
        raise UsageError("Without a recording a movement must be given: --move X,Y in face units.")
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
    """The asked times; what was not said keeps its distance from what was."""
    onset, apex, offset = asked["onset"], asked["apex"], asked["offset"]
    rise, fall = natural.apex - natural.onset, natural.offset - natural.apex
    if apex is None:
        if onset is not None:
            apex = onset + rise if offset is None else onset + (offset - onset) * rise / (rise + fall)
        else:
            apex = natural.apex if offset is None else offset - fall
    onset = max(apex - rise, 0.0) if onset is None else onset
    return Timing(onset, apex, apex + fall if offset is None else offset)


def _face_units(strength: words.Strength | None, face_pixels: float | None) -> float | None:
    if strength is None or not strength.pixels:
        return strength.value if strength else None
    if face_pixels is None:
        raise UsageError(
            "A strength in pixels needs the face's size: --face-pixels, its outer eye corners' distance."
        )
    return strength.value / face_pixels


def _length(acts: Sequence[FacialAction], recording: Recording | None) -> float:
    needed = max(act.timing.offset for act in acts) + 0.2
    return max(needed, recording.times[-1] + 1 / recording.fps) if recording else needed


def _told(path: Path, acts: Sequence[FacialAction], result: Recording) -> str:
    """What the file holds, region by region."""
    lines = [f"{path}: {len(result)} frames at {result.fps:g} per second"]
    for act in acts:
        frame = min(len(result) - 1, round(act.timing.apex * result.fps))
        motion = result.motions[frame]
        assert motion is not None
        when = (
            f"onset {act.timing.onset:.3f} s, apex {act.timing.apex:.3f} s, offset {act.timing.offset:.3f} s"
        )
        for index in act.regions:
            x, y = 1000 * motion.regions[index]
            lines.append(
                f"  {REGIONS[index]}: {x:+.1f} right, {y:+.1f} down (thousandths of a face unit); {when}"
            )
    return "\n".join(lines)


def _joined(arguments: Sequence[str]) -> list[str]:
    """``--move -0.01,0.02`` as one word: argparse takes the value for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--move":
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


if __name__ == "__main__":
    sys.exit(main())
