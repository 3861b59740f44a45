"""Base class of sources, which give frames, and what is known about one before its frames are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

from mien.engine.types import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about a source before its frames are read.

    Attributes:
        width, height: size of the frames in pixels, after rotation.
        fps: nominal frames per second; a source with a variable rate gives its average.
        frames: number of frames, or an estimate good enough for a progress bar; None when unknown.
        live: True where frames come in real time and waiting for one loses others.
        has_audio: True when a sound track lies beside the frames.
        name: what to call the source in a message.
    """

    width: int
    height: int
    fps: Fraction
    frames: int | None
    live: bool
    has_audio: bool
    name: str


class Source(ABC):
    """Gives frames in order; a context manager that frees its device or file.

    Attributes:
        notes: remarks on what was found wrong but could be lived with, one line each; complete when the
            iteration has ended.
    """

    notes: list[str]

    @property
    @abstractmethod
    def info(self) -> SourceInfo:
        """Size, rate and kind of the frames."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield every :class:`Frame`: ``(H, W, 3) uint8`` RGB, times in seconds, increasing.

        Raises:
            MienError: when the source fails in a way that ends it.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the device or file. Closing twice is allowed."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
