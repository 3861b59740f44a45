"""File runs: a clip, a folder or recorded motion drives a portrait, every frame of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import perf_counter

from rich.console import Console

from mien.cli.build import (
    load_avatar,
    make_animator,
    make_runtime,
    portrait_landmarker,
    wants_credentials,
    wants_opacity,
)
from mien.cli.file.reference_frame import choose_reference
from mien.cli.interrupt import Stopper
from mien.cli.options.arguments import Options
from mien.cli.terminal import StageTimes, print_summary, progress_bar, say
from mien.engine.animator import NO_IMAGE, Animator
from mien.engine.face.likeness import poor_view, reference_problem
from mien.engine.motion import Motion
from mien.engine.motion.recorder import Recorder
from mien.engine.motion.recording import Recording, load_recording
from mien.engine.presets import PresetRuntime
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker
from mien.engine.tracking.file_driver import FileDriver, takeover_note
from mien.engine.tracking.offline import refined_stream
from mien.engine.types import Frame, Image, NoFaceError
from mien.engine.utils.assets import DEMO_MOTION
from mien.streams.factory import open_sink, open_source
from mien.streams.sink import Sink
from mien.streams.source import Source


@dataclass(frozen=True)
class _Step:
    """One finished frame: its image (None if only the motion is wanted), time and milliseconds per stage."""

    image: Image | None
    time: float
    stage_ms: Mapping[str, float]


@dataclass
class _Record:
    """Motion measured along the way: for --save-motion, and for the final notes."""

    recorder: Recorder | None
    frames: int = 0
    missed: int = 0

    def add(self, frame: Frame, motion: Motion | None) -> None:
        self.frames += 1
        self.missed += motion is None
        if self.recorder is not None:
            # Not a pixel of the driver is recorded.
            self.recorder.add(None if motion is None else replace(motion, mouth=None), frame.time)


def run_demo(options: Options, console: Console) -> None:
    """Play the built-in motion on the built-in (or the given) portrait."""
    play_recording(options, console, DEMO_MOTION, "mien-demo.mp4")


def run_motion(options: Options, console: Console) -> None:
    """Play the recorded motion that ``--driving`` names."""
    path = Path(options.driving or "")
    play_recording(options, console, path, f"mien-{path.stem}.mp4")


def play_recording(options: Options, console: Console, path: Path, default: str) -> None:
    """Drive the portrait by recorded motion."""
    output = options.output_text or default
    recording = load_recording(path)
    with ExitStack() as stack:
        runtime = make_runtime(options)
        stack.callback(runtime.close)
        animator = stack.enter_context(_animator(options, console, runtime))
        sink = _open_sink(options, stack, animator.size, output, recording.fps, None)
        stop = stack.enter_context(Stopper())
        times = _write_all(console, stop, _played(recording, animator), sink, len(recording))
        sink.close()
    say(console, *sink.notes)
    print_summary(console, times, [output])


def run_clip(options: Options, console: Console) -> None:
    """Drive the portrait by a clip or folder; with only ``--save-motion``, just record its motion."""
    driving = options.driving or ""
    output = options.output_text
    if output is None and options.save_motion is None:
        output = f"mien-{Path(driving).resolve().stem}.mp4"
    with ExitStack() as stack:
        saved = options.save_motion
        recorder = None if saved is None else stack.enter_context(Recorder(saved.parent))
        record = _Record(recorder)
        source = stack.enter_context(open_source(driving, fps=options.fps, bits=options.bits))
        runtime = make_runtime(options)
        stack.callback(runtime.close)
        animator = stack.enter_context(_animator(options, console, runtime, record))
        tracker = animator.load()
        sink = None
        if output is not None:
            sound = Path(driving) if source.info.has_audio else None
            sink = _open_sink(options, stack, animator.size, output, source.info.fps, sound)
        looks = choose_reference(options, console, tracker, animator.avatar.face)
        stop = stack.enter_context(Stopper())
        driver = FileDriver(tracker, looks)
        followed = _followed(source, driver, stop)
        steps = _rendered(followed, animator.session) if sink is not None else _tracked(followed, record)
        searched = options.reference in ("auto", "best")
        noted = _noted(steps, tracker, source, console, searched)
        times = _write_all(console, stop, noted, sink, source.info.frames)
        _check_faces(record, driving)
        if sink is not None:
            sink.close()
        if saved is not None and recorder is not None:
            recorder.save(saved)
    say(
        console,
        *source.notes,
        *(sink.notes if sink else []),
        *_missed(record),
        *_painted(animator, source),
        *takeover_note(source.info.name, driver.takeovers),
    )
    print_summary(console, times, [str(place) for place in (output, options.save_motion) if place])


def _check_faces(record: _Record, driving: str) -> None:
    if record.missed == record.frames:
        raise NoFaceError(
            f"No face was found in {driving}, so nothing was written. "
            "Give a clip in which the face is seen from the front, larger than 40 pixels."
        )


def _missed(record: _Record) -> list[str]:
    if not record.missed:
        return []
    return [f"no face in {record.missed} of {record.frames} frames; there the avatar rests."]


def _painted(animator: Animator, source: Source) -> list[str]:
    note = animator.renderer.mouth.note
    return [] if note is None else [f"in {source.info.name} {note}"]


def _animator(
    options: Options, console: Console, runtime: PresetRuntime, record: _Record | None = None
) -> Animator:
    with portrait_landmarker() as landmarker:
        avatar = load_avatar(options.avatar, options, landmarker, runtime)
        say(console, *avatar.notes)
        add = record.add if record else None
        return make_animator(options, avatar, runtime, like=landmarker, on_motion=add)


def _open_sink(
    options: Options,
    stack: ExitStack,
    size: tuple[int, int],
    output: str,
    fps: Fraction | float,
    sound: Path | None,
) -> Sink:
    """Open the sink; if the stack ends before the sink is closed, nothing of it is left."""
    width, height = size
    sink = open_sink(
        output,
        width=width,
        height=height,
        fps=fps,
        audio_from=sound,
        lossless=options.lossless,
        credentials=wants_credentials(options),
        opacity=wants_opacity(options),
    )
    stack.callback(sink.abort)
    return sink


def _played(recording: Recording, animator: Animator) -> Iterator[_Step]:
    for time, motion in zip(recording.times, recording, strict=True):
        rendered = animator.play(motion, time)
        yield _Step(rendered.image, rendered.time, rendered.stage_ms)


_Followed = tuple[Frame, Motion | None, Mapping[str, float]]


def _rendered(followed: Iterator[_Followed], session: Session) -> Iterator[_Step]:
    for frame, motion, spent in followed:
        rendered = session.play(frame, motion)
        yield _Step(rendered.image, rendered.time, {**spent, **rendered.stage_ms})


def _tracked(followed: Iterator[_Followed], record: _Record) -> Iterator[_Step]:
    for frame, motion, spent in followed:
        record.add(frame, motion)
        yield _Step(None, frame.time, spent)


def _followed(source: Source, driver: FileDriver, stop: Stopper) -> Iterator[_Followed]:
    """Every frame (its image is not kept), its motion after the second pass, and the milliseconds."""
    passed: deque[tuple[Frame, Mapping[str, float]]] = deque()
    ended = False
    read = 0.0

    def frames() -> Iterator[Frame]:
        nonlocal read
        start = perf_counter()
        for frame in source:
            read += _since(start)
            yield frame
            start = perf_counter()

    def measured() -> Iterator[tuple[float, Motion | None]]:
        nonlocal ended, read
        start = perf_counter()
        try:
            for followed in driver.follow(frames()):
                spent = {"read": read, "track": _since(start) - read}
                read = 0.0
                passed.append((replace(followed.frame, image=NO_IMAGE), spent))
                yield followed.frame.time, followed.motion
                start = perf_counter()
        except KeyboardInterrupt:
            # While waiting for a frame: frames already read are finished by the second pass.
            ended, stop.asked = True, False

    for motion in refined_stream(measured()):
        frame, spent = passed.popleft()
        yield frame, motion, spent
    if ended:
        stop.asked = True
        raise KeyboardInterrupt


def _since(start: float) -> float:
    return 1000 * (perf_counter() - start)


def _noted(
    steps: Iterator[_Step], tracker: Tracker, source: Source, console: Console, searched: bool
) -> Iterator[_Step]:
    """Pass the steps on; remarks on the driver's face are printed once, when it is first seen."""
    told = False
    for step in steps:
        yield step
        if not told and tracker.face is not None:
            told = True
            say(console, *_driver_notes(tracker, source.info.name, searched))


