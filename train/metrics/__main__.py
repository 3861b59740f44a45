"""``mien metrics CLIP...``: fidelity of the motion as a table, with baselines in the same run.

Each clip (or passage of it) drives a portrait; the result's motion is compared with the clip's own
(:mod:`mien.train.metrics.fidelity`), and its face with the portrait's (:mod:`mien.train.metrics.identity`).
With --self the clip's own first frame is the portrait, so that the result can be compared with the clip
itself (:mod:`mien.train.metrics.images`).  docs/metrics.md explains every figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mien.engine.animator import Animator
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.runtime import Network, OpenVinoRuntime, Runtime, default_runtime
from mien.engine.tracking import TrackerSettings
from mien.engine.types import Face, Frame, Image, NoFaceError, SinkError
from mien.engine.utils.assets import PORTRAIT
from mien.engine.utils.command_line import Parser
from mien.engine.utils.exit_status import status_of
from mien.train.metrics.fair_motion import FairFlow, ceiling, reliability
from mien.train.metrics.fidelity import DenseMotion, compare, motion_of
from mien.train.metrics.find import subtle_spans
from mien.train.metrics.judge import Judge, Truth, Watch
from mien.train.metrics.layout_motion import LayoutFlow, layout_motion_of
from mien.train.metrics.passage import Passage
from mien.train.metrics.table import Row, markdown, plain

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Method:
    """Settings with which a clip drives: the tracker's, and whether the model's network runs."""

    settings: TrackerSettings
    network: bool = True


METHODS = {
    "landmark differences": Method(TrackerSettings(refine=False), network=False),
    "Mien, no network": Method(TrackerSettings(), network=False),
    "Mien, live settings": Method(TrackerSettings(live=True)),
    "Mien, file settings": Method(TrackerSettings()),
}
"""The methods compared; the first is the warp by MediaPipe's landmarks alone."""


STILL = "the portrait, unmoved"
"""Additional baseline of --self: the score of not moving at all."""

COPY = "a noiseless copy"
"""The ceiling of the correlation, from each clip's own reliability."""

NO_MORE = (float("nan"), float("nan"))
"""Gain and jitter of what is a figure and no result."""


def evaluate(
    passages: Sequence[Passage],
    avatars: Sequence[Avatar],
    runtime: Runtime,
    landmarker: Landmarker,
    judge: Judge | None = None,
) -> list[Row]:
    """Measure every passage with every method.

    Args:
        passages: the driving passages.
        avatars: passage i drives portrait i, i + 1, ... in turn; without any, its own first frame, and the
            results are compared with the passage itself, as is that frame, unmoved.
        runtime, landmarker: used by all methods.
        judge: takes the measures besides motion fidelity; None leaves them out.

    Raises:
        MienError: a clip cannot be read or its first frame shows no face.
    """
    rows = []
    for index, passage in enumerate(passages):
        frames = passage.frames()
        faces = landmarker.detect(frames[0])
        if not faces:
            raise NoFaceError(f"The first frame of {passage.name} shows no face. Choose another passage.")
        driver, before = motion_of(frames, faces[0]), layout_motion_of(frames, faces[0])
        rows.append(Row(passage.name, COPY, ceiling(reliability(frames, faces[0], driver)), *NO_MORE))
        if avatars:
            avatar, truth = avatars[index % len(avatars)], None
            results: dict[str, Iterator[Image]] = {}
        else:
            avatar = Avatar.of(frames[0], landmarker, runtime, f"the first frame of {passage.name}")
            truth = Truth(judge, frames) if judge is not None and judge.image_measures else None
            results = {STILL: iter([avatar.image] * len(frames))}
        results |= {name: _driven(frames, how, avatar, runtime) for name, how in METHODS.items()}
        for method, images in results.items():
            watch = None if judge is None else Watch(judge, avatar.image, len(frames), truth)
            seen = images if watch is None else watch.over(images)
            motion, motion_before = motions_of(seen, avatar.face)
            found = compare(driver, motion)
            scores = {"before": compare(before, motion_before).correlation}
            scores |= {} if watch is None else watch.means()
            rows.append(Row(passage.name, method, found.correlation, found.gain, found.jitter, scores))
    return rows


def motions_of(images: Iterable[Image], face: Face) -> tuple[DenseMotion, DenseMotion]:
    """A clip's motion by the measure of now and by that of version 0.1, in one go."""
    now, before = FairFlow(face), LayoutFlow(face)
    fields = [(now(image), before(image)) for image in images]
    fair, old = (np.stack(one) for one in zip(*fields, strict=True))
    return DenseMotion(fair, now.mask), DenseMotion(old, before.mask)


