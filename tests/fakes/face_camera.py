"""A camera that shows a talking head, and the whole program run with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fakes.camera import FakeCamera


@dataclass
class FaceCamera(FakeCamera):
    """Delivers ``images`` (RGB) to and fro until it is told to misbehave."""

    images: Sequence[np.ndarray] = ()
    unplug_after: int = 1_000_000

    def __post_init__(self) -> None:
        self.fps = 30.0
        self.size = (self.images[0].shape[1], self.images[0].shape[0])

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if self.grabs >= self.unplug_after:
            self.unplugged.set()
        there_and_back = [*self.images, *self.images[-2:0:-1]]
        return True, there_and_back[self.grabs % len(there_and_back)][..., ::-1].copy()


def main(clip: str, words: Sequence[str]) -> int:
    """``run_live.main(words)`` on a machine whose only camera shows ``clip``."""
    import mien.streams.camera.source
    from fakes.drivers import talking

    cv2.setNumThreads(1)
    camera = FaceCamera(images=talking(Path(clip), 40))
    mien.streams.camera.source.opencv_capture = lambda: camera
    import run_live

    return run_live.main(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
