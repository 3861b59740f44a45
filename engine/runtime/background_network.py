"""Background runs of the network, while the frames go on without it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from typing import Protocol

import numpy as np

from mien.engine.avatar.model_io import AvatarCode
from mien.engine.runtime.openvino_parts import PartedRenderer
from mien.engine.types import Floats


class Recipient(Protocol):
    """The session that a run's results are for.

    Attributes:
        code: the avatar drawn last.
        waiting: whether the network has not received the last frame yet.
    """

    code: AvatarCode | None
    waiting: bool

    def learn(self, network: PartedRenderer) -> None:
        """Keep a copy of the network's results."""


class BackgroundNetwork:
    """One run of the network at a time, in a background thread, for one of several sessions.

    It owns the run in progress, a copy of the run's inputs, and whom the results are for.  All methods are
    called from the thread that renders.

    Args:
        renderer: the network, used by the background thread while a run is in progress.
        worker: the background thread.
    """

    def __init__(self, renderer: PartedRenderer, worker: Executor) -> None:
        self.renderer = renderer
        self._worker = worker
        self._run: Future[None] | None = None
        self._code: AvatarCode | None = None
        self._recipient: Recipient | None = None

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return not (self._run is None or self._run.done())

    def holds_results_for(self, recipient: Recipient) -> bool:
        """Whether the current run, not collected yet, is for this session."""
        return self._run is not None and self._recipient is recipient

    def collect(self) -> bool:
        """Pass a finished run's results to the session they are for; False while the run is in progress."""
        if self._run is None:
            return True
        if not self._run.done():
            return False
        self._run.result()
        self._run = None
        assert self._recipient is not None
        if self._recipient.code is self._code:  # otherwise the session has changed its avatar meanwhile
            self._recipient.learn(self.renderer)
        return True

    def start(self, recipient: Recipient, code: AvatarCode, inputs: Mapping[str, Floats]) -> None:
        """Start a run on a frame's inputs, unless it would repeat the last one; call only after a collection.

        Args:
            recipient: the session that the results are for.
            code: its avatar.
            inputs: the renderer's inputs by name; they are copied.
        """
        recipient.waiting = False
        given = {name: array for name, array in inputs.items() if name not in ("source", "features")}
        own = self.renderer.inputs
        if self._code is not code:
            given = dict(inputs)
        elif recipient is self._recipient and all(np.array_equal(own[n], a) for n, a in given.items()):
            return
        for name, array in given.items():
            np.copyto(own[name], array)
        self._code, self._recipient = code, recipient
        self._run = self._worker.submit(self.renderer.run)

    def finish(self) -> None:
        """Wait for the run in progress, and drop its results."""
        if self._run is not None:
            self._run.result()
        self._run = self._code = self._recipient = None