def _driven(frames: Sequence[Image], method: Method, avatar: Avatar, runtime: Runtime) -> Iterator[Image]:
    if isinstance(runtime, OpenVinoRuntime) and not runtime.untrained:
        runtime.network = Network.EVERY_FRAME if method.network else Network.OFF
    with Animator(avatar, runtime=runtime, settings=method.settings) as animator:
        for index, frame in enumerate(frames):
            yield animator.step(Frame(frame, index, 0, index / 25)).image


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (2 with one line for errors that the user can fix)."""
    return status_of(lambda: _command(arguments))


def _parser() -> Parser:
    parser = Parser(prog="mien metrics", description=__doc__)
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="clip.mp4, or a passage: clip.mp4:100-140")
    parser.add_argument("--avatar", action="append", type=Path, help="portraits to drive; default: built in")
    parser.add_argument(
        "--self",
        dest="own",
        action="store_true",
        help="each clip's own first frame is the portrait: also compares images and landmarks",
    )
    parser.add_argument(
        "--find", action="store_true", help="only list the clips' subtle passages, best first"
    )
    parser.add_argument(
        "--torn",
        action="store_true",
        help="each clip's hardest frames on every portrait: share of torn ones, shut eyes, wide mouths",
    )
    parser.add_argument(
        "--openings",
        action="store_true",
        help="each clip's shut eyes and wide mouths on every portrait, as landmarks read them and as drawn",
    )
    parser.add_argument(
        "--frames",
        type=int,
        metavar="N",
        help="of a passage found (40); of a clip looked at for tears (6); of each kind for openings (6)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    return parser


def _command(arguments: Sequence[str] | None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.own and options.avatar:
        parser.error("--self and --avatar exclude each other")
    if options.torn and (options.own or options.find):
        parser.error("--torn excludes --self and --find")
    if options.openings and (options.own or options.find or options.torn):
        parser.error("--openings excludes --self, --find and --torn")
    if options.frames is not None and options.frames < 3:
        parser.error("--frames: a passage needs at least three")
    if options.find:
        _find(options.clips, options.frames or 40)
    elif options.torn:
        _torn(options)
    elif options.openings:
        _openings(options)
    else:
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
    rows, notes = _run(options.clips, options.avatar, options.own)
    print(markdown(rows))
    for note in notes:
        print(f"\nNote: {note}")
    if options.json is not None:
        _write(options.json, [plain(row) for row in rows])


def _find(clips: Sequence[str], length: int) -> None:
    """Print passages in the form in which they can be measured, with their figures."""
    passages = [Passage.parse(clip) for clip in clips]
    with make_landmarker() as landmarker:
        for passage in passages:
            spans = subtle_spans(passage.images(), length, landmarker)
            for span in spans:
                first, last = passage.first + span.first, passage.first + span.last
                print(f"{passage.path}:{first}-{last}  {span.strength:.2f} px, head {span.shift:.3f}")
            if not spans:
                print(f"{passage.path}: no subtle passage of {length} frames")


def _torn(options: argparse.Namespace) -> None:
    from mien.train.metrics.torn import hard_frames, plain_frames, torn_table

    _on_portraits(options, hard_frames, torn_table, plain_frames)


def _openings(options: argparse.Namespace) -> None:
    from mien.train.metrics.openings import openings_of, openings_table, plain_openings

    _on_portraits(options, openings_of, openings_table, plain_openings)


def _on_portraits(
    options: argparse.Namespace,
    looked_at: Callable[..., Iterator[_Found]],
    table: Callable[[Sequence[_Found]], str],
    plain_row: Callable[[_Found], dict[str, object]],
) -> None:
    """Print what is found in a few frames of each clip on each portrait, and write it as JSON."""
    runtime = _every_frame()
    with make_landmarker() as landmarker:
        avatars = _named(options.avatar, landmarker, runtime)
        passages = [Passage.parse(clip) for clip in options.clips]
        found = list(looked_at(passages, avatars, runtime, landmarker, options.frames or 6))
    print(table(found))
    if options.json is not None:
        _write(options.json, [plain_row(one) for one in found])


def _every_frame() -> Runtime:
    """The built-in model, its network run on every frame."""
    runtime = default_runtime()
    if isinstance(runtime, OpenVinoRuntime) and not runtime.untrained:
        runtime.network = Network.EVERY_FRAME
    return runtime


def _named(
    portraits: Sequence[Path] | None, landmarker: Landmarker, runtime: Runtime
) -> list[tuple[str, Avatar]]:
    from mien.streams.images import fit_within, load_image

    return [
        (one.stem, Avatar.of(fit_within(load_image(one), 1024), landmarker, runtime, one.name))
        for one in portraits or [PORTRAIT]
    ]


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    try:
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path}: cannot write: {error.strerror or error}") from error


def _run(
    clips: Sequence[str], portraits: Sequence[Path] | None, own: bool = False
) -> tuple[list[Row], list[str]]:
    """The rows, and a note for every measure left out."""
    from mien.streams.images import fit_within, load_image

    runtime = default_runtime()
    with make_landmarker() as landmarker:
        judge = Judge(landmarker)
        if own and judge.image_measures:
            import torch

            torch.set_num_threads(1)  # small images: two threads contend and take 15 times as long
        avatars = [
            Avatar.of(fit_within(load_image(path), 1024), landmarker, runtime, path.name)
            for path in ([] if own else portraits or [PORTRAIT])
        ]
        rows = evaluate([Passage.parse(clip) for clip in clips], avatars, runtime, landmarker, judge)
    return rows, [note for note in judge.notes if own or note.startswith("identity")]


if __name__ == "__main__":
    sys.exit(main())
