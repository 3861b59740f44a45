"""Live runs: a camera or network stream drives a portrait, in a window and to other outputs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic_ns

import cv2
from rich.console import Console

from mien.cli.build import (
    load_avatar,
    make_animator,
    make_runtime,
)
from mien.cli.interrupt import Stopper
from mien.cli.live.early import Early
from mien.cli.live.gallery import Gallery
from mien.cli.live.output import Live, Output
from mien.cli.live.outputs import connect, open_outputs, wanted_outputs
from mien.cli.live.reference import Calibration
from mien.cli.live.speed import choose_speed
from mien.cli.live.window import KEYS, LiveLoop, News
from mien.cli.model_choice import EXACT
from mien.cli.options.arguments import Options
from mien.cli.terminal import StageTimes, print_summary, say
from mien.engine.landmarks.segmentation import segmentation_network
from mien.engine.pipeline.stage import Stage
from mien.engine.runtime import Network, OpenVinoRuntime
from mien.engine.session.live_pipeline import LivePipeline, Shown
from mien.engine.types import MienError, SourceError
from mien.engine.utils.memory import release_freed
from mien.streams.factory import open_source
from mien.streams.images import list_portraits
from mien.streams.preview import PreviewSink, check_display
from mien.streams.source import Source


def run_live(options: Options, console: Console, early: Early) -> None:
    """Run live as the options ask.

    Args:
        early: made before this module was imported.

    Raises:
        MienError: no display and no other output, no camera, or the camera was lost for good; what was
            recorded until then is kept.
    """
    show = _can_show(options, console)
    # The stages are threads already; OpenCV's own beside them cost a quarter more CPU and gain nothing.
    cv2.setNumThreads(1)
    paths = list_portraits(options.avatars) if options.avatars else []
    news, times = News(), StageTimes()
    with ExitStack() as stack:
        segmentation = early.beside(segmentation_network)
        on_every_frame = options.model == EXACT
        runtime = make_runtime(options, Network.EVERY_FRAME if on_every_frame else Network.BACKGROUND)
        stack.callback(runtime.close)
        landmarker = stack.enter_context(early.landmarker())
        segmentation.result()
        first = options.avatar or (paths[0] if paths else None)
        avatar = load_avatar(first, options, landmarker, runtime)
        say(console, *avatar.notes)
        choose_speed(runtime, avatar, options, console)
        animator = stack.enter_context(make_animator(options, avatar, runtime, live=True, like=landmarker))
        tracker, renderer = animator.load(), animator.renderer
        gallery = Gallery(paths, options, landmarker, renderer, {first: avatar} if first else None)
        stack.callback(gallery.close)
        # Opened late: from here on its frames arrive, whether or not anyone takes them.
        source = stack.enter_context(_open_live(options))
        calibration = Calibration(tracker, news.tell, options.profile, source.info.name)
        outputs = open_outputs(options, stack, Live(renderer.size, source.info.fps, news.tell))
        preview = PreviewSink(mirror=options.mirror, help_lines=KEYS) if show else None
        if preview is not None:
            stack.callback(preview.close)

        def failed(stage: Stage) -> None:
            news.tell(f"{stage.name}: {stage.fault}", 10.0)

        live = LivePipeline(
            source,
            animator.session,
            stop=source.close,
            watch=calibration.watch,
            drawn=_Times(times),
            on_fault=failed,
        )
        gallery.show = live.set_avatar
        connect(live, outputs, window=preview is not None)
        stop = stack.enter_context(Stopper())
        if isinstance(runtime, OpenVinoRuntime) and not paths:
            runtime.forget_encoder()
        release_freed()
        _announce(console, source, show, outputs)
        loop = LiveLoop(live, gallery, calibration, preview, news)
        loop.run(source, stop)
        if times.frames:
            for output in outputs:
                output.finish()
    for output in outputs:
        say(console, *output.notes)
    if not show and renderer.mouth.note is not None:
        say(console, renderer.mouth.note)
    files = [output.file for output in outputs if output.file is not None]
    print_summary(console, times, files, live.dropped)
    _check_end(loop, files if times.frames else [])


class _Times:
    """Records the times of every image, in the render thread."""

    def __init__(self, times: StageTimes) -> None:
        self._times = times

    def __call__(self, shown: Shown) -> None:
        rendered = shown.rendered
        age = max(0.0, (monotonic_ns() - rendered.captured_ns) / 1e6)
        self._times.add({**rendered.stage_ms, "latency": age})


def _can_show(options: Options, console: Console) -> bool:
    try:
        check_display()
    except MienError:
        outputs = wanted_outputs(options)
        if not outputs:
            raise
        say(console, f"there is no display here; {outputs[0].doing} without a preview window.")
        return False
    return True


def _open_live(options: Options) -> Source:
    width, height = options.camera_size or (640, 480)
    try:
        return open_source(options.driving or "0", width=width, height=height, fps=options.fps)
    except MienError as error:
        if options.driving is not None:
            raise
        raise SourceError(f"{error} Without a camera: mien --driving clip.mp4, or mien --demo.") from error


def _announce(console: Console, source: Source, show: bool, outputs: Sequence[Output]) -> None:
    end = "Esc or Ctrl-C ends" if show else "Ctrl-C ends"
    places = [output.where for output in outputs if output.where]
    to = f" to {' and '.join(places)}" if places else ""
    line = f"live from {source.info.name}{to}; {end}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _check_end(loop: LiveLoop, files: Sequence[str]) -> None:
    """Raise the source's failure, now that what was recorded is in ``files``."""
    if loop.broken is None:
        return
    if not files:
        raise loop.broken
    kept = f"What was recorded until then is in {' and '.join(str(Path(file)) for file in files)}."
    raise SourceError(f"{loop.broken} {kept}") from loop.broken
