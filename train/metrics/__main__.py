"""``mien metrics CLIP...``: how faithfully Mien moves, as a table, with baselines in the same run.

Each clip (or passage of it) drives a portrait; the result's motion is held against the clip's own
(:mod:`mien.train.metrics.fidelity`), and its face against the portrait's
(:mod:`mien.train.metrics.identity`).  With
--self the clip's own first frame is the portrait, so that the result can be held against the clip itself
(:mod:`mien.train.metrics.images`).  docs/metrics.md explains every figure.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.runtime import Network, OpenVinoRuntime, Runtime, default_runtime
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Frame, Image, NoFaceError, SinkError, SourceError
from mien.engine.utils.assets import PORTRAIT
from mien.engine.utils.exit_status import status_of
from mien.train.metrics.fidelity import compare, motion_of
from mien.train.metrics.find import subtle_spans
from mien.train.metrics.judge import Judge, Truth, Watch
from mien.train.metrics.table import Row, markdown


@dataclass(frozen=True)
class Method:
    """How a clip drives: the tracker's settings, and whether the model's network runs."""

    settings: TrackerSettings
    network: bool = True


METHODS = {
    "landmark differences": Method(TrackerSettings(refine=False), network=False),
    "Mien, no network": Method(TrackerSettings(), network=False),
    "Mien, live settings": Method(TrackerSettings(live=True)),
    "Mien, file settings": Method(TrackerSettings()),
}
"""What is compared; the first is the warp by MediaPipe's landmarks alone."""


STILL = "the portrait, unmoved"
"""What --self compares besides: how far not moving at all gets."""


@dataclass(frozen=True)
class Passage:
    """A clip's frames from ``first`` to before ``last``; None is the end."""

    path: Path
    first: int = 0
    last: int | None = None

    @property
    def name(self) -> str:
        whole = self.first == 0 and self.last is None
        return self.path.stem if whole else f"{self.path.stem}:{self.first}-{self.last}"

    @staticmethod
    def parse(text: str) -> Passage:
        """``clip.mp4`` or ``clip.mp4:100-140``."""
        found = re.fullmatch(r"(.+):(\d+)-(\d+)", text)
        if not found:
            return Passage(Path(text))
        return Passage(Path(found[1]), int(found[2]), int(found[3]))

    def pictures(self) -> Iterator[Image]:
        """The pictures one after the other, RGB.

        Raises:
            MienError: unreadable.
        """
        from mien.streams.factory import open_source

        with open_source(str(self.path)) as source:
            for frame in source:
                if self.last is not None and frame.index >= self.last:
                    break
                if frame.index >= self.first:
                    yield frame.image

    def frames(self) -> list[Image]:
        """The pictures, RGB.

        Raises:
            MienError: unreadable, or fewer than three frames.
        """
        images = list(self.pictures())
        if len(images) < 3:
            raise SourceError(f"{self.name} has {len(images)} frames; at least three are needed.")
        return images


def evaluate(
    passages: Sequence[Passage],
    avatars: Sequence[Avatar],
    runtime: Runtime,
    landmarker: Landmarker,
    judge: Judge | None = None,
) -> list[Row]:
    """Every passage by every method.

    Args:
        passages: what drives.
        avatars: passage i drives portrait i, i + 1, ... in turn; without any, its own first frame, and the
            results are compared with the passage itself, as is that frame, unmoved.
        runtime, landmarker: what the programs run on.
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
        driver = motion_of(frames, faces[0])
        if avatars:
            avatar, truth = avatars[index % len(avatars)], None
            results: dict[str, Iterator[Image]] = {}
        else:
            avatar = Avatar.of(frames[0], landmarker, runtime, f"the first frame of {passage.name}")
            truth = Truth(judge, frames) if judge is not None and judge.pictures else None
            results = {STILL: iter([avatar.image] * len(frames))}
        results |= {name: _driven(frames, how, avatar, runtime) for name, how in METHODS.items()}
        for method, pictures in results.items():
            watch = None if judge is None else Watch(judge, avatar.image, len(frames), truth)
            motion = motion_of(pictures if watch is None else watch.over(pictures), avatar.face)
            found = compare(driver, motion)
            scores = {} if watch is None else watch.means()
            rows.append(Row(passage.name, method, found.correlation, found.gain, found.jitter, scores))
    return rows


def _driven(frames: Sequence[Image], method: Method, avatar: Avatar, runtime: Runtime) -> Iterator[Image]:
    if isinstance(runtime, OpenVinoRuntime) and not runtime.untrained:
        runtime.network = Network.EVERY_FRAME if method.network else Network.OFF
    with Tracker(method.settings) as tracker:
        session = Session(tracker, Renderer(avatar, runtime))
        for index, frame in enumerate(frames):
            yield session.step(Frame(frame, index, 0, index / 25)).image


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit status 2 with one line for what the user can mend."""
    parser = argparse.ArgumentParser(prog="mien metrics", description=__doc__)
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="clip.mp4, or a passage: clip.mp4:100-140")
    parser.add_argument("--avatar", action="append", type=Path, help="portrait(s) to drive; the built-in one")
    parser.add_argument(
        "--self",
        dest="own",
        action="store_true",
        help="each clip's own first frame is the portrait: compares pictures and landmarks, too",
    )
    parser.add_argument(
        "--find", action="store_true", help="measure nothing: name the clips' subtle passages, the best first"
    )
    parser.add_argument("--frames", type=int, default=40, metavar="N", help="of a passage found (40)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(arguments)
    if options.own and options.avatar:
        parser.error("--self and --avatar exclude each other")
    if options.frames < 3:
        parser.error("--frames: a passage needs at least three")
    if options.find:
        return status_of(lambda: _find(options.clips, options.frames))

    def measure() -> None:
        rows, notes = _run(options.clips, options.avatar, options.own)
        print(markdown(rows))
        for note in notes:
            print(f"\nNote: {note}")
        if options.json is not None:
            _write(options.json, rows)

    return status_of(measure)


def _find(clips: Sequence[str], length: int) -> None:
    """Print passages in the form in which they can be measured, with what speaks for them."""
    passages = [Passage.parse(clip) for clip in clips]
    with make_landmarker() as landmarker:
        for passage in passages:
            spans = subtle_spans(passage.pictures(), length, landmarker)
            for span in spans:
                first, last = passage.first + span.first, passage.first + span.last
                print(f"{passage.path}:{first}-{last}  {span.strength:.2f} px, head {span.shift:.3f}")
            if not spans:
                print(f"{passage.path}: no subtle passage of {length} frames")


def _write(path: Path, rows: Sequence[Row]) -> None:
    try:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path}: cannot write: {error.strerror or error}") from error


def _run(
    clips: Sequence[str], portraits: Sequence[Path] | None, own: bool = False
) -> tuple[list[Row], list[str]]:
    """The rows, and a note for every measure that is left out."""
    from mien.streams.images import fit_within, load_image

    runtime = default_runtime()
    with make_landmarker() as landmarker:
        judge = Judge(landmarker)
        if own and judge.pictures:
            import torch

            torch.set_num_threads(1)  # small pictures: two threads wait for each other, 15 times as long
        avatars = [
            Avatar.of(fit_within(load_image(path), 1024), landmarker, runtime, path.name)
            for path in ([] if own else portraits or [PORTRAIT])
        ]
        rows = evaluate([Passage.parse(clip) for clip in clips], avatars, runtime, landmarker, judge)
    return rows, [note for note in judge.notes if own or note.startswith("identity")]


if __name__ == "__main__":
    sys.exit(main())
