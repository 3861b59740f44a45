"""Base class of a live run's outputs besides its window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mien.cli.options.arguments import Options
from mien.engine.pipeline.stage import Stage
from mien.engine.types import Image


@dataclass(frozen=True, slots=True)
class Live:
    """Format of the images that an output is opened for.

    Attributes:
        size: width and height of the images at first; another portrait can change them.
        fps: nominal frame rate of the source.
        tell: shows the user a message for a moment; may be called from any thread.
    """

    size: tuple[int, int]
    fps: Fraction
    tell: Callable[[str], None]


class Output(ABC):
    """One place that every finished image of a live run is sent to, in a thread of its own.

    A new kind is a subclass in a module of its own and an entry in :data:`mien.cli.live.outputs.OUTPUTS`; the
    run, the option checks and ``--doctor`` take outputs from there only.

    Attributes:
        name: name of its thread; faults are reported under it.
        doing: what a run without a window does with it (``"recording"``).
        with_file: why it cannot be combined with a file that drives, in one line; empty if it can.
        required: whether its failure ends the run.  An output that is all the user sees is required anyway.
        capacity: how many images bridge its pauses; beyond that, new ones take the place of old ones.
        stage: its thread, once there is one.
    """

    name: ClassVar[str]
    doing: ClassVar[str]
    with_file: ClassVar[str] = ""
    required: ClassVar[bool] = False
    capacity: int = 1
    stage: Stage | None = None

    @classmethod
    @abstractmethod
    def wanted(cls, options: Options) -> bool:
        """Whether the options ask for it."""

    @classmethod
    @abstractmethod
    def open(cls, options: Options, live: Live) -> Output:
        """The output that the options ask for.

        Raises:
            MienError: it cannot be opened.
        """

    @classmethod
    def status(cls) -> str | None:
        """Whether this machine has what it needs, for ``--doctor``; None where it needs nothing."""
        return None

    @property
    def where(self) -> str:
        """What the start line calls it (``"the virtual camera /dev/video9"``); empty to leave it out."""
        return ""

    @property
    def file(self) -> str | None:
        """The file that it leaves, if any."""
        return None

    @property
    def notes(self) -> list[str]:
        """Remarks for the end of the run, one line each."""
        return []

    @abstractmethod
    def write(self, image: Image, time: float) -> None:
        """Take an image.

        Args:
            image: ``(H, W, 3) uint8`` RGB, shared with other outputs: not to be written into.
            time: media time in seconds.
        """

    def finish(self) -> None:  # noqa: B027 (a device has nothing to finish)
        """Complete what was written, at the end of a run that made an image.

        Raises:
            MienError: it could not be completed.
        """

    @abstractmethod
    def abort(self) -> None:
        """Release everything and drop what was not finished.  Called once, at the end of every run."""
