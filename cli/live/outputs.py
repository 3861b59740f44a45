"""Outputs of a live run besides its window: each has a thread of its own, and none slows another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from mien.cli.live.output import Live, Output
from mien.cli.live.recorder import Recorder
from mien.cli.live.virtual_camera import VirtualCamera
from mien.cli.options.arguments import Options
from mien.engine.session.live_pipeline import LivePipeline, Shown
from mien.engine.utils.links import Policy

OUTPUTS: tuple[type[Output], ...] = (Recorder, VirtualCamera)
"""Every kind of output."""


def wanted_outputs(options: Options) -> list[type[Output]]:
    """The kinds of output that the options ask for."""
    return [kind for kind in OUTPUTS if kind.wanted(options)]


def open_outputs(options: Options, stack: ExitStack, live: Live) -> list[Output]:
    """The outputs that the options ask for; each is aborted at the stack's end.

    Raises:
        MienError: one of them cannot be opened.
    """
    outputs = []
    for kind in wanted_outputs(options):
        output = kind.open(options, live)
        stack.callback(output.abort)
        outputs.append(output)
    return outputs


def connect(pipeline: LivePipeline, outputs: Sequence[Output], *, window: bool) -> None:
    """Give each output its own thread and link.

    Args:
        window: whether the user sees the images in a window.
    """
    # The failure of all that the user sees must not end the run without a word.
    alone = len(outputs) == 1 and not window
    for output in outputs:
        output.stage = pipeline.send(
            output.name,
            _Writing(output),
            policy=Policy.NEWEST,
            capacity=output.capacity,
            required=output.required or alone,
        )


class _Writing:
    """Hands finished images to an output."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def __call__(self, shown: Shown) -> None:
        self._output.write(shown.rendered.image, shown.rendered.time)
