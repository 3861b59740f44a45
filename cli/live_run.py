"""A camera or network stream drives a portrait, live, in a window (and into a file, if asked)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from cli.arguments import Options
from cli.gallery import Gallery
from cli.live_loop import KEYS, LiveLoop
from cli.parts import (
    load_avatar,
    make_gains,
    make_renderer,
    make_runtime,
    make_tracker,
    portrait_landmarker,
)
from cli.recorder import Recorder
from cli.report import print_summary, say
from cli.stopping import Stopper
from engine.session import Session
from engine.types import MienError
from streams.portrait import list_portraits
from streams.preview import PreviewSink, check_display
from streams.sink import open_sink
from streams.source import Source, open_source


def run_live(options: Options, console: Console) -> None:
    """The live run that the options describe.

    Raises:
        MienError: nothing to show the pictures on, no camera, or it went away; what was recorded until
            then is kept.
    """
    show = _can_show(options, console)
    paths = list_portraits(options.avatars) if options.avatars else []
    with ExitStack() as stack:
        runtime = make_runtime(options)
        landmarker = stack.enter_context(portrait_landmarker())
        first = options.avatar or (paths[0] if paths else None)
        avatar = load_avatar(first, options, landmarker, runtime)
        say(console, *avatar.notes)
        tracker = stack.enter_context(make_tracker(options, live=True, runtime=runtime))
        session = Session(tracker, make_renderer(avatar, runtime, options), make_gains(options))
        gallery = Gallery(paths, options, landmarker, session, {first: avatar} if first else None)
        stack.callback(gallery.close)
        # Last, because from here on its pictures run, whether anyone looks or not.
        source = stack.enter_context(_open_live(options))
        recorder = _open_recorder(options, stack, session, source)
        preview = PreviewSink(mirror=options.mirror, help_lines=KEYS) if show else None
        if preview is not None:
            stack.callback(preview.close)
        stop = stack.enter_context(Stopper())
        _announce(console, source, show)
        loop = LiveLoop(session, gallery, preview, recorder)
        loop.run(source, stop)
        if recorder is not None and loop.times.frames:
            recorder.sink.close()
    if recorder is not None:
        say(console, *recorder.sink.notes)
    print_summary(console, loop.times, [options.output_text] if options.output_text else [])
    _check_end(loop, options)


def _can_show(options: Options, console: Console) -> bool:
    try:
        check_display()
    except MienError:
        if options.output is None:
            raise
        say(console, "there is no display here; recording without a preview window.")
        return False
    return True


def _open_live(options: Options) -> Source:
    width, height = options.camera_size or (640, 480)
    try:
        return open_source(options.driving or "0", width=width, height=height, fps=options.fps)
    except MienError as error:
        if options.driving is not None:
            raise
        raise MienError(f"{error} Without a camera: mien --driving clip.mp4, or mien --demo.") from error


def _open_recorder(options: Options, stack: ExitStack, session: Session, source: Source) -> Recorder | None:
    if options.output_text is None:
        return None
    width, height = session.renderer.size
    sink = open_sink(
        options.output_text, width=width, height=height, fps=source.info.fps, lossless=options.lossless
    )
    stack.callback(sink.abort)
    return Recorder(sink, (width, height))


def _announce(console: Console, source: Source, show: bool) -> None:
    end = "Esc or Ctrl-C ends" if show else "Ctrl-C ends"
    console.print(f"live from {source.info.name}; {end}", markup=False, highlight=False, soft_wrap=True)


def _check_end(loop: LiveLoop, options: Options) -> None:
    """The source's failure, now that the recording is in its place."""
    if loop.broken is None:
        return
    if options.output_text is None or not loop.times.frames:
        raise loop.broken
    kept = f"What was recorded until then is in {Path(options.output_text)}."
    raise MienError(f"{loop.broken} {kept}") from loop.broken