def _driver_notes(tracker: Tracker, name: str, searched: bool) -> list[str]:
    notes = []
    if tracker.landmarker.faces_seen > 1:
        notes.append(f"{name} shows {tracker.landmarker.faces_seen} faces; the largest drives.")
    if tracker.reference_frame is not None:
        notes += [f"the face in {name} is {fault}." for fault in poor_view(*tracker.reference_frame)]
    reference = tracker.reference
    if not searched and reference is not None and (why := reference_problem(reference.face)):
        notes.append(f"in the reference frame {why}; --reference best looks for a better one.")
    return notes


def _write_all(
    console: Console, stop: Stopper, steps: Iterator[_Step], sink: Sink | None, total: int | None
) -> StageTimes:
    """Write every image; Ctrl-C ends early and keeps what there is.  The caller closes the sink.

    Raises:
        KeyboardInterrupt: stopped before there was anything to keep.
    """
    times = StageTimes()
    with progress_bar(console, "rendering" if sink else "tracking", total) as bar:
        for step in stop.until(steps):
            start = perf_counter()
            if sink is not None and step.image is not None:
                sink.write(step.image, step.time)
            write = {"write": _since(start)} if sink is not None else {}
            times.add({**step.stage_ms, **write})
            bar.advance(times.rate)
    if stop.asked:
        if not times.frames:
            raise KeyboardInterrupt
        say(console, f"stopped after {times.frames} frames; what was done so far is kept.")
    return times
