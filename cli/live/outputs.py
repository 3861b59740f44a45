"""Where a live run's pictures go besides the window: a recording, a virtual camera; none slows another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from mien.cli.build import wants_credentials
from mien.cli.live.recorder import Recorder
from mien.cli.options.arguments import Options
from mien.engine.session.live_pipeline import LivePipeline
from mien.engine.session.renderer import AvatarRenderer
from mien.engine.utils.links import Policy
from mien.streams.factory import open_sink
from mien.streams.source import Source
from mien.streams.virtual_camera import VirtualCameraSink

WAITING_BYTES = 96 * 2**20
MOST_WAITING = 90
"""A recording's pause (a slow disk) is bridged by as many pictures as fit into so much memory, three
seconds at most."""


def open_recorder(
    options: Options, stack: ExitStack, renderer: AvatarRenderer, source: Source
) -> Recorder | None:
    """The recording that the options ask for; dropped at the stack's end unless it was closed."""
    if options.output_text is None:
        return None
    width, height = renderer.size
    sink = open_sink(
        options.output_text,
        width=width,
        height=height,
        fps=source.info.fps,
        lossless=options.lossless,
        credentials=wants_credentials(options),
    )
    recorder = Recorder(sink, (width, height), options.output_text)
    stack.callback(recorder.abort)
    return recorder


def open_virtual_camera(
    options: Options, stack: ExitStack, renderer: AvatarRenderer, source: Source, tell: Callable[[str], None]
) -> VirtualCameraSink | None:
    """The virtual camera that the options ask for."""
    if options.virtual_camera is None:
        return None
    width, height = renderer.size
    sink = VirtualCameraSink(
        width=width,
        height=height,
        fps=float(source.info.fps),
        device=options.virtual_camera or None,
        tell=tell,
    )
    stack.callback(sink.close)
    return sink


def connect(
    live: LivePipeline, recorder: Recorder | None, camera: VirtualCameraSink | None, *, alone: bool = False
) -> None:
    """Give each its own thread and link."""
    if recorder is not None:
        width, height = recorder.size
        capacity = max(4, min(MOST_WAITING, WAITING_BYTES // (3 * width * height)))
        recorder.stage = live.send(
            "recording",
            lambda shown: recorder.write(shown.rendered.image, shown.rendered.time),
            policy=Policy.NEWEST,
            capacity=capacity,
        )
    if camera is not None:
        live.send(
            "virtual camera",
            lambda shown: camera.write(shown.rendered.image, shown.rendered.time),
            policy=Policy.NEWEST,
            # Where it is all that the user sees, its failure must not end the run without a word.
            required=alone,
        )
